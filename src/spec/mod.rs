//! What a mount is: types only. `class` parses them from a SecretProviderClass.

pub(crate) mod address; // the address of a server
pub(crate) mod auth; // the login
pub(crate) mod auth_mount; // the name of an auth mount, and which auth mounts a class may use
pub(crate) mod certificate; // a request to a PKI engine, and the formats of its files
pub(crate) mod encoding; // how the text of a value encodes bytes
pub(crate) mod flavor; // which upstream provider a class is written for
pub(crate) mod format; // a whole secret as one document
pub(crate) mod mode; // permission bits as people write them
pub(crate) mod object; // the files of a volume, and the sources that they show
pub(crate) mod path; // the path of a file in the volume
pub(crate) mod pod; // the pod of a mount, and its token
pub(crate) mod refresh; // how old the response of each source may be
pub(crate) mod remembered_request; // the kubelet's request, for requests that lack a part of it
pub(crate) mod request; // one request to Vault: method, path, query, body
pub(crate) mod server; // the server, and how to connect to it
pub(crate) mod sharing; // who uses a login or an issued credential
pub(crate) mod shown; // text of a class in a message
pub(crate) mod source; // where a value comes from, and what a request for it may create
pub(crate) mod template; // the delimiters of a template

pub(crate) use address::Address;
pub(crate) use auth::AuthSpec;
pub(crate) use auth_mount::AuthMounts;
pub(crate) use certificate::{
    Alias, CertificateOptions, CertificateRequest, KeyAlgorithm, KeyForm, KeyPlace, KeyType, StoreForm,
};
pub(crate) use encoding::Encoding;
pub(crate) use flavor::Flavor;
pub(crate) use format::Format;
pub(crate) use object::{Absent, Directory, Keys, Keystore, Object, Part, Placement, Template, View};
pub use path::MountPath;
pub(crate) use pod::{Pod, PodToken};
pub(crate) use refresh::RefreshIntervals;
pub(crate) use remembered_request::RememberedRequest;
pub(crate) use request::{Body, Request, VaultPath};
pub(crate) use server::{ClientCertificate, ServerSpec, TlsSpec};
pub(crate) use sharing::{LoginScope, ShareScope, VolumeWriter};
pub(crate) use shown::Shown;
pub(crate) use source::{
    Creates, EngineRequest, KvEngine, KvRead, ParsedPath, S5Text, SecretText, Selector, SelectorPath,
    SelectorRoot, Source, SourceValue, Text, TextSyntax, TransitCiphertext, TransitKey,
};
pub(crate) use template::Delimiters;

use std::time::Duration;

/// A SHA-256.
pub(crate) type Digest = [u8; 32];

/// One mount: its pod, its sources, and the files that show them.
#[derive(Debug)]
pub(crate) struct MountSpec {
    /// The pod, as the kubelet reports it.
    pub(crate) pod: Pod,
    /// Name of its SecretProviderClass; the rotation of driver 1.5 and the sync controller do not send it.
    pub(crate) class: Option<String>,
    /// The server, and how to connect to it.
    pub(crate) server: ServerSpec,
    /// How to log in.
    pub(crate) auth: AuthSpec,
    /// The pod's token of the requested audience, if the request contains one. Its claims agree with `pod`.
    pub(crate) token: Option<PodToken>,
    /// The files to write, in the order of the class; never empty, and no two with the same name.
    pub(crate) objects: Vec<Object>,
    /// The volume's directory on the node.
    pub(crate) target_path: String,
    /// Who writes the files.
    pub(crate) written_by: VolumeWriter,
    /// Who uses the login of this mount.
    pub(crate) login: LoginScope,
    /// How old the response to a read may be, and how long the response to a write without an end time is cached.
    pub(crate) refreshes: RefreshIntervals,
    /// How long the last known good content may replace what cannot be fetched.
    pub(crate) max_stale: Duration,
    /// Hash of the class's parameters as sent, overridden by the pod's: distinguishes volumes of the same path and pod.
    ///
    /// It has no key, and a class may contain passwords: the hash may be in memory and in sealed records only.
    pub(crate) parameters: Digest,
    /// The request, to be remembered for requests that lack the pod's own parameters, and for background polls.
    pub(crate) published: RememberedRequest,
    /// Unknown parameters and fields, and settings without effect: for the log.
    pub(crate) warnings: Vec<String>,
}
