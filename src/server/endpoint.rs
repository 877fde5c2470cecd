//! The path of a socket at which drivers find this provider.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use crate::server::socket::TEMPORARY_NAME_BYTES;

/// Longest path of an endpoint: a unix socket's address has 108 bytes with the final NUL, and the temporary name of a socket is longer
/// than its final name.
const PATH_BYTES: usize = 107 - TEMPORARY_NAME_BYTES;
/// Longest provider name that the driver accepts.
const NAME_BYTES: usize = 30;

/// The absolute path of a socket `<provider>.sock`, whose name the driver accepts (`^[a-zA-Z0-9_-]{0,30}\.sock$`; an
/// empty provider name is refused here). Written `/dir/name.sock`, `unix:/dir/name.sock` or `unix:///dir/name.sock`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint(PathBuf);

/// A text that is not the path of a socket which a driver would find.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the socket of a provider: {why}")]
pub(crate) struct EndpointError {
    text: String,
    /// What is wrong with the text, and what to write instead.
    why: &'static str,
}

impl Endpoint {
    /// The socket's path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The provider's name in a SecretProviderClass: `vault` for `vault.sock`.
    pub(crate) fn provider(&self) -> &str {
        self.0.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
    }

    /// The socket of the same name in another directory.
    pub(crate) fn path_in(&self, directory: &Path) -> PathBuf {
        directory.join(format!("{}.sock", self.provider()))
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let refused = |why| EndpointError { text: text.into(), why };
        let path = text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")).unwrap_or(text);
        let is_absolute = path.starts_with('/')
            && Path::new(path).components().all(|part| !matches!(part, Component::ParentDir));
        if !is_absolute {
            return Err(refused("write the absolute path of a unix socket, without `..`"));
        }
        let name = path.rsplit('/').next().and_then(|name| name.strip_suffix(".sock")).unwrap_or_default();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(is_allowed) {
            return Err(refused(
                "the driver finds only names of 1 to 30 letters, digits, `_` or `-` that end in `.sock`",
            ));
        }
        if path.len() > PATH_BYTES {
            return Err(refused("the path is too long for a unix socket"));
        }
        Ok(Self(path.into()))
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
    fn the_forms_of_both_upstream_providers_and_of_the_driver_mean_the_same_socket() {
        for text in ["/provider/vault.sock", "unix:/provider/vault.sock", "unix:///provider/vault.sock"] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!((endpoint.path(), endpoint.provider()), (Path::new("/provider/vault.sock"), "vault"));
        }
    }

    #[test]
    fn a_path_at_which_no_driver_looks_is_refused() {
        let long = format!("/provider/{}.sock", "a".repeat(31));
        let deep = format!("/{}/vault.sock", "d".repeat(90));
        let bad = [
            "vault.sock",
            "unix://vault.sock",
            "/provider/.sock",
            "/provider/va ult.sock",
            "/provider/vault",
            "/a/../vault.sock",
            "tcp://h:1",
            &long,
            &deep,
        ];
        for text in bad {
            let refusal = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(refusal.contains(text), "{refusal}");
        }
    }
}
