//! The login of a mount.

use serde::{Deserialize, Serialize};

/// How to log in. Auth mounts of type kubernetes and of type jwt take the same request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct AuthSpec {
    /// The mount's name without `auth/` and without slashes at its ends.
    pub(crate) mount: String,
    /// The role.
    pub(crate) role: String,
    /// The token's audience if the class or a flag names one; `None` means the default of the socket.
    pub(crate) audience: Option<String>,
}
