//! JSON as Go's `encoding/json` writes it: files must have the same bytes as with the upstream providers.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use crate::secret::{Secret, SecretWriter};

/// `value` on one line: keys sorted, no spaces; `<`, `>`, `&`, U+2028 and U+2029 escaped.
pub(crate) fn line(value: &Value) -> Secret {
    let mut bytes = SecretWriter::default();
    // Writing a `Value` into memory cannot fail: its keys are strings, and the writer accepts every byte.
    let _ = sorted(value).serialize(&mut Serializer::with_formatter(&mut bytes, GoFormatter));
    Secret::from(bytes)
}

/// A view of a value whose members are in Go's order (by bytes), whatever the order of the map.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Sorted<'a> {
    Object(BTreeMap<&'a str, Sorted<'a>>),
    Array(Vec<Sorted<'a>>),
    Scalar(&'a Value),
}

/// The view of `value`.
pub(crate) fn sorted(value: &Value) -> Sorted<'_> {
    match value {
        Value::Object(members) => {
            Sorted::Object(members.iter().map(|(key, value)| (key.as_str(), sorted(value))).collect())
        }
        Value::Array(items) => Sorted::Array(items.iter().map(sorted).collect()),
        scalar => Sorted::Scalar(scalar),
    }
}

struct GoFormatter;

impl Formatter for GoFormatter {
    /// Writes a fragment that has no character that JSON requires to escape. Go also escapes characters that HTML and JavaScript misread.
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (before, after) = rest.split_at(at);
            let Some(special) = after.chars().next() else { break };
            write!(writer, "{before}\\u{:04x}", u32::from(special))?;
            rest = &after[special.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    /// Writes escapes as Go does from 1.22 on: hexadecimal digits in lower case, and no escape for a character that needs none.
    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        let short: &[u8] = match escape {
            CharEscape::Quote => b"\\\"",
            CharEscape::ReverseSolidus => b"\\\\",
            CharEscape::Solidus => b"/",
            CharEscape::Backspace => b"\\b",
            CharEscape::FormFeed => b"\\f",
            CharEscape::LineFeed => b"\\n",
            CharEscape::CarriageReturn => b"\\r",
            CharEscape::Tab => b"\\t",
            CharEscape::AsciiControl(byte) => return write!(writer, "\\u{byte:04x}"),
        };
        writer.write_all(short)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(value: &Value) -> String {
        line(value).expose_text().unwrap().to_owned()
    }

    #[test]
    fn the_characters_that_go_escapes_are_escaped() {
        assert_eq!(
            text(&json!("a<b>&c\u{2028}\u{1}\u{8}\"\\/é")),
            r#""a\u003cb\u003e\u0026c\u2028\u0001\b\"\\/é""#
        );
        assert_eq!(text(&json!("\u{7f}\r\n\t\u{c}")), "\"\u{7f}\\r\\n\\t\\f\"");
    }

    #[test]
    fn members_are_sorted_at_every_level_and_keys_are_escaped_too() {
        let value = serde_json::from_str(r#"{"b": [{"d": 1, "c": 1e+400}], "a<": null}"#).unwrap();
        assert_eq!(text(&value), r#"{"a\u003c":null,"b":[{"c":1e+400,"d":1}]}"#);
    }
}
