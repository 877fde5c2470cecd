//! A secret's JSON as YAML and TOML can hold it: numbers of 64 bits that mean what their text says, members sorted.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Number, Value};
use serde_saphyr::DoubleQuoted;

use super::FormatError;
use crate::render::quote;

/// What a language can hold.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    format: &'static str,
    null: bool,
    /// Integers above `i64::MAX`, up to `u64::MAX`.
    unsigned: bool,
    /// Text on several lines as it stands, whatever its lines begin and end with.
    lines: bool,
}

impl Limits {
    /// Go reads integers up to 64 bits exactly, with or without sign; other readers at least these.
    pub(crate) const YAML: Self = Self { format: "YAML", null: true, unsigned: true, lines: false };
    /// TOML 1.0 promises `i64` and doubles.
    pub(crate) const TOML: Self = Self { format: "TOML", null: false, unsigned: false, lines: true };
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

/// The view of `value`, or the place of the first member that does not fit `limits`.
pub(crate) fn view(value: &Value, limits: Limits) -> Result<Exact<'_>, FormatError> {
    Ok(match value {
        Value::Null if limits.null => Exact::Null,
        Value::Null => return Err(FormatError::Null { place: String::new() }),
        Value::Bool(bool) => Exact::Bool(*bool),
        Value::Number(number) => exact(number, limits)
            .ok_or(FormatError::Inexact { format: limits.format, place: String::new() })?,
        Value::String(text) if limits.lines || is_block(text) => Exact::Text(text),
        Value::String(text) => Exact::Quoted(DoubleQuoted(text)),
        Value::Array(items) => Exact::List(
            items
                .iter()
                .enumerate()
                .map(|(at, item)| below(&format!("[{at}]"), item, limits))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(members) => Exact::Object(
            quote::sorted(members)
                .map(|(name, value)| Ok((name.as_str(), below(name, value, limits)?)))
                .collect::<Result<_, _>>()?,
        ),
    })
}

/// The view of a member or an item, whose name goes before the place of what does not fit.
fn below<'a>(name: &str, value: &'a Value, limits: Limits) -> Result<Exact<'a>, FormatError> {
    view(value, limits).map_err(|mut misfit| {
        if let FormatError::Null { place } | FormatError::Inexact { place, .. } = &mut misfit {
            let dot = if place.is_empty() || place.starts_with('[') { "" } else { "." };
            *place = format!("{name}{dot}{place}");
        }
        misfit
    })
}

fn exact<'a>(number: &Number, limits: Limits) -> Option<Exact<'a>> {
    let text = number.to_string();
    if !text.contains(['.', 'e', 'E']) {
        let unsigned = || number.as_u64().filter(|_| limits.unsigned).map(Exact::Unsigned);
        return number.as_i64().map(Exact::Integer).or_else(unsigned);
    }
    let float = number.as_f64().filter(|float| float.is_finite())?;
    is_exact(&text, float).then_some(Exact::Float(float))
}

/// Whether `text` is what a writer of `float` gives: the fewest digits that lead back to it, or the float rounded to as many. Where a float lies
/// half-way between two texts, some writers choose one and some the other.
fn is_exact(text: &str, float: f64) -> bool {
    let Some((digits, power)) = decimal(text) else { return false };
    let rounded = format!("{float:.*e}", digits.len().saturating_sub(1));
    let text = Some((digits, power));
    text == decimal(&format!("{float:e}")) || text == decimal(&rounded)
}

/// True for text on one line, and for lines that any reader takes from a literal block of YAML: yaml.v3 refuses a tab where
/// indentation may be, editors drop blanks before a line's end, and a blank in front needs an indicator that few know.
fn is_block(text: &str) -> bool {
    let plain = |line: &str| !line.starts_with('\t') && !line.ends_with([' ', '\t']);
    !text.contains('\n') || (!text.starts_with([' ', '\n']) && text.split('\n').all(plain))
}

/// A number's digits without zeros at either end, and the power of ten of the last digit: equal for equal numbers, sign aside.
/// Nothing when the exponent is beyond reason.
fn decimal(text: &str) -> Option<(String, i64)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches(['-', '0']);
    let shortest = digits.trim_end_matches('0');
    if shortest.is_empty() {
        return Some((String::new(), 0));
    }
    let (below, zeros) =
        (i64::try_from(fraction.len()).ok()?, i64::try_from(digits.len() - shortest.len()).ok()?);
    let power = exponent.parse::<i64>().ok()?.checked_sub(below)?.checked_add(zeros)?;
    Some((shortest.to_owned(), power))
}
