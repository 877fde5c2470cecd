//! The whole of what a mount is asked to do.

pub mod address; // where a server is
pub mod auth_mount; // the name of an auth mount, and which a class may use
pub mod certificate; // what is asked of a PKI engine, and the forms of its files
pub mod format; // the whole of a secret as one document
pub mod lifetime; // how long what a mount got is good, and whom it is shared with
pub mod object; // what stands in the volume, and what it is a view of
pub mod path; // a file's place in the volume
pub mod pod; // whose mount it is, and its token
pub(crate) mod sharing; // what a request may create, and so how its response may be shared
pub mod request; // one call to Vault: method, path, query, body
pub mod source; // one question to Vault
pub mod template; // a file from several sources

pub use address::Address;
pub use auth_mount::AuthMounts;
pub use certificate::{Alias, CertificateRequest, KeyAlgorithm, KeyForm, KeyPlace, KeyType, StoreForm};
pub use format::Format;
pub use lifetime::{LoginScope, Refreshes, ShareScope, VolumeWriter};
pub use object::{Absent, Directory, Encoding, Keys, Keystore, Object, Part, Placement, Template, View};
pub use path::MountPath;
pub use pod::{Pod, PodToken};
pub use request::{Body, Request, VaultPath};
pub(crate) use sharing::Creates;
pub use source::{
    EngineRequest, KvEngine, KvRead, S5Text, SecretText, Selector, SelectorPath, SelectorRoot, Source,
    SourceValue, Text, TransitCiphertext, TransitKey,
};
pub use template::Delimiters;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::class::attributes::{Attributes, CLASS, has_secrets};
use crate::class::diagnostics::Diagnostics;
use crate::class::parameters::{Parameters, Terms};
use crate::class::schema::{Objects, ParseContext, objects};
use crate::class::{Defaults, RememberedRequest, SpecError, SpecErrors, server, token};

/// One call of the driver, as it came over the socket.
pub struct MountCall<'a> {
    /// JSON: parameters, the pod, its tokens. Secret.
    pub attributes: &'a str,
    /// JSON of nodePublishSecretRef: `null`, `{}` or empty as a rule. Secret.
    pub secrets: &'a str,
    /// The volume's directory on the node.
    pub target_path: &'a str,
    /// JSON: the mode of files without one of their own, decimal; may be empty.
    pub permission: &'a str,
    /// Looks up what is remembered of the kubelet's own request for the same directory.
    pub published: &'a dyn Fn() -> Option<RememberedRequest>,
}

/// A SHA-256.
pub type Digest = [u8; 32];

/// One mount: whose it is, where its values are, and which files they fill.
#[derive(Debug)]
pub struct MountSpec {
    /// Whose mount it is, as the kubelet vouches for it.
    pub pod: Pod,
    /// Name of its SecretProviderClass; driver 1.5's rotation and the sync controller do not tell it.
    pub class: Option<String>,
    /// The server, and how to reach it.
    pub server: ServerSpec,
    /// How to log in.
    pub auth: AuthSpec,
    /// The pod's token of the wanted audience, when the request brought one; its claims agree with `pod`.
    pub token: Option<PodToken>,
    /// What to fetch, in the class's order; never empty, no two of one name.
    pub objects: Vec<Object>,
    /// The volume's directory on the node.
    pub target_path: String,
    /// Who writes the files.
    pub written_by: VolumeWriter,
    /// Who uses the login that this mount asks for.
    pub login: LoginScope,
    /// How old an answer of a read may be, and how long one of a write is kept that tells no end.
    pub refreshes: Refreshes,
    /// How long the last good content may stand in for what cannot be fetched.
    pub max_stale: Duration,
    /// Of the class's parameters as they came, with the pod's over them: tells volumes apart that share a path and a pod.
    /// Made without a key of passwords that a class may hold, so it is for memory and sealed records alone.
    pub parameters: Digest,
    /// The request, to be remembered: for requests that lack the pod's own parameters, and for looks that nobody asks for.
    pub published: RememberedRequest,
    /// What is odd but not wrong (unknown parameters and fields): for the log.
    pub warnings: Vec<String>,
}

impl MountSpec {
    /// Reads a call on a socket with `defaults`: everything that is wrong with the class, or else with the pod's token.
    pub fn parse(call: &MountCall<'_>, defaults: &Defaults) -> Result<Self, SpecErrors> {
        let mut attributes = Attributes::parse(call.attributes)?;
        let mut found = Diagnostics::default();
        let mode = call.mode(&mut found);
        let published = attributes.completed(call.published, &mut found).with(mode, defaults.flavor);
        let pod = attributes.pod(&mut found);
        let parameters = Parameters::new(&attributes, defaults);
        let server = server::server(&parameters, defaults, &mut found);
        let auth = server::auth(&parameters, defaults, &mut found);
        let access = parameters.access(mode, &mut found);
        let terms = parameters.terms(defaults, &mut found);
        let scene = ParseContext { pod: pod.as_ref(), share: terms.share };
        let with = Objects { access, scene, unknown: defaults.unknown_fields };
        let objects = objects(parameters.plain("objects").unwrap_or_default(), &with, &mut found);
        if terms.written_by == VolumeWriter::Driver && has_owners(&objects) {
            found.warnings.push(UNOWNED.into());
        }
        parameters.judge(defaults.unknown_fields, &mut found);
        let refreshes = Refreshes::new(terms.refresh, std::mem::take(&mut found.refreshes));
        let whole = || Some((pod?, server?, auth?));
        let ((pod, server, auth), warnings) = found.end(whole())?;
        let token = auth.passed(attributes.tokens(), &pod, defaults)?;
        let class = attributes.get(CLASS).map(str::to_owned);
        let (target_path, parameters) = (call.target_path.to_owned(), attributes.digest());
        let Terms { written_by, login, max_stale, .. } = terms;
        Ok(Self {
            pod,
            class,
            server,
            auth,
            token,
            objects,
            target_path,
            written_by,
            login,
            refreshes,
            max_stale,
            parameters,
            published,
            warnings,
        })
    }

