//! utf-8, base64, hex -> bytes.

use crate::secret::Secret;
use crate::spec::Encoding;
use crate::spec::object::base64;

/// Decodes `text`.
///
/// # Errors
/// The name of the encoding that `text` does not have.
pub(crate) fn bytes(text: Secret, encoding: Encoding) -> Result<Secret, &'static str> {
    match encoding {
        Encoding::Utf8 => Ok(text),
        Encoding::Base64 => base64(text.expose()).ok_or("base64"),
        Encoding::Hex => hex(text.expose()).ok_or("hex"),
    }
}

fn hex(text: &[u8]) -> Option<Secret> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect::<Option<Vec<_>>>()?;
    rest.is_empty().then(|| Secret::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str, encoding: Encoding) -> Result<Vec<u8>, &'static str> {
        bytes(Secret::from(text), encoding).map(|bytes| bytes.expose().to_vec())
    }

    #[test]
    fn base64_is_standard_and_padded_and_may_be_broken_into_lines() {
        assert_eq!(decoded("aGVs\r\nbG8=", Encoding::Base64), Ok(b"hello".to_vec()));
        assert_eq!(
            decoded("aGl=", Encoding::Base64),
            Ok(b"hi".to_vec()),
            "extra bits after the last byte are ignored"
        );
        for bad in ["aGVsbG8", "aGVsbG8_", "aGVs bG8="] {
            assert_eq!(decoded(bad, Encoding::Base64), Err("base64"), "{bad}");
        }
    }

    #[test]
    fn hex_takes_both_cases_and_only_whole_bytes() {
        assert_eq!(decoded("00fFAb", Encoding::Hex), Ok(vec![0x00, 0xff, 0xab]));
        for bad in ["0", "0g", "+1", "0x01"] {
            assert_eq!(decoded(bad, Encoding::Hex), Err("hex"), "{bad}");
        }
    }
}
