//! JSON as Go writes it, for files must keep the bytes that the peers gave them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use crate::secret::Secret;

/// `value` on one line: keys sorted, no spaces, `<`, `>`, `&`, U+2028 and U+2029 escaped (Go's `encoding/json`).
pub(crate) fn line(value: &Value) -> Secret {
    let mut bytes = Vec::new();
    // Writing a `Value` into memory cannot fail: its keys are strings and a `Vec` takes every byte.
    let _ = sorted(value).serialize(&mut Serializer::with_formatter(&mut bytes, GoFormatter));
    Secret::from(bytes)
}

/// A view of a value that names its members in Go's order (by bytes), whatever order the map itself keeps.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Sorted<'a> {
    Object(BTreeMap<&'a str, Sorted<'a>>),
    Array(Vec<Sorted<'a>>),
    Scalar(&'a Value),
}

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
    /// A piece of text without characters that JSON itself wants escaped; Go also escapes what HTML and JavaScript misread.
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (before, after) = rest.split_at(at);
            let Some(odd) = after.chars().next() else { break };
            write!(writer, "{before}\\u{:04x}", u32::from(odd))?;
            rest = &after[odd.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    /// Lower-case hexadecimal digits, and no escape of a character that needs none, as Go from 1.22 on.
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
    fn it_escapes_what_go_escapes() {
        assert_eq!(
            text(&json!("a<b>&c\u{2028}\u{1}\u{8}\"\\/é")),
            r#""a\u003cb\u003e\u0026c\u2028\u0001\b\"\\/é""#
        );
        assert_eq!(text(&json!("\u{7f}\r\n\t\u{c}")), "\"\u{7f}\\r\\n\\t\\f\"");
    }

    #[test]
    fn members_are_sorted_at_every_depth_and_keys_are_escaped_too() {
        let value = serde_json::from_str(r#"{"b": [{"d": 1, "c": 1e+400}], "a<": null}"#).unwrap();
        assert_eq!(text(&value), r#"{"a\u003c":null,"b":[{"c":1e+400,"d":1}]}"#);
    }
}
