//! Where drivers find us.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use super::ServerError;

/// Longest path that fits a unix socket's address (108 bytes with its end), less what a name gains while it is made.
const PATH_BYTES: usize = 107 - crate::server::socket::ASIDE_BYTES;
/// Longest provider name that the driver takes.
const NAME_BYTES: usize = 30;

/// The absolute path of a socket `<provider>.sock`, whose name the driver takes (`^[a-zA-Z0-9_-]{0,30}\.sock$`; an
/// empty provider is none). Written `/dir/name.sock`, `unix:/dir/name.sock` or `unix:///dir/name.sock`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint(PathBuf);

impl Endpoint {
    /// The socket's place.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The provider's name in a SecretProviderClass: `vault` for `vault.sock`.
    pub fn provider(&self) -> &str {
        self.0.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
    }

    /// The socket of the same name in another directory.
    pub(crate) fn path_in(&self, directory: &Path) -> PathBuf {
        directory.join(format!("{}.sock", self.provider()))
    }
}

impl FromStr for Endpoint {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        let refused = |why| ServerError::Endpoint { text: text.into(), why };
        let path = text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")).unwrap_or(text);
        let clean = path.starts_with('/')
            && Path::new(path).components().all(|part| !matches!(part, Component::ParentDir));
        if !clean {
            return Err(refused("give an absolute path of a unix socket, without `..`"));
        }
        let name = path.rsplit('/').next().and_then(|name| name.strip_suffix(".sock")).unwrap_or_default();
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(known) {
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
    fn the_forms_of_both_peers_and_of_the_driver_name_one_socket() {
        for text in ["/provider/vault.sock", "unix:/provider/vault.sock", "unix:///provider/vault.sock"] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!((endpoint.path(), endpoint.provider()), (Path::new("/provider/vault.sock"), "vault"));
        }
    }

    #[test]
    fn what_no_driver_would_find_is_refused() {
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
