//! Content -> version, keyed.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{Context, HMAC_SHA256, Key};
use thiserror::Error;

use super::File;
use crate::digest;
use crate::secret::Secret;

/// Shortest key that is taken, in bytes: half of the digest, below which a key is guessable.
const SHORTEST_KEY: usize = 16;

/// The key of all versions: nodes that share it give equal versions to equal files, and a version tells nobody what
/// the file holds. Clones share its bytes.
#[derive(Clone, Debug)]
pub struct VersionKey(Arc<Secret>);

/// A key that is too short to hide what it is used on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the version key holds {0} bytes, and needs at least {SHORTEST_KEY}; make one with `openssl rand 32`"
)]
pub struct KeyTooShort(usize);

impl TryFrom<Secret> for VersionKey {
    type Error = KeyTooShort;

    fn try_from(key: Secret) -> Result<Self, KeyTooShort> {
        if key.len() < SHORTEST_KEY { Err(KeyTooShort(key.len())) } else { Ok(Self(Arc::new(key))) }
    }
}

impl VersionKey {
    /// A key that lives as long as this process.
    pub fn random() -> Self {
        Self(Arc::new(Secret::from(rand::random::<[u8; 32]>().to_vec())))
    }

    /// The version of `file` in a volume of `namespace`: changes exactly when the content changes.
    ///
    /// The namespace is part of it, so that a tenant who may write secrets cannot guess another's by comparing versions.
    pub fn version(&self, namespace: &str, file: &File) -> String {
        let mut mac = Context::with_key(&Key::new(HMAC_SHA256, self.0.expose())); // the key of the versions
        for part in [namespace.as_bytes(), file.path.as_str().as_bytes(), file.contents.expose()] {
            mac.update(&digest::length(part));
            mac.update(part);
        }
        URL_SAFE_NO_PAD.encode(mac.sign())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(key: &str, namespace: &str, path: &str, contents: &str) -> String {
        let file = File {
            path: path.parse().unwrap(),
            mode: 0o644,
            owner: None,
            group: None,
            contents: Secret::from(contents),
        };
        VersionKey::try_from(Secret::from(key)).unwrap().version(namespace, &file)
    }

    const KEY: &str = "0123456789abcdef";

    #[test]
    fn it_is_the_same_on_every_node_that_has_the_key() {
        assert_eq!(version(KEY, "team-a", "db", "hello"), version(KEY, "team-a", "db", "hello"));
        assert_eq!(version(KEY, "team-a", "db", "hello"), "qvvChVO0Bq80JLRgrcHk-Q4RyfBuSTcSMLf-cR_ms7I");
    }

    #[test]
    fn it_changes_with_each_of_its_parts_and_parts_do_not_run_into_each_other() {
        let base = version(KEY, "a", "b", "c");
        for other in [
            version("0123456789abcdeX", "a", "b", "c"),
            version(KEY, "x", "b", "c"),
            version(KEY, "a", "x", "c"),
            version(KEY, "a", "b", "x"),
            version(KEY, "ab", "b", ""),
            version(KEY, "a", "bc", ""),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_guessable_key_is_refused() {
        assert_eq!(VersionKey::try_from(Secret::from("short")).unwrap_err(), KeyTooShort(5));
    }
}
