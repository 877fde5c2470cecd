//! The address of a server.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// The address of a server: `http://`, `https://`, or a unix socket (`unix://`), such as that of Vault Agent.
///
/// Contains no user information, query or fragment. It may contain a path, which comes before `/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Address {
    /// A TCP address; the scheme decides whether TLS is used.
    Http(Url),
    /// A unix socket, without TLS.
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

/// Why a text is not an address. The message never repeats the text, which may contain a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    #[error("an address begins with http://, https:// or unix://")]
    Scheme,
    #[error("the address is not a URL with a host")]
    Url,
    #[error("an address must not contain a user or a password: log in with a role")]
    User,
    #[error("an address must not contain ? or #")]
    Query,
    #[error("unix:// must be followed by an absolute path, as in unix:///run/agent.sock")]
    Socket,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.contains(|character: char| character.is_control() || character.is_whitespace()) {
            return Err(AddressError::Url); // the URL parser would remove them
        }
        if let Some(path) = text.strip_prefix("unix://") {
            let absolute = path.len() > 1 && path.starts_with('/');
            return if absolute { Ok(Self::Unix(path.into())) } else { Err(AddressError::Socket) };
        }
        let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
        if !lower.starts_with("http://") && !lower.starts_with("https://") {
            return Err(AddressError::Scheme);
        }
        let url = Url::parse(text).map_err(|_| AddressError::Url)?;
        match url {
            _ if !url.username().is_empty() || url.password().is_some() => Err(AddressError::User),
            _ if url.query().is_some() || url.fragment().is_some() => Err(AddressError::Query),
            _ if !url.has_host() => Err(AddressError::Url),
            _ => Ok(Self::Http(url)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host_and_no_password() {
        let cases = [
            ("https://vault:8200", Ok("https://vault:8200")),
            ("https://vault:8200/", Ok("https://vault:8200")),
            ("HTTP://Vault/prefix/", Ok("http://vault/prefix")),
            ("http://[::1]:8200", Ok("http://[::1]:8200")),
            ("unix:///run/agent.sock", Ok("unix:///run/agent.sock")),
            ("unix://run/agent.sock", Err(AddressError::Socket)),
            ("unix://", Err(AddressError::Socket)),
            ("", Err(AddressError::Scheme)),
            ("vault:8200", Err(AddressError::Scheme)),
            ("ftp://vault", Err(AddressError::Scheme)),
            ("https://", Err(AddressError::Url)),
            ("https://va ult", Err(AddressError::Url)),
            ("https://vault\n", Err(AddressError::Url)),
            ("https://vault:99999", Err(AddressError::Url)),
            ("https://root:canary@vault", Err(AddressError::User)),
            ("https://root@vault", Err(AddressError::User)),
            ("https://vault?x=1", Err(AddressError::Query)),
            ("https://vault#x", Err(AddressError::Query)),
        ];
        for (text, expected) in cases {
            assert_eq!(
                text.parse::<Address>().map(|address| address.to_string()),
                expected.map(str::to_owned),
                "{text:?}"
            );
        }
    }
}
