//! Why the process does not start.

use std::io;

use crate::spec::address::AddressError;
use crate::spec::auth_mount::InvalidAuthMount;

/// Why the process does not start. The message names the flag or variable, but not its value, which may contain a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("{source_name}: {source}")]
    Address { source_name: String, source: AddressError },
    #[error("{0}: must be a duration such as 60s or 1m")]
    Duration(String),
    #[error("{0}: must be true or false")]
    Bool(String),
    #[error("{present} needs {missing} too: a client certificate needs its key")]
    HalfCertificate { present: String, missing: String },
    #[error("{0} is not the URL of a proxy (http, https or socks5)")]
    Proxy(String),
    #[error("{name} is refused: {reason}")]
    Refused { name: String, reason: &'static str },
    #[error("{present} needs {missing} too")]
    Needs { present: &'static str, missing: &'static str },
    #[error("--vault-mount or --allow-auth-mount {text:?}: the name {source}")]
    AuthMount { text: String, source: InvalidAuthMount },
    #[error("--health-addr {text}: must be host:port, or :port for all addresses")]
    Health { text: String, source: io::Error },
}
