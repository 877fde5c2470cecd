//! Where a server is.

use std::fmt;
use std::path::PathBuf;

use url::Url;

/// The address of a server: `http://`, `https://`, or a unix socket (`unix://`), as an agent listens on.
///
/// Never holds user information, a query or a fragment; a path in front of `/v1` is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// Over TCP; the scheme says whether with TLS.
    Http(Url),
    /// Over a unix socket, in plain text.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => f.write_str(url.as_str().trim_end_matches('/')),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}
