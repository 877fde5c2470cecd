//! Why the server cannot begin.

use super::Endpoint;
use super::NotReadyReason;

/// A setting or a directory that has to change before this process can serve.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A text that names no socket which a driver would find.
    #[error("{text:?} is no socket of a driver: {why}")]
    Endpoint {
        /// As written.
        text: String,
        /// What is wrong with it, and what to write.
        why: &'static str,
    },
    /// No endpoint at all, or one twice.
    #[error("--endpoint: {0}")]
    Endpoints(&'static str),
    /// A socket cannot be made, now or later. A name that somebody else has is no such failure: the server waits for it.
    #[error("socket {endpoint}: {obstacle}")]
    Socket {
        /// Which one.
        endpoint: Endpoint,
        /// What is in the way.
        obstacle: NotReadyReason,
    },
}
