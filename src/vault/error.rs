//! What went wrong between us and a server. Holds no value, no body, no query and no header.

use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use thiserror::Error;

use crate::error::Reason;

/// Why a server gave no answer that can be used. `doing` is what was tried: `read secret/data/team-a/db`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VaultError {
    /// The class names a place where tokens may not be sent.
    #[error("{0}")]
    AddressRefused(String),
    /// A login, or a call that is one, with an identity that is not the pod's.
    #[error("{doing}: {why}")]
    AuthMountRefused {
        /// What was tried.
        doing: String,
        /// Whose identity it would be.
        why: &'static str,
    },
    /// A certificate file of a class cannot be used. One text for every cause: it must not tell which files exist on the node.
    #[error(
        "the CA or client certificate that the class names cannot be used: each must be a PEM file that --tls-dir allows"
    )]
    ClassFile,
    /// Nobody brought a token to log in with.
    #[error(
        "{doing}: no pod's token is at hand: none was brought since the last one ended, or since the start"
    )]
    NoToken {
        /// What was tried.
        doing: String,
    },
    /// A file of the TLS setting cannot be used.
    #[error("{what} {path}: {why}", path = path.display())]
    TlsFile {
        /// Which setting names it.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The TLS setting as a whole cannot be used.
    #[error("TLS setting: {0}")]
    TlsSetting(String),
    /// The handshake failed.
    #[error("{doing}: TLS handshake failed: {why}")]
    Handshake {
        /// What was tried.
        doing: String,
        /// What rustls says; holds names and no secrets.
        why: String,
    },
    /// No connection, or it broke before the answer was whole.
    #[error("{doing}: {why}")]
    Unreachable {
        /// What was tried.
        doing: String,
        /// What happened, in words of ours.
        why: &'static str,
    },
    /// The server sends us where tokens may not go.
    #[error("{doing}: the server redirects to {to}, which is not allowed")]
    Redirect {
        /// What was tried.
        doing: String,
        /// The origin it names.
        to: String,
    },
    /// A status that is no success.
    #[error("{doing}: {}{}{}", .status.as_u16(), said(*.words), hinted(.hint.as_ref()))]
    Answered {
        /// What was tried.
        doing: String,
        /// The HTTP status.
        status: StatusCode,
        /// The stable cause that call and status make together.
        reason: Reason,
        /// The server's own words, when they are among those that may be shown.
        words: Option<&'static str>,
        /// What the call should have been.
        hint: Option<Hint>,
    },
    /// A success whose body is not what the API promises.
    #[error("{doing}: the answer cannot be used: {why}")]
    Malformed {
        /// What was tried.
        doing: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A body over the limit.
    #[error("{doing}: {limit}")]
    TooLarge {
        /// What was tried.
        doing: String,
        /// Which limit, and its size.
        limit: &'static str,
    },
    /// The answers of all mounts together are too large.
    #[error("{doing}: the answers of other mounts take the memory that there is")]
    OutOfMemory {
        /// What was tried.
        doing: String,
    },
    /// Too many calls to one server are on their way.
    #[error("{doing}: other calls to the same server took the time of the mount")]
    Crowded {
        /// What was tried.
        doing: String,
    },
    /// A call ended in a panic of ours.
    #[error("{doing}: a call ended in a panic")]
    Panicked {
        /// What was tried.
        doing: String,
    },
    /// The mount's time ended first.
    #[error("{doing}: the mount's time ran out")]
    OutOfTime {
        /// What was tried.
        doing: String,
    },
}

impl VaultError {
    /// The same of another call: what keeps one from the server keeps all.
    pub(crate) fn of(mut self, call: &str) -> Self {
        if let Self::Unreachable { doing, .. } | Self::Answered { doing, .. } = &mut self {
            call.clone_into(doing);
        }
        self
    }

    /// The stable cause.
    pub fn reason(&self) -> Reason {
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

fn said(words: Option<&'static str>) -> String {
    words.map_or_else(String::new, |words| format!(" ({words})"))
}

fn hinted(hint: Option<&Hint>) -> String {
    hint.map_or_else(String::new, |hint| format!("; {hint}"))
}

/// Of which version a KV mount is, when it was taken for the other.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Hint {
    /// Version 2; the path should have been this.
    #[error("the mount is KV v2: use {0}")]
    Versioned(String),
    /// Version 1; the path should have been this.
    #[error("the mount is KV v1: use {0}")]
    Unversioned(String),
    /// The other one than `engineVersion` says; it should have been this.
    #[error("the mount is KV v{0}: set engineVersion: {0}")]
    Engine(u8),
}

/// What a reply's headers and status say, before anybody knows what the call was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    /// The body says that nothing was done because the server is sealed, in standby or electing.
    pub(crate) not_serving: bool,
    /// The body says that nothing was done because something is under way that ends by itself.
    pub(crate) passing: bool,
}
