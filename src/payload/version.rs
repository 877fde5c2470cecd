//! Versions of files: keyed hashes of their contents.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{Context, HMAC_SHA256, Key};
use thiserror::Error;

use super::File;
use crate::digest;
use crate::secret::Secret;

/// Length of the shortest accepted key, in bytes: half of the digest. A shorter key could be guessed.
const SHORTEST_KEY: usize = 16;

/// The key of all versions. Nodes with the same key compute the same version for the same file, and a version does not reveal the content.
/// Clones share the bytes of the key.
#[derive(Clone, Debug)]
pub(crate) struct VersionKey(Arc<Secret>);

/// The key is too short: versions would reveal contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the version key has {0} bytes and needs at least {SHORTEST_KEY}; create one with `openssl rand 32`")]
pub(crate) struct KeyTooShort(usize);

impl TryFrom<Secret> for VersionKey {
    type Error = KeyTooShort;

    fn try_from(key: Secret) -> Result<Self, KeyTooShort> {
        if key.len() < SHORTEST_KEY { Err(KeyTooShort(key.len())) } else { Ok(Self(Arc::new(key))) }
    }
}

impl VersionKey {
    /// A random key, which lasts as long as this process.
    pub(crate) fn random() -> Self {
        Self(Arc::new(Secret::from(rand::random::<[u8; 32]>().to_vec())))
    }

    /// The version of `file` in a volume of `namespace`. It changes exactly when the content changes.
    ///
    /// The namespace is part of the hash, so that a tenant who may write secrets cannot guess another tenant's secret by comparing versions.
    pub(crate) fn version(&self, namespace: &str, file: &File) -> String {
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
    fn a_version_is_the_same_on_every_node_with_the_key() {
        assert_eq!(version(KEY, "team-a", "db", "hello"), version(KEY, "team-a", "db", "hello"));
        assert_eq!(version(KEY, "team-a", "db", "hello"), "qvvChVO0Bq80JLRgrcHk-Q4RyfBuSTcSMLf-cR_ms7I");
    }

    #[test]
    fn a_version_depends_on_each_part_and_on_the_borders_between_parts() {
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
