//! Why the server cannot start.

use super::Endpoint;
use super::NotReadyReason;

/// A setting or a directory that must be changed before this process can serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// No endpoint, or the same endpoint twice.
    #[error("--endpoint: {0}")]
    Endpoints(&'static str),
    /// A socket cannot be created, and waiting would not help. A path that another process uses is not such a failure: the server waits
    /// for it.
    #[error("socket {endpoint}: {reason}")]
    Socket {
        /// The endpoint of the socket.
        endpoint: Endpoint,
        /// Why the socket cannot be created.
        reason: NotReadyReason,
    },
}
