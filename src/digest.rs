//! SHA-256 over parts, each with its length in front: no part runs into the next, so other parts never have the same digest.

use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};

/// A digest that is being computed.
pub(crate) struct Digest(Sha256);

impl Digest {
    /// A digest of no parts yet.
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    /// A digest for one use, named by `label`, which is a constant and comes first without a length.
    pub(crate) fn labelled(label: &str) -> Self {
        Self(Sha256::new_with_prefix(label))
    }

    /// Adds `bytes` as one part.
    pub(crate) fn part(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.add(bytes.as_ref());
        self
    }

    /// Adds everything that `value` hashes, each piece as one part. What a type hashes may change with the compiler, so this is for digests
    /// that stay in memory.
    pub(crate) fn hashed(mut self, value: &impl Hash) -> Self {
        value.hash(&mut Parts(&mut self));
        self
    }

    /// The digest of all parts.
    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0.update(length(bytes));
        self.0.update(bytes);
    }
}

/// The digest of `parts` in this order.
pub(crate) fn of<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> [u8; 32] {
    parts.into_iter().fold(Digest::new(), Digest::part).finish()
}

/// The length that stands in front of `part`: eight bytes, big-endian.
pub(crate) fn length(part: &[u8]) -> [u8; 8] {
    (part.len() as u64).to_be_bytes()
}

/// Takes what a type hashes; its own 64-bit result is never used.
struct Parts<'d>(&'d mut Digest);

impl Hasher for Parts<'_> {
    fn write(&mut self, bytes: &[u8]) {
        self.0.add(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(of(["ab", "c"]), of(["a", "bc"]));
        assert_ne!(of(["a"]), of(["a", ""]));
        assert_eq!(of(["a", "b"]), Digest::new().part("a").part("b").finish());
    }

    #[test]
    fn the_bytes_are_those_of_a_length_and_the_part() {
        let expected: [u8; 32] = Sha256::digest(b"label\0\0\0\0\0\0\0\x02ab").into();
        assert_eq!(Digest::labelled("label").part("ab").finish(), expected);
    }

    #[test]
    fn every_field_of_a_hashed_value_counts() {
        let digest = |value: &(&str, u32)| Digest::new().hashed(value).finish();
        assert_eq!(digest(&("a", 1)), digest(&("a", 1)));
        assert_ne!(digest(&("a", 1)), digest(&("a", 2)));
        assert_ne!(digest(&("a", 1)), digest(&("b", 1)));
    }
}
