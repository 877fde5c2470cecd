//! The JSON values that YAML and TOML can hold without loss: numbers of 64 bits with the same digits, members sorted.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Number, Value};
use serde_saphyr::DoubleQuoted;

use super::FormatError;
use crate::render::quote;

/// What a format can hold.
#[derive(Clone, Copy)]
pub(crate) struct FormatLimits {
    format: &'static str,
    null: bool,
    /// Integers above `i64::MAX`, up to `u64::MAX`.
    unsigned: bool,
    /// Text of several lines without quotes, whatever its lines begin and end with.
    multiline: bool,
}

impl FormatLimits {
    /// Go reads integers of up to 64 bits exactly, signed or unsigned; other readers do so too.
    pub(crate) const YAML: Self = Self { format: "YAML", null: true, unsigned: true, multiline: false };
    /// TOML 1.0 guarantees `i64` and doubles.
    pub(crate) const TOML: Self = Self { format: "TOML", null: false, unsigned: false, multiline: true };
}

/// A view of a value that a serializer writes without loss.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Exact<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'a str),
    Quoted(DoubleQuoted<&'a str>),
    List(Vec<Self>),
    Object(BTreeMap<&'a str, Self>),
}

/// The view of `value`.
///
/// # Errors
/// With the path of the first value that the format cannot hold.
pub(crate) fn view(value: &Value, limits: FormatLimits) -> Result<Exact<'_>, FormatError> {
    Ok(match value {
        Value::Null if limits.null => Exact::Null,
        Value::Null => return Err(FormatError::Null { path: String::new() }),
        Value::Bool(bool) => Exact::Bool(*bool),
        Value::Number(number) => exact(number, limits)
            .ok_or(FormatError::Inexact { format: limits.format, path: String::new() })?,
        Value::String(text) if limits.multiline || is_block(text) => Exact::Text(text),
        Value::String(text) => Exact::Quoted(DoubleQuoted(text)),
        Value::Array(items) => Exact::List(
            items
                .iter()
                .enumerate()
                .map(|(at, item)| nested(&format!("[{at}]"), item, limits))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(members) => Exact::Object(
            quote::sorted(members)
                .map(|(name, value)| Ok((name.as_str(), nested(name, value, limits)?)))
                .collect::<Result<_, _>>()?,
        ),
    })
}

/// The view of a member or an item. Adds its name to the path of an error.
fn nested<'a>(name: &str, value: &'a Value, limits: FormatLimits) -> Result<Exact<'a>, FormatError> {
    view(value, limits).map_err(|mut error| {
        if let FormatError::Null { path } | FormatError::Inexact { path, .. } = &mut error {
            let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
            *path = format!("{name}{dot}{path}");
        }
        error
    })
}

/// The number without loss; `None` if the format would change it.
fn exact<'a>(number: &Number, limits: FormatLimits) -> Option<Exact<'a>> {
    let text = number.to_string();
    if !text.contains(['.', 'e', 'E']) {
        let unsigned = || number.as_u64().filter(|_| limits.unsigned).map(Exact::Unsigned);
        return number.as_i64().map(Exact::Integer).or_else(unsigned);
    }
    let float = number.as_f64().filter(|float| float.is_finite())?;
    is_exact(&text, float).then_some(Exact::Float(float))
}

/// True if a library that writes `float` writes `text`: the fewest digits that read back as `float`, or `float` rounded to as many digits. If a float
/// lies halfway between two texts, libraries differ in which one they write.
fn is_exact(text: &str, float: f64) -> bool {
    let Some((digits, power)) = decimal(text) else { return false };
    let rounded = format!("{float:.*e}", digits.len().saturating_sub(1));
    let text = Some((digits, power));
    text == decimal(&format!("{float:e}")) || text == decimal(&rounded)
}

/// True for text of one line, and for lines that every reader reads unchanged from a literal block of YAML: yaml.v3 refuses a tab in place of
/// indentation, editors remove blanks at the end of a line, and a leading blank needs an indicator that few people know.
fn is_block(text: &str) -> bool {
    let plain = |line: &str| !line.starts_with('\t') && !line.ends_with([' ', '\t']);
    !text.contains('\n') || (!text.starts_with([' ', '\n']) && text.split('\n').all(plain))
}

/// The digits of a number without zeros at either end, and the power of ten of the last digit. Equal for equal numbers, apart from the sign. `None`
/// if the exponent does not fit into 64 bits.
fn decimal(text: &str) -> Option<(String, i64)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches(['-', '0']);
    let shortest = digits.trim_end_matches('0');
    if shortest.is_empty() {
        return Some((String::new(), 0));
    }
    let (fraction_digits, zeros) =
        (i64::try_from(fraction.len()).ok()?, i64::try_from(digits.len() - shortest.len()).ok()?);
    let power = exponent.parse::<i64>().ok()?.checked_sub(fraction_digits)?.checked_add(zeros)?;
    Some((shortest.to_owned(), power))
}
