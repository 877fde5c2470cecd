//! The server of a mount, and how to connect to it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Address;

/// A server and how to connect to it. Equal values share one connection pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ServerSpec {
    /// The server's address.
    pub(crate) address: Address,
    /// True if the address is the process's own (flag or environment), false if a class chose another.
    pub(crate) configured: bool,
    /// `X-Vault-Namespace` of every request, without slashes at its ends; `None` for the root namespace.
    pub(crate) namespace: Option<String>,
    /// How the server's certificate is verified, and which client certificate is sent.
    pub(crate) tls: TlsSpec,
}

/// TLS as configured; the module `vault` reads the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct TlsSpec {
    /// One PEM file of CAs. At most one of the three choices of CAs is set.
    pub(crate) ca_file: Option<PathBuf>,
    /// A directory of PEM files of CAs.
    pub(crate) ca_directory: Option<PathBuf>,
    /// PEM text of CAs, from the environment (`VAULT_CACERT_BYTES`).
    pub(crate) ca_bytes: Option<String>,
    /// The server name to request and to verify instead of the address's host.
    pub(crate) server_name: Option<String>,
    /// Our certificate and its key.
    pub(crate) client: Option<ClientCertificate>,
    /// Accept any certificate.
    pub(crate) skip_verify: bool,
}

impl TlsSpec {
    /// Replaces the choice of CAs if any of the three is set. Of several, the file counts first, then the text, then the directory, as in
    /// the client library of the upstream providers.
    pub(crate) fn trust(&mut self, file: Option<PathBuf>, bytes: Option<String>, directory: Option<PathBuf>) {
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
pub(crate) struct ClientCertificate {
    /// The chain, leaf first.
    pub(crate) certificate: PathBuf,
    /// The private key.
    pub(crate) key: PathBuf,
    /// True if the process's own flags or environment name the files, false if a class does.
    pub(crate) configured: bool,
}
