//! Why a source has no response, and why a file has no content.

use thiserror::Error;

use crate::certificate::CertificateError;
use crate::error::Reason;
use crate::render::RenderError;
use crate::vault::VaultError;

/// Why a source has no response. Holds no secret.
#[derive(Debug, Error)]
pub(crate) enum EngineError {
    /// The call failed, or its response does not match the request.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The certificate does not match the request.
    #[error("the certificate of {role}: {error}")]
    Certificate {
        /// The mount and role, or the path, of the request.
        role: String,
        /// What is wrong with it.
        error: CertificateError,
    },
    /// The response has no such value, or its value cannot be decoded.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Another source, from which this one is made, has no response; or an error that is not Vault's.
    #[error("{}", .0.what)]
    Origin(FetchError),
}

impl EngineError {
    /// The stable cause.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Vault(error) => error.reason(),
            Self::Certificate { error, .. } => error.reason(),
            Self::Render(error) => error.reason(),
            Self::Origin(error) => error.reason,
        }
    }

    /// Whether its text also says what to do.
    fn has_remedy(&self) -> bool {
        match self {
            Self::Vault(error) => error.has_remedy(),
            Self::Render(error) => error.has_remedy(),
            Self::Origin(error) => error.has_remedy,
            Self::Certificate { .. } => false,
        }
    }
}

/// Why a source or a file has no content. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FetchError {
    /// The stable cause.
    pub(crate) reason: Reason,
    /// The text for the user: what failed, and where.
    pub(crate) what: String,
    /// The text also says what to do. Then the general advice of the reason does not follow it.
    pub(crate) has_remedy: bool,
}

impl FetchError {
    /// An error that the general advice of its reason follows.
    pub(crate) fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into(), has_remedy: false }
    }
}

impl From<RenderError> for FetchError {
    fn from(error: RenderError) -> Self {
        Self { reason: error.reason(), what: error.to_string(), has_remedy: error.has_remedy() }
    }
}

impl From<&EngineError> for FetchError {
    fn from(error: &EngineError) -> Self {
        Self { reason: error.reason(), what: error.to_string(), has_remedy: error.has_remedy() }
    }
}

impl From<VaultError> for FetchError {
    fn from(error: VaultError) -> Self {
        Self { reason: error.reason(), what: error.to_string(), has_remedy: error.has_remedy() }
    }
}
