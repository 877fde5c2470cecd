//! Errors of calls to Vault. They hold no secret, no body, no query and no header.

use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use thiserror::Error;

use crate::error::Reason;
use crate::limits::QuotaExceeded;
use crate::vault::known_errors::{INVALID_LEASE, INVALID_TOKEN};

/// Why a call to Vault has no usable response. `doing` says what the call does: `read secret/data/team-a/db`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum VaultError {
    /// The class names a server that tokens may not be sent to.
    #[error("{0}")]
    AddressRefused(String),
    /// A login that may be the node's instead of the pod's.
    #[error("{doing}: {why}")]
    AuthMountRefused {
        /// What the call does.
        doing: String,
        /// Why it may be the node's.
        why: &'static str,
    },
    /// A certificate file of a class cannot be used. One text for every cause, which must not reveal which files exist on the node.
    #[error(
        "the CA or client certificate that the class names cannot be used: each must be a PEM file that --tls-dir allows"
    )]
    ClassFile,
    /// There is no service account token to log in with.
    #[error(
        "{doing}: no service account token available: the last one expired, or none came since the start; enable requiresRepublish on the CSIDriver, or set --token-requests=auto"
    )]
    NoToken {
        /// What the call does.
        doing: String,
    },
    /// A file of the TLS setting cannot be used.
    #[error("{what} {path}: {why}", path = path.display())]
    TlsFile {
        /// The setting that names the file.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with the file.
        why: String,
    },
    /// The TLS setting as a whole cannot be used.
    #[error("TLS setting: {0}")]
    TlsSetting(String),
    /// The TLS handshake failed.
    #[error("{doing}: TLS handshake failed: {why}")]
    Handshake {
        /// What the call does.
        doing: String,
        /// What is wrong. It may hold the expected name, and no secrets.
        why: String,
    },
    /// There is no connection, or it broke before the response was complete.
    #[error("{doing}: {why}")]
    Unreachable {
        /// What the call does.
        doing: String,
        /// What happened.
        why: &'static str,
    },
    /// The server redirects to another path, or to a server that tokens may not be sent to.
    #[error(
        "{doing}: the server redirects to {to}: vaultmount follows only to the same path of a server that --allow-address lists"
    )]
    Redirect {
        /// What the call does.
        doing: String,
        /// The origin of the target.
        to: String,
    },
    /// The server responded with an error status.
    #[error("{doing}: {}{}{}", .status.as_u16(), in_parentheses(*.text), after_semicolon(.hint.as_ref()))]
    Answered {
        /// What the call does.
        doing: String,
        /// The HTTP status.
        status: StatusCode,
        /// The stable reason, from the kind of the call, the status and the body.
        reason: Reason,
        /// The server's own text, if it is one that may be shown.
        text: Option<&'static str>,
        /// What the class or the server needs, if the response shows it.
        hint: Option<Hint>,
    },
    /// A success status with a body that does not match the API.
    #[error("{doing}: the response cannot be used: {why}")]
    Malformed {
        /// What the call does.
        doing: String,
        /// What is wrong with the response.
        why: &'static str,
    },
    /// The response, or all responses of the mount, exceed a limit.
    #[error("{doing}: {limit}")]
    TooLarge {
        /// What the call does.
        doing: String,
        /// The limit, in words.
        limit: &'static str,
    },
    /// The responses of all running mounts together are too large.
    #[error("{doing}: {}", QuotaExceeded::Node)]
    OutOfMemory {
        /// What the call does.
        doing: String,
    },
    /// Too many concurrent calls to one server.
    #[error("{doing}: timed out waiting for other calls to the same server; the kubelet will retry")]
    Crowded {
        /// What the call does.
        doing: String,
    },
    /// Our code panicked in a call.
    #[error("{doing}: the call panicked")]
    Panicked {
        /// What the call does.
        doing: String,
    },
    /// The mount's deadline passed.
    #[error("{doing}: the mount timed out; the kubelet will retry")]
    OutOfTime {
        /// What the call does.
        doing: String,
    },
}

impl VaultError {
    /// The error of an exceeded memory limit in the call `doing`.
    pub(crate) fn of_quota(error: QuotaExceeded, doing: &str) -> Self {
        let doing = doing.to_owned();
        match error {
            QuotaExceeded::Node => Self::OutOfMemory { doing },
            QuotaExceeded::Mount => Self::TooLarge {
                doing,
                limit: "the responses and texts of this mount are larger than 20 MiB together",
            },
        }
    }

    /// Whether the server says that a lease does not exist.
    pub(crate) fn is_invalid_lease(&self) -> bool {
        matches!(self, Self::Answered { text: Some(text), .. } if *text == INVALID_LEASE)
    }

