//! Bytes <-> sealed text, bound to its place.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::{RecordId, StateError};
use crate::digest;
use crate::secret::Secret;

/// Bytes that the cipher adds at the end. They are the same in every algorithm of ring.
const TAG: usize = 16;

/// The node's own key: ChaCha20-Poly1305 (RFC 8439).
///
/// The nonce of each seal is random. Among 2^32 seals two nonces are equal with a probability of 2^-33. A node that writes 30 records a second
/// makes that many in four years with one key.
pub(crate) struct Seal {
    key: LessSafeKey,
    node: String,
}

/// The place of a sealed text. In any other place it cannot be decrypted.
#[derive(Clone, Copy)]
pub(crate) struct RecordPlace<'a> {
    pub(crate) id: &'a RecordId,
    /// The kind of the record, as the word in the file.
    pub(crate) kind: &'static str,
    /// The name of the member in the file.
    pub(crate) part: &'static str,
    /// Plain text of the same file that must not have changed.
    pub(crate) beside: &'a [u8],
}

impl Seal {
    pub(crate) fn new(key: LessSafeKey, node: &str) -> Self {
        Self { key, node: node.to_owned() }
    }

    /// Encrypts `plain`: nonce, ciphertext and tag in base64.
    pub(crate) fn close(&self, place: RecordPlace<'_>, plain: &Secret) -> Result<String, StateError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| StateError::Seal)?;
        // With its final size from the start: a buffer that grows leaves an unwiped copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(NONCE_LEN + plain.len() + TAG));
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(plain.expose());
        let sealed = &mut bytes[NONCE_LEN..];
        let tag = self.key.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            self.bound_to(place),
            sealed,
        );
        bytes.extend_from_slice(tag.map_err(|_| StateError::Seal)?.as_ref());
        Ok(STANDARD.encode(&*bytes))
    }

    /// Decrypts `text`; `None` when it was sealed with another key, on another node, for another place, or has changed since.
    pub(crate) fn open(&self, place: RecordPlace<'_>, text: &str) -> Option<Secret> {
        let mut bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
        let nonce = Nonce::try_assume_unique_for_key(bytes.get(..NONCE_LEN)?).ok()?;
        let plain = self.key.open_within(nonce, self.bound_to(place), &mut bytes, NONCE_LEN..).ok()?.len();
        bytes.truncate(plain);
        Some(Secret::from(std::mem::take(&mut *bytes)))
    }

    /// The data that the seal is bound to. Each part follows its length, so that no part runs into the next.
    fn bound_to(&self, place: RecordPlace<'_>) -> Aad<Vec<u8>> {
        let parts = [
            self.node.as_bytes(),
            place.id.as_str().as_bytes(),
            place.kind.as_bytes(),
            place.part.as_bytes(),
            place.beside,
        ];
        let prefixed = |part: &[u8]| [&digest::length(part), part].concat();
        Aad::from(parts.into_iter().flat_map(prefixed).collect())
    }
}
