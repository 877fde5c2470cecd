//! The type of a scalar: the table of yaml.v3 (`resolve.go` of v3.0.1), which is not the core schema of YAML 1.2.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::number;
use super::{Fault, timestamp};
use crate::goyaml::number::Number;
use crate::goyaml::tree::{Kind, Node};

/// A scalar and its type.
#[derive(PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Number(Number),
    /// As Go's `encoding/json` writes it.
    Time(String),
    Text(String),
    /// The decoded text of `!!binary`; each byte that is not UTF-8 becomes U+FFFD, as in Go's `encoding/json`.
    Binary(String),
}

/// Finds the type of a scalar from its quotes, its tag and its text.
///
/// # Errors
///
/// The tag does not allow the text.
pub(crate) fn resolve(text: &str, plain: bool, tag: Option<&str>) -> Result<Scalar, Fault> {
    match tag {
        None if plain => Ok(untagged(text)),
        None | Some("!!str") => Ok(Scalar::Text(text.to_owned())),
        Some("!!binary") => binary(text),
        Some(tag @ ("!!null" | "!!bool" | "!!int" | "!!float" | "!!timestamp")) => tagged(text, tag),
        Some(_) => Ok(Scalar::Text(text.to_owned())),
    }
}

/// True if `node` decodes to a string in a Go `any`: keys of JSON objects must.
pub(crate) fn is_text(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar { text, plain } => match node.tag.as_deref() {
            None => !plain || matches!(untagged(text), Scalar::Text(_)),
            Some(tag) => tag == "!!str",
        },
        Kind::Sequence(_) | Kind::Mapping(_) | Kind::Alias(_) => false,
    }
}

/// True for a merge key: `<<` in plain style.
pub(crate) fn is_merge(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar { text, plain } => {
            text == "<<" && node.tag.as_deref().map_or(*plain, |tag| tag == "!!merge")
        }
        Kind::Sequence(_) | Kind::Mapping(_) | Kind::Alias(_) => false,
    }
}

/// True if yaml.v3 reads `node` as null: then a field has its default, and a list member is left out.
pub(crate) fn is_null(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar { text, plain } => resolve(text, *plain, node.tag.as_deref()) == Ok(Scalar::Null),
        Kind::Sequence(_) | Kind::Mapping(_) | Kind::Alias(_) => false,
    }
}

fn untagged(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        _ => timestamp::rfc3339(text)
            .map(Scalar::Time)
            .or_else(|| number::parse(text).map(Scalar::Number))
            .unwrap_or_else(|| Scalar::Text(text.to_owned())),
    }
}

/// A tag only confirms the type that the text has without it; an integer may be tagged as a float.
fn tagged(text: &str, tag: &str) -> Result<Scalar, Fault> {
    let resolved = match untagged(text) {
        // Go tries to read a time only without a tag, or with the tag of a time.
        Scalar::Time(_) if tag != "!!timestamp" => {
            number::parse(text).map_or_else(|| Scalar::Text(text.to_owned()), Scalar::Number)
        }
        other => other,
    };
    match (tag, resolved) {
        ("!!float", Scalar::Number(Number::Integer(value))) if i64::try_from(value).is_ok() => {
            Ok(Scalar::Number(Number::Float(value as f64)))
        }
        ("!!null", fits @ Scalar::Null)
        | ("!!bool", fits @ Scalar::Bool(_))
        | ("!!int", fits @ Scalar::Number(Number::Integer(_)))
        | ("!!float", fits @ Scalar::Number(Number::Float(_)))
        | ("!!timestamp", fits @ Scalar::Time(_)) => Ok(fits),
        _ => Err(Fault::Tag),
    }
}

fn binary(text: &str) -> Result<Scalar, Fault> {
    let encoded: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let bytes = BASE64.decode(encoded).map_err(|_| Fault::Binary)?;
    let text =
        bytes.utf8_chunks().map(|chunk| chunk.valid().to_owned() + &"\u{fffd}".repeat(chunk.invalid().len()));
    Ok(Scalar::Binary(text.collect()))
}

/// Go's `base64.StdEncoding`: padding is needed, the unused bits of the last character may be set.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);
