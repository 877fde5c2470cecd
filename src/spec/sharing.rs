//! Who uses a login, who uses an issued credential, and who writes the files.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Who uses one login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum LoginScope {
    /// Every volume of the service account on this node, if the server's response to the login names that account.
    #[default]
    Shared,
    /// The volumes of one pod.
    Pod,
    /// One mount, which revokes the token at its end.
    Transient,
}

/// Who uses what a request makes Vault issue: a certificate, a leased credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum ShareScope {
    /// One pod.
    #[default]
    Pod,
    /// All pods of the service account on this node.
    ServiceAccount,
}

/// `refresh` of a class without its own where the driver writes the files. Set by `--refresh`.
const DRIVER_REFRESH: Duration = Duration::from_secs(30);

/// `refresh` of a class without its own where vaultmount writes the files. Set by `--refresh`.
const PROVIDER_REFRESH: Duration = Duration::from_secs(60);

/// Who writes the files into the volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum VolumeWriter {
    /// The driver writes the files of our response. All files belong to root, and change only when the driver calls.
    #[default]
    Driver,
    /// vaultmount writes the files itself, with owners, and polls Vault itself.
    Provider,
}

impl VolumeWriter {
    /// The maximum age of a response if the class does not set `refresh`.
    pub(crate) fn refresh(self) -> Duration {
        match self {
            Self::Driver => DRIVER_REFRESH,
            Self::Provider => PROVIDER_REFRESH,
        }
    }
}
