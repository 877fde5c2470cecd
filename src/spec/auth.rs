//! The login of a mount.

use serde::{Deserialize, Serialize};

/// How to log in. Auth mounts of type kubernetes and of type jwt take the same request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AuthSpec {
    /// The mount's name without `auth/` and without slashes at its ends.
    pub mount: String,
    /// The role.
    pub role: String,
    /// The token's audience if the class or a flag names one; `None` means the default of the socket.
    pub audience: Option<String>,
}
