//! Secrets that cannot be printed, cloned or left behind.

use std::fmt;

use zeroize::Zeroizing;

/// Bytes from Vault, or a pod's token. Wiped on drop; not `Clone`, not `Serialize`, not `Display`.
///
/// ```compile_fail
/// let secret = vaultmount::secret::Secret::from("canary");
/// let copy = secret.clone(); // a second copy would need wiping too
/// ```
/// ```compile_fail
/// println!("{}", vaultmount::secret::Secret::from("canary"));
/// ```
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The one way to the bytes (no `AsRef`, no `Borrow`); the caller's comment says where they go.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, for what is text by its nature (a token, a JSON body); `None` when it is not UTF-8.
    pub fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// How many bytes it holds; sizes are no secret.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes().to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_it() {
        assert_eq!(format!("{:?}", Secret::from("canary")), "Secret(..)");
    }
}
