//! Quotes text for other languages, for template filters and documents. The result is as secret as the input, and is wiped on drop.

#[cfg(test)]
mod tests;

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Number, Value};
use thiserror::Error;
use zeroize::Zeroizing;

use super::gojson;
use crate::error::Reason;
use crate::secret::SecretWriter;

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
pub(crate) fn shell(text: &str) -> Result<Zeroizing<String>, QuoteError> {
    if text.contains('\0') {
        return Err(QuoteError::Nul);
    }
    let mut out = SecretWriter::with_capacity(text.len() + 2);
    for (at, part) in text.split('\'').enumerate() {
        out.extend([if at == 0 { "'" } else { r#"'"'"'"# }, part]);
    }
    out.push('\'');
    Ok(out.into_text())
}

/// The value in a line of an environment file. `sh` and systemd's `EnvironmentFile` read it in the same way, and so does docker-compose in most cases.
///
/// docker-compose does not join quoted parts, so text with `'` is put in double quotes, unless it has a character with a meaning there.
/// docker-compose cannot read text with `'` and one of `"`, `$`, `` ` ``, `\`. systemd drops a variable with control characters other than tab and
/// newline, however it is quoted.
pub(crate) fn env(text: &str) -> Result<Zeroizing<String>, QuoteError> {
    if text.contains('\'') && !text.contains(['"', '$', '`', '\\', '\0']) {
        Ok(Zeroizing::new(["\"", text, "\""].concat()))
    } else {
        shell(text)
    }
}

/// A part of a URL: every byte of the UTF-8 text becomes `%XX`, except the unreserved characters of RFC 3986.
pub(crate) fn url(text: &str) -> Zeroizing<String> {
    let mut out = SecretWriter::with_capacity(text.len());
    out.extend(utf8_percent_encode(text, UNRESERVED));
    out.into_text()
}

/// JSON on one line: members sorted, no spaces; only characters that JSON requires to escape are escaped.
pub(crate) fn json(value: &Value) -> Zeroizing<String> {
    let mut out = SecretWriter::default();
    // Writing a `Value` into memory cannot fail: its keys are strings.
    let _ = serde_json::to_writer(&mut out, &gojson::sorted(value));
    out.into_text()
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
pub(crate) fn yaml(value: &Value) -> Zeroizing<String> {
    let mut out = SecretWriter::default();
    write_yaml(&mut out, value);
    out.into_text()
}

/// A basic string of TOML 1.0, with its quotes, on one line.
pub(crate) fn toml(text: &str) -> Zeroizing<String> {
    let mut out = SecretWriter::with_capacity(text.len() + 2);
    write_quoted(&mut out, text);
    out.into_text()
}

/// A value of Java's `Properties`, in ASCII. Leading spaces are escaped, because `load` skips them.
pub(crate) fn properties(text: &str) -> Zeroizing<String> {
    let rest = text.trim_start_matches(' ');
    let spaces = text.len() - rest.len();
    let mut out = SecretWriter::with_capacity(text.len() + spaces);
    out.push_str(&r"\ ".repeat(spaces));
    rest.chars().for_each(|c| property_char(&mut out, c));
    out.into_text()
}

/// A key of Java's `Properties`, in ASCII. Every space is escaped, because a space ends the key.
pub(crate) fn properties_key(text: &str) -> Zeroizing<String> {
    let mut out = SecretWriter::with_capacity(text.len());
    for c in text.chars() {
        if c == ' ' { out.push_str(r"\ ") } else { property_char(&mut out, c) }
    }
    out.into_text()
}

/// The members of an object, sorted by the bytes of their names, whatever the order of the map.
pub(crate) fn sorted(members: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    members.into_iter()
}

fn write_yaml(out: &mut SecretWriter, value: &Value) {
    match value {
        Value::Null | Value::Bool(_) => out.push_str(&value.to_string()),
        Value::Number(number) => out.push_str(&yaml_number(number)),
        Value::String(text) => write_quoted(out, text),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_yaml(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (at, (name, value)) in sorted(members).enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                let name = toml(name);
                let mark = if name.len() > YAML_PLAIN_KEY { "? " } else { "" };
                out.extend([mark, &name, ": "]);
                write_yaml(out, value);
            }
            out.push('}');
        }
    }
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
fn write_quoted(out: &mut SecretWriter, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str(r#"\""#),
            '\\' => out.push_str(r"\\"),
            '\n' => out.push_str(r"\n"),
            '\r' => out.push_str(r"\r"),
            '\t' => out.push_str(r"\t"),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => unicode(out, c),
            c if c.is_control() => unicode(out, c),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn property_char(out: &mut SecretWriter, c: char) {
    match c {
        '\\' | ':' | '=' | '#' | '!' => {
            out.push('\\');
            out.push(c);
        }
        '\n' => out.push_str(r"\n"),
        '\r' => out.push_str(r"\r"),
        '\t' => out.push_str(r"\t"),
        '\u{c}' => out.push_str(r"\f"),
        ' '..='~' => out.push(c),
        c => unicode(out, c),
    }
}

/// `\uXXXX` for each UTF-16 code unit of `c`.
fn unicode(out: &mut SecretWriter, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing into memory cannot fail.
        let _ = write!(out, "\\u{unit:04X}");
    }
}
