//! The whole of what a mount is asked to do.

use std::path::PathBuf;

use super::{Address, Object, Pod, PodToken};

/// One mount: whose it is, where its values are, and which files they fill.
#[derive(Debug)]
pub struct MountSpec {
    /// Whose mount it is, as the kubelet vouches for it.
    pub pod: Pod,
    /// The server, and how to reach it.
    pub server: ServerSpec,
    /// How to log in.
    pub auth: AuthSpec,
    /// The pod's token of the wanted audience, when the request brought one; its claims agree with `pod`.
    pub token: Option<PodToken>,
    /// What to fetch, in the class's order; never empty, no two of one name.
    pub objects: Vec<Object>,
    /// What is odd but not wrong (unknown parameters and fields): for the log.
    pub warnings: Vec<String>,
}

/// A server and how to reach it; equal ones share one pool of connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsSpec {
    /// One PEM file of CAs; beats `ca_directory`.
    pub ca_file: Option<PathBuf>,
    /// A directory of PEM files of CAs.
    pub ca_directory: Option<PathBuf>,
    /// PEM text of CAs, from the environment (`VAULT_CACERT_BYTES`); beats both files.
    pub ca_bytes: Option<String>,
    /// The name to ask for and to check instead of the address's host.
    pub server_name: Option<String>,
    /// Our certificate and key: both or neither.
    pub client: Option<ClientCertificate>,
    /// Accept any certificate.
    pub skip_verify: bool,
}

/// A client certificate and its key, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientCertificate {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// True when the process's own flags or environment name it, false when a class does.
    pub configured: bool,
}

/// How to log in; kubernetes and jwt mounts take the same call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthSpec {
    /// The mount's name without `auth/` and without slashes at its ends.
    pub mount: String,
    /// The role.
    pub role: String,
    /// The token's audience when the class or a flag names one; `None` means the socket's default.
    pub audience: Option<String>,
}
