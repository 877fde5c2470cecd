//! What a request may create at the server, which decides how its response may be shared. Every match is exhaustive: a new engine does not
//! compile before it is decided here.

use super::{EngineRequest, Request};

/// What a request may create at the server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Creates<'a> {
    /// Nothing: the same login may share the response.
    Nothing,
    /// A certificate, which expires by itself and needs no token afterwards.
    Certificate,
    /// Unknown before the first response: a lease, something that expires by itself, or nothing.
    Unknown(&'a Request),
}

impl EngineRequest {
    /// What the request may create at the server.
    pub(crate) fn creates(&self) -> Creates<'_> {
        match self {
            Self::Request(request) => Creates::Unknown(request),
            Self::Certificate(_) => Creates::Certificate,
            Self::Kv(_) | Self::Authorities { .. } | Self::Transit(_) | Self::S5(_) => Creates::Nothing,
        }
    }

    /// Whether the request may create something, so that `shareScope` says whose it is.
    pub(crate) fn may_create(&self) -> bool {
        match self.creates() {
            Creates::Unknown(_) | Creates::Certificate => true,
            Creates::Nothing => false,
        }
    }
}
