//! Text in the quoting of other languages, for template filters and documents. What comes out is as secret as what went in.

#[cfg(test)]
mod tests;

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Number, Value};
use thiserror::Error;

use super::gojson;
use crate::error::Reason;

/// Why a value cannot be quoted; holds nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum QuoteError {
    /// Words of a shell and values of an environment end at the first NUL.
    #[error("the value holds a NUL byte, which no shell or environment can hold: write it as base64")]
    Nul,
}

impl QuoteError {
    /// The stable cause.
    pub fn reason(self) -> Reason {
        match self {
            Self::Nul => Reason::RenderFailed,
        }
    }
}

/// What RFC 3986, 2.3 leaves as it is: letters, digits, `-`, `.`, `_` and `~`.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Characters beyond which YAML readers want a mapping's key marked by `?` (1024, the quotes and escapes of it included).
const YAML_KEY: usize = 1000;

/// One word of a POSIX shell, in single quotes.
///
/// A quote inside is `'"'"'`, not the usual `'\''`: systemd reads only the first like a shell (after a backslash outside of
/// quotes it takes the rest of the line as it stands).
pub fn shell(text: &str) -> Result<String, QuoteError> {
    if text.contains('\0') {
        return Err(QuoteError::Nul);
    }
    Ok(format!("'{}'", text.replace('\'', r#"'"'"'"#)))
}

/// The value of an environment file's line, read alike by `sh`, by systemd's `EnvironmentFile` and, where it can, by
/// docker-compose.
///
/// docker-compose joins no quoted pieces, so text with `'` stands in double quotes unless a character of it means something
/// there; only text with `'` and one of `"`, `$`, `` ` ``, `\` is none that docker-compose reads. systemd drops a variable with
/// control characters other than tab and newline, however it is quoted.
pub fn env(text: &str) -> Result<String, QuoteError> {
    if text.contains('\'') && !text.contains(['"', '$', '`', '\\', '\0']) {
        Ok(format!("\"{text}\""))
    } else {
        shell(text)
    }
}

/// One part of a URL: every byte of UTF-8 but RFC 3986's unreserved ones as `%XX`.
pub fn url(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// JSON on one line: members sorted, no spaces, nothing escaped that JSON itself can hold.
pub fn json(value: &Value) -> String {
    // Writing a `Value` into memory cannot fail: its keys are strings.
    serde_json::to_string(&gojson::sorted(value)).unwrap_or_default()
}

/// YAML on one line, in flow style: read alike by YAML 1.1 and 1.2; JSON too, but for keys near a thousand characters.
pub fn yaml(value: &Value) -> String {
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
pub fn toml(text: &str) -> String {
    quoted(text)
}

/// A value of Java's `Properties`, in ASCII. Leading spaces are escaped, for `load` skips them.
pub fn properties(text: &str) -> String {
    let after = text.trim_start_matches(' ');
    let spaces = text.len() - after.len();
    let mut out = r"\ ".repeat(spaces);
    after.chars().for_each(|c| property_char(&mut out, c));
    out
}

/// A key of Java's `Properties`, in ASCII: here every space ends the key unless escaped.
pub fn properties_key(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c == ' ' { out.push_str(r"\ ") } else { property_char(&mut out, c) }
    }
    out
}

/// The members of an object by their names' bytes, whatever order the map itself keeps.
pub(crate) fn sorted(members: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    members.into_iter()
}

fn yaml_member((name, value): (&String, &Value)) -> String {
    let name = quoted(name);
    let mark = if name.len() > YAML_KEY { "? " } else { "" };
    format!("{mark}{name}: {}", yaml(value))
}

/// YAML 1.1 takes `1e3` for text: its floats have a point, and a sign before their exponent.
fn yaml_number(number: &Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return text;
    };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// A string in double quotes that JSON, YAML and TOML read alike: they share the short escapes and `\uXXXX`.
///
/// Escaped is what any of them forbids (controls, DEL, noncharacters), takes for a line's end (NEL, U+2028, U+2029) or may take
/// for a mark (BOM). Beyond the BMP their escapes differ, so that these characters stand as they are.
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
