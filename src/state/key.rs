//! The key that seals records.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use ring::aead::{CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use thiserror::Error;

use crate::secret::Secret;
use crate::state::seal::Seal;

/// Shortest key material, in bytes: the size of the cipher's key.
const SHORTEST: usize = 32;
/// Fewest different bytes in key material. 32 random bytes have more, also in hex and base64. Zeros or a repeated word have fewer.
const FEWEST_DIFFERENT: usize = 8;

/// A mounted secret that all nodes share. Each node derives its own key from the secret and the node's name.
#[derive(Debug)]
pub(crate) struct StateKey {
    material: Secret,
    /// The purpose of the derived key, so that one file may serve two purposes.
    label: &'static str,
}

/// Why key material is refused. Holds nothing of the material.
#[derive(Debug, Error)]
pub(crate) enum KeyRefused {
    #[error("the state key holds {0} bytes, and needs at least {SHORTEST}; make one with `openssl rand 32`")]
    Short(usize),
    #[error("the state key repeats itself, and could be guessed; make one with `openssl rand 32`")]
    Guessable,
    #[error("the state key cannot be read ({0})")]
    Unreadable(#[source] io::Error),
}

impl StateKey {
    /// The key in `--state-key-file`.
    pub(crate) fn read(file: &Path) -> Result<Self, KeyRefused> {
        Self::labelled(read(file)?, "vaultmount state v1")
    }

    /// The key from the file of `--hmac-key-file`, where `--state-key-file` is not set. Neither of the two derived keys reveals the other.
    pub(crate) fn read_shared(file: &Path) -> Result<Self, KeyRefused> {
        Self::labelled(read(file)?, "vaultmount state v1, from the key of versions")
    }

    fn labelled(material: Secret, label: &'static str) -> Result<Self, KeyRefused> {
        if material.len() < SHORTEST {
            return Err(KeyRefused::Short(material.len()));
        }
        let different: HashSet<_> = material.expose().iter().collect();
        if different.len() < FEWEST_DIFFERENT {
            Err(KeyRefused::Guessable)
        } else {
            Ok(Self { material, label })
        }
    }

    /// The seal of `node`: HKDF (RFC 5869) without salt, with the label and the node's name as info. `None` never happens: HKDF derives up to
    /// 8,160 bytes.
    pub(crate) fn seal(self, node: &str) -> Option<Seal> {
        let derived = Salt::new(HKDF_SHA256, &[]).extract(self.material.expose());
        // The zero separates label and name.
        let info = [self.label.as_bytes(), &[0], node.as_bytes()];
        let key = UnboundKey::from(derived.expand(&info, &CHACHA20_POLY1305).ok()?);
        Some(Seal::new(LessSafeKey::new(key), node))
    }
}

impl TryFrom<Secret> for StateKey {
    type Error = KeyRefused;

    fn try_from(material: Secret) -> Result<Self, KeyRefused> {
        Self::labelled(material, "vaultmount state v1")
    }
}

fn read(file: &Path) -> Result<Secret, KeyRefused> {
    std::fs::read(file).map(Secret::from).map_err(KeyRefused::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guessable_key_is_refused() {
        assert!(matches!(StateKey::try_from(Secret::from("short")), Err(KeyRefused::Short(5))));
        for repeated in ["\0".repeat(64), "secret".repeat(8)] {
            assert!(matches!(StateKey::try_from(Secret::from(repeated)), Err(KeyRefused::Guessable)));
        }
        assert!(StateKey::try_from(Secret::from("kB2v9cQ1x7ZrT0mYwE5uJ8hLfN3dSaPg")).is_ok());
    }

    #[test]
    fn a_missing_key_file_is_reported() {
        let error = StateKey::read(Path::new("/nonexistent/key")).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
}
