//! Where a socket stands.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

/// A unix socket that the driver finds: `<provider>.sock` in its providers' directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint(PathBuf);

/// A text that names no socket which a driver would find.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "--endpoint {0:?}: give the path of a socket named <provider>.sock, at most 30 letters, digits, - and _ (unix:///provider/vault.sock)"
)]
pub struct EndpointError(String);

impl Endpoint {
    /// The path of the socket.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Takes `unix:///p`, `unix:/p` and `/p`; the rule for the name is the driver's.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let path = text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")).unwrap_or(text);
        let name = Path::new(path).file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".sock"));
        let fits = |name: &str| name.len() <= 30 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        match name {
            Some(name) if !name.is_empty() && fits(name) => Ok(Self(path.into())),
            _ => Err(EndpointError(text.to_owned())),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_spellings_name_one_socket() {
        for text in ["unix:///provider/vault.sock", "unix:/provider/vault.sock", "/provider/vault.sock"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().path(), Path::new("/provider/vault.sock"));
        }
    }

    #[test]
    fn a_name_that_no_driver_would_look_for_is_refused() {
        for text in
            ["", "/provider/", "/provider/vault", "/provider/.sock", "/provider/va ult.sock", &format!("/p/{}.sock", "a".repeat(31))]
        {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
