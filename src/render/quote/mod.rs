//! Quotes text for other languages, for template filters and documents. The result is as secret as the input.

#[cfg(test)]
mod tests;

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Number, Value};
use thiserror::Error;

use super::gojson;
use crate::error::Reason;

/// Why a value cannot be quoted. Holds nothing of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum QuoteError {
    /// The words of a shell and the values of an environment end at the first NUL.
    #[error("the value has a NUL byte, which a shell or an environment cannot hold: write it as base64")]
    Nul,
}

impl QuoteError {
    /// The stable reason.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::Nul => Reason::RenderFailed,
        }
    }
}

/// The unreserved characters of RFC 3986, section 2.3: letters, digits, `-`, `.`, `_` and `~`.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest key that is written without `?`. YAML readers require the `?` above 1024 characters, with the quotes and escapes of the key.
const YAML_PLAIN_KEY: usize = 1000;

/// A word of a POSIX shell, in single quotes.
///
/// A quote in the text becomes `'"'"'`, not the usual `'\''`: systemd reads only the former as a shell does (after a backslash outside of quotes it
/// reads the rest of the line literally).
pub(crate) fn shell(text: &str) -> Result<String, QuoteError> {
    if text.contains('\0') {
        return Err(QuoteError::Nul);
    }
    Ok(format!("'{}'", text.replace('\'', r#"'"'"'"#)))
}

/// The value in a line of an environment file. `sh` and systemd's `EnvironmentFile` read it in the same way, and so does docker-compose in most cases.
///
/// docker-compose does not join quoted parts, so text with `'` is put in double quotes, unless it has a character with a meaning there.
/// docker-compose cannot read text with `'` and one of `"`, `$`, `` ` ``, `\`. systemd drops a variable with control characters other than tab and
/// newline, however it is quoted.
pub(crate) fn env(text: &str) -> Result<String, QuoteError> {
    if text.contains('\'') && !text.contains(['"', '$', '`', '\\', '\0']) {
        Ok(format!("\"{text}\""))
    } else {
        shell(text)
    }
}

/// A part of a URL: every byte of the UTF-8 text becomes `%XX`, except the unreserved characters of RFC 3986.
pub(crate) fn url(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// JSON on one line: members sorted, no spaces; only characters that JSON requires to escape are escaped.
pub(crate) fn json(value: &Value) -> String {
    // Writing a `Value` into memory cannot fail: its keys are strings.
    serde_json::to_string(&gojson::sorted(value)).unwrap_or_default()
}

/// JSON over several lines: members sorted, `indent` spaces for each level.
pub(crate) fn json_lines(value: &Value, indent: usize) -> String {
    let spaces = vec![b' '; indent];
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(&spaces);
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // Writing a `Value` into memory cannot fail: its keys are strings.
    let _ = serde::Serialize::serialize(&gojson::sorted(value), &mut serializer);
    String::from_utf8(bytes).unwrap_or_default()
}

/// YAML on one line, in flow style, with the same meaning in YAML 1.1 and 1.2. It is also JSON, unless a key has about a thousand characters.
pub(crate) fn yaml(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) => value.to_string(),
        Value::Number(number) => yaml_number(number),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(yaml).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            format!("{{{}}}", sorted(members).map(yaml_member).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A basic string of TOML 1.0, with its quotes, on one line.
pub(crate) fn toml(text: &str) -> String {
    quoted(text)
}

/// A value of Java's `Properties`, in ASCII. Leading spaces are escaped, because `load` skips them.
pub(crate) fn properties(text: &str) -> String {
    let rest = text.trim_start_matches(' ');
    let spaces = text.len() - rest.len();
    let mut out = r"\ ".repeat(spaces);
    rest.chars().for_each(|c| property_char(&mut out, c));
    out
}

/// A key of Java's `Properties`, in ASCII. Every space is escaped, because a space ends the key.
pub(crate) fn properties_key(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c == ' ' { out.push_str(r"\ ") } else { property_char(&mut out, c) }
    }
    out
}

/// The members of an object, sorted by the bytes of their names, whatever the order of the map.
pub(crate) fn sorted(members: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    members.into_iter()
}

fn yaml_member((name, value): (&String, &Value)) -> String {
    let name = quoted(name);
    let mark = if name.len() > YAML_PLAIN_KEY { "? " } else { "" };
    format!("{mark}{name}: {}", yaml(value))
}

/// A number in YAML. YAML 1.1 reads `1e3` as text: its floats need a point, and a sign before the exponent.
fn yaml_number(number: &Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return text;
    };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// A string in double quotes with the same meaning in JSON, YAML and TOML, which share the short escapes and `\uXXXX`.
///
/// Escapes the characters that one of them forbids (controls, DEL, noncharacters), reads as the end of a line (NEL, U+2028, U+2029) or may read as a
/// mark (BOM). Characters outside the BMP are not escaped, because their escapes differ.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str(r"\n"),
            '\r' => out.push_str(r"\r"),
            '\t' => out.push_str(r"\t"),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => unicode(&mut out, c),
            c if c.is_control() => unicode(&mut out, c),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn property_char(out: &mut String, c: char) {
    match c {
        '\\' | ':' | '=' | '#' | '!' => out.extend(['\\', c]),
        '\n' => out.push_str(r"\n"),
        '\r' => out.push_str(r"\r"),
        '\t' => out.push_str(r"\t"),
        '\u{c}' => out.push_str(r"\f"),
        ' '..='~' => out.push(c),
        c => unicode(out, c),
    }
}

/// `\uXXXX` for each UTF-16 code unit of `c`.
fn unicode(out: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing into a `String` cannot fail.
        let _ = write!(out, "\\u{unit:04X}");
    }
}
