//! What a mount is: types only. `class` parses them from a SecretProviderClass.

pub(crate) mod address; // the address of a server
pub(crate) mod auth; // the login
pub(crate) mod auth_mount; // the name of an auth mount, and which auth mounts a class may use
pub(crate) mod certificate; // a request to a PKI engine, and the formats of its files
pub(crate) mod creates; // what a request may create at the server, and so how its response may be shared
pub(crate) mod encoding; // how the text of a value encodes bytes
pub(crate) mod flavor; // which upstream provider a class is written for
pub(crate) mod format; // a whole secret as one document
pub(crate) mod object; // the files of a volume, and the sources that they show
pub(crate) mod path; // the path of a file in the volume
pub(crate) mod pod; // the pod of a mount, and its token
pub(crate) mod refresh; // how old the answer of each source may be
pub(crate) mod remembered_request; // the kubelet's request, for requests that lack a part of it
pub(crate) mod request; // one request to Vault: method, path, query, body
pub(crate) mod server; // the server, and how to connect to it
pub(crate) mod sharing; // who uses a login or an issued credential
pub(crate) mod shown; // text of a class in a message
pub(crate) mod source; // where a value comes from
pub(crate) mod template; // the delimiters of a template

pub use address::Address;
pub use auth::AuthSpec;
pub(crate) use creates::Creates;
pub use auth_mount::AuthMounts;
pub use certificate::{Alias, CertificateRequest, KeyAlgorithm, KeyForm, KeyPlace, KeyType, StoreForm};
pub use encoding::Encoding;
pub use flavor::Flavor;
pub use format::Format;
pub use object::{Absent, Directory, Keys, Keystore, Object, Part, Placement, Template, View};
pub use path::MountPath;
pub use pod::{Pod, PodToken};
pub use refresh::RefreshIntervals;
pub use remembered_request::RememberedRequest;
pub use request::{Body, Request, VaultPath};
pub use server::{ClientCertificate, ServerSpec, TlsSpec};
pub use sharing::{LoginScope, ShareScope, VolumeWriter};
pub(crate) use shown::Shown;
pub use source::{
    EngineRequest, KvEngine, KvRead, S5Text, SecretText, Selector, SelectorPath, SelectorRoot, Source,
    SourceValue, Text, TransitCiphertext, TransitKey,
};
pub use template::Delimiters;

use std::time::Duration;

/// A SHA-256.
pub type Digest = [u8; 32];

/// One mount: its pod, its sources, and the files that show them.
#[derive(Debug)]
pub struct MountSpec {
    /// The pod, as the kubelet reports it.
    pub pod: Pod,
    /// Name of its SecretProviderClass; the rotation of driver 1.5 and the sync controller do not send it.
    pub class: Option<String>,
    /// The server, and how to connect to it.
    pub server: ServerSpec,
    /// How to log in.
    pub auth: AuthSpec,
    /// The pod's token of the requested audience, if the request contains one. Its claims agree with `pod`.
    pub token: Option<PodToken>,
    /// The files to write, in the order of the class; never empty, and no two with the same name.
    pub objects: Vec<Object>,
    /// The volume's directory on the node.
    pub target_path: String,
    /// Who writes the files.
    pub written_by: VolumeWriter,
    /// Who uses the login of this mount.
    pub login: LoginScope,
    /// How old the answer of a read may be, and how long the answer of a write without an end time is cached.
    pub refreshes: RefreshIntervals,
    /// How long the last known good content may replace what cannot be fetched.
    pub max_stale: Duration,
    /// Hash of the class's parameters as sent, overridden by the pod's: distinguishes volumes of the same path and pod.
    ///
    /// It has no key, and a class may contain passwords: the hash may be in memory and in sealed records only.
    pub parameters: Digest,
    /// The request, to be remembered for requests that lack the pod's own parameters, and for background polls.
    pub published: RememberedRequest,
    /// Unknown parameters and fields, and settings without effect: for the log.
    pub warnings: Vec<String>,
}