    /// Whether the server says that the token does not exist, and not that its policy lacks something.
    pub(crate) fn is_invalid_token(&self) -> bool {
        matches!(self, Self::Answered { text: Some(text), .. } if *text == INVALID_TOKEN)
    }

    /// The same error for another call: a server that is down fails all calls.
    pub(crate) fn of_call(mut self, call: &str) -> Self {
        if let Self::Unreachable { doing, .. } | Self::Answered { doing, .. } = &mut self {
            call.clone_into(doing);
        }
        self
    }

    /// The same error with the hint that `make` creates, if it has none and the server's text is one for which `fits` is true.
    pub(crate) fn with_hint(mut self, fits: fn(Option<&str>) -> bool, make: impl FnOnce() -> Hint) -> Self {
        if let Self::Answered { text, hint: hint @ None, .. } = &mut self
            && fits(*text)
        {
            *hint = Some(make());
        }
        self
    }

    /// Whether its text also says what to do.
    pub(crate) fn has_remedy(&self) -> bool {
        match self {
            Self::Answered { hint: Some(hint), .. } => hint.is_remedy(),
            Self::NoToken { .. } => true,
            _ => false,
        }
    }

    /// The stable reason.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::AddressRefused(_) => Reason::AddressRefused,
            Self::AuthMountRefused { .. } => Reason::AuthMountRefused,
            Self::NoToken { .. } => Reason::TokenMissing,
            Self::ClassFile | Self::TlsFile { .. } | Self::TlsSetting(_) | Self::Handshake { .. } => {
                Reason::Tls
            }
            Self::Unreachable { .. } => Reason::Unreachable,
            Self::Redirect { .. } => Reason::Redirect,
            Self::Answered { reason, .. } => *reason,
            Self::Malformed { .. } => Reason::Malformed,
            Self::TooLarge { .. } => Reason::PayloadTooLarge,
            Self::OutOfMemory { .. } | Self::Crowded { .. } => Reason::Overload,
            Self::Panicked { .. } => Reason::Bug,
            Self::OutOfTime { .. } => Reason::Deadline,
        }
    }
}

fn in_parentheses(text: Option<&'static str>) -> String {
    text.map_or_else(String::new, |text| format!(" ({text})"))
}

fn refused_name(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!("{name:?} is refused: "))
}

fn after_semicolon(hint: Option<&Hint>) -> String {
    hint.map_or_else(String::new, |hint| format!("; {hint}"))
}

/// What the class or the server needs, for an error whose cause is known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Hint {
    /// The mount is KV v2; with the right path.
    #[error("the mount is KV v2: use {0}")]
    Versioned(String),
    /// The mount is KV v1; with the right path.
    #[error("the mount is KV v1: use {0}")]
    Unversioned(String),
    /// The version of the secret has no data; whether it is destroyed.
    #[error("version {0} of the secret is {destroyed}", destroyed = if *.1 { "destroyed: write a new version, or set another `version`" } else { "deleted: undelete it, write a new version, or set another `version`" })]
    Gone(u64, bool),
    /// The secret does not have the version that the class names.
    #[error("the class asks for version {0} of the secret")]
    OfVersion(u32),
    /// The path of a KV v2 source begins with `data/`; with the path without it.
    #[error("kv.path begins with data/, which vaultmount adds itself: if the secret is {0}, write that")]
    DataInPath(String),
    /// `engineVersion` is wrong; with the right version.
    #[error("the mount is KV v{0}: set engineVersion: {0}")]
    Engine(u8),
    /// The auth mount has no such role; the mount, and the role.
    #[error("auth mount {0:?} has no role {1:?}: create the role there, or correct roleName")]
    NoRole(String, String),
    /// The server has no such namespace.
    #[error("the server has no namespace {0:?}: create it, or correct the name in the class")]
    NoNamespace(String),
    /// No policy of the token's role allows the path; with the capability that the method needs.
    #[error("add path {0:?} {{ capabilities = [{1:?}] }} to a policy of the role")]
    NotAllowed(String, &'static str),
    /// The engine refuses something in the request; its name, if the class sent it, and what to change.
    #[error("{}{}", refused_name(.0.as_deref()), .1)]
    Refused(Option<String>, &'static str),
}

impl Hint {
    /// Whether it says what to do.
    fn is_remedy(&self) -> bool {
        !matches!(self, Self::OfVersion(_))
    }
}

/// The status of a response, and what headers and body say about it whatever the call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: StatusCode,
    /// The header `Retry-After`.
    pub(crate) retry_after: Option<Duration>,
    /// The body says that nothing was executed because the server is sealed, standby or electing a leader.
    pub(crate) not_serving: bool,
    /// The body says that nothing was executed because of a state that ends by itself.
    pub(crate) passing: bool,
}
