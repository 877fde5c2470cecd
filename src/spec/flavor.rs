//! Which upstream provider the classes of a socket are written for.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// The upstream provider whose names come first: those of parameters, of variables and of the audience.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Flavor {
    /// HashiCorp's: every socket that is not named `openbao.sock`.
    #[default]
    #[serde(rename = "Vault")]
    Vault,
    /// OpenBao's: `openbao.sock`.
    #[serde(rename = "OpenBao")]
    OpenBao,
}

impl Flavor {
    /// The flavor of the classes that are mounted over the socket at `path`.
    pub(crate) fn of_socket(path: &Path) -> Self {
        if path.file_name().is_some_and(|name| name == "openbao.sock") { Self::OpenBao } else { Self::Vault }
    }

    /// The prefixes of parameters. If a parameter is present under several prefixes, the first prefix counts.
    pub(crate) fn prefixes(self) -> [&'static str; 3] {
        match self {
            Self::Vault => ["vault", "bao", "openbao"],
            Self::OpenBao => ["bao", "openbao", "vault"],
        }
    }

    /// The audience of the token that logs in if the class names none.
    pub(crate) fn audience(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::OpenBao => "openbao",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flavor_follows_the_name_of_the_socket() {
        assert_eq!(Flavor::of_socket(Path::new("/provider/openbao.sock")), Flavor::OpenBao);
        assert_eq!(Flavor::of_socket(Path::new("/provider/vaultmount.sock")), Flavor::Vault);
    }
}
