//! How the text of a value encodes the bytes of a file.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::{Secret, SecretWriter};

/// How a value's text encodes the file's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Encoding {
    /// The text itself.
    #[default]
    Utf8,
    /// Standard alphabet, padded: [`base64()`].
    Base64,
    /// Pairs of hexadecimal digits.
    Hex,
}

/// Decodes base64 as Go's `StdEncoding` does: line breaks are ignored, padding is required, and the unused bits of the last character may
/// be set. `None` if `text` is not base64.
pub(crate) fn base64(text: &[u8]) -> Option<Secret> {
    let mut joined = SecretWriter::with_capacity(text.len());
    text.split(|byte| matches!(byte, b'\r' | b'\n')).for_each(|line| joined.extend_from_slice(line));
    let mut bytes = Zeroizing::new(Vec::new());
    // Reserves the space for all bytes first. After an error the bytes before it are wiped.
    BASE64.decode_vec(Secret::from(joined).expose(), &mut bytes).ok()?;
    Some(bytes.into())
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);