    /// What the volume of `pod` at `target_path` was last asked to hold, without a token: for a look that nobody asks for.
    pub fn again(
        published: &RememberedRequest,
        pod: &Pod,
        target_path: &str,
        defaults: &Defaults,
    ) -> Result<Self, SpecErrors> {
        let (attributes, permission) = (published.attributes(pod), published.mode().to_string());
        let before = || Some(published.clone());
        let call = MountCall {
            attributes: &attributes,
            secrets: "",
            target_path,
            permission: &permission,
            published: &before,
        };
        Ok(Self { published: published.clone(), ..Self::parse(&call, defaults)? })
    }
}

/// The driver writes every file as root's: an owner that is asked for and not given would be found out only by its application.
const UNOWNED: &str = "owner and group have no effect where the driver writes the files: they are root's; `writer: provider` gives them";

fn has_owners(objects: &[Object]) -> bool {
    objects.iter().any(|object| object.owner.is_some() || object.group.is_some())
}

/// Mode of a file when neither object nor driver names one: readable by all, as the driver's own default.
const MODE: u32 = 0o644;

impl MountCall<'_> {
    /// Judges what stands beside the attributes, and gives the default mode of files.
    fn mode(&self, found: &mut Diagnostics) -> u32 {
        if self.target_path.is_empty() {
            found.problem(SpecError::Call { field: "target_path", fault: "is empty" });
        }
        if found.take(has_secrets(self.secrets)) == Some(true) {
            found.warnings.push("nodePublishSecretRef is given, and not used".into());
        }
        let mode = match self.permission {
            "" => Ok(None),
            json => serde_json::from_str::<Option<u32>>(json),
        };
        let fault = SpecError::Call { field: "permission", fault: "is not a number of 0 to 511" };
        let mode = found.take(mode.ok().filter(|mode| mode.unwrap_or_default() <= 0o777).ok_or(fault));
        mode.flatten().filter(|mode| *mode != 0).unwrap_or(MODE)
    }
}

impl AuthSpec {
    /// The one token that may be read, of the audience that the class names, else of the socket's.
    fn passed(
        &self,
        tokens: Option<&str>,
        pod: &Pod,
        defaults: &Defaults,
    ) -> Result<Option<PodToken>, SpecError> {
        let audience = self.audience.as_deref().unwrap_or(defaults.flavor.audience());
        let token = tokens.map(|tokens| token::choose(tokens, audience, pod, (defaults.clock)()));
        Ok(token.transpose()?.flatten())
    }
}

/// A server and how to reach it; equal ones share one pool of connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServerSpec {
    /// Where it is.
    pub address: Address,
    /// True when the address is the process's own (flag or environment), false when a class chose another.
    pub configured: bool,
    /// `X-Vault-Namespace` of every call, without slashes at its ends; `None` for the root.
    pub namespace: Option<String>,
    /// How its certificate is checked, and ours chosen.
    pub tls: TlsSpec,
}

/// TLS as asked for; files are read by the `vault` room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TlsSpec {
    /// One PEM file of CAs; of the three at most one is set.
    pub ca_file: Option<PathBuf>,
    /// A directory of PEM files of CAs.
    pub ca_directory: Option<PathBuf>,
    /// PEM text of CAs, from the environment (`VAULT_CACERT_BYTES`).
    pub ca_bytes: Option<String>,
    /// The name to ask for and to check instead of the address's host.
    pub server_name: Option<String>,
    /// Our certificate and key: both or neither.
    pub client: Option<ClientCertificate>,
    /// Accept any certificate.
    pub skip_verify: bool,
}

impl TlsSpec {
    /// Replaces the choice of CAs when any of the three is given: of several a file counts first, then text, then a
    /// directory, as in the peers' library.
    pub fn trust(&mut self, file: Option<PathBuf>, bytes: Option<String>, directory: Option<PathBuf>) {
        if file.is_none() && bytes.is_none() && directory.is_none() {
            return;
        }
        self.ca_directory = directory.filter(|_| file.is_none() && bytes.is_none());
        self.ca_bytes = bytes.filter(|_| file.is_none());
        self.ca_file = file;
    }
}

/// A client certificate and its key, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClientCertificate {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// True when the process's own flags or environment name it, false when a class does.
    pub configured: bool,
}

/// How to log in; kubernetes and jwt mounts take the same call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AuthSpec {
    /// The mount's name without `auth/` and without slashes at its ends.
    pub mount: String,
    /// The role.
    pub role: String,
    /// The token's audience when the class or a flag names one; `None` means the socket's default.
    pub audience: Option<String>,
}
