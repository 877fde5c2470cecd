//! What a request may create at the server, as far as its form shows. Every match is exhaustive: a new engine does not compile before it is decided
//! here. What a request of any path does is decided by `vault/effect.rs`, by the path that is sent.

use std::borrow::Cow;

use http::Method;

use super::EngineRequest;

/// What a request may create at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Creates {
    /// Nothing: the same login may share the response.
    Nothing,
    /// A certificate, which expires by itself and needs no token afterwards.
    Certificate,
    /// Unknown before the first response: a lease, something that expires by itself, or nothing.
    Unknown,
}

impl EngineRequest {
    /// What the request may create at the server.
    pub(crate) fn creates(&self) -> Creates {
        match self {
            Self::Request(_) => Creates::Unknown,
            Self::Certificate(_) => Creates::Certificate,
            Self::Kv(_) | Self::Authorities { .. } | Self::Transit(_) | Self::S5(_) => Creates::Nothing,
        }
    }

    /// Whether the request may create something, so that `shareScope` says whose it is.
    pub(crate) fn may_create(&self) -> bool {
        match self.creates() {
            Creates::Unknown | Creates::Certificate => true,
            Creates::Nothing => false,
        }
    }

    /// The method, and the path that is sent; for certificates and ciphertexts the mount, below which the path stays whatever the class says.
    pub(crate) fn sent(&self) -> (&Method, Cow<'_, str>) {
        match self {
            Self::Request(request) => (&request.method, request.path.as_str().into()),
            Self::Kv(read) => (&Method::GET, read.sent_path().to_string().into()),
            Self::Authorities { mount } => (&Method::GET, mount.into()),
            Self::Certificate(request) => (&Method::PUT, (&request.mount).into()),
            Self::Transit(ciphertext) => (&Method::PUT, (&ciphertext.key.mount).into()),
            Self::S5(text) => (&Method::PUT, (&text.key.mount).into()),
        }
    }
}
