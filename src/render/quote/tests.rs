//! Reads quoted text back with parsers in Rust. `tests/library/formats.rs` reads it with the tools that people use.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The value that systemd's `EnvironmentFile` reads after `NAME=` (its src/basic/env-file.c). Quoted parts may follow each other; after the first
/// character outside of quotes the rest of the line is literal.
fn systemd(line: &str) -> String {
    let (mut value, mut rest) = (String::new(), line);
    while let Some(quote) = rest.chars().next() {
        assert!(matches!(quote, '\'' | '"'), "outside of quotes: {rest}");
        let (piece, after) = rest[1..].split_once(quote).unwrap();
        assert!(quote == '\'' || !piece.contains(['\\', '$', '`']), "escapes in double quotes: {piece}");
        value.push_str(piece);
        rest = after;
    }
    value
}

/// The value that `java.util.Properties.load` reads.
fn java(text: &str) -> String {
    let (mut units, mut chars) = (Vec::new(), text.trim_start_matches([' ', '\t', '\u{c}']).chars());
    while let Some(c) = chars.next() {
        let c = if c == '\\' {
            chars.next().unwrap()
        } else {
            units.push(u32::from(c) as u16);
            continue;
        };
        units.push(match c {
            'n' => 10,
            'r' => 13,
            't' => 9,
            'f' => 12,
            'u' => u16::from_str_radix(&chars.by_ref().take(4).collect::<String>(), 16).unwrap(),
            c => u32::from(c) as u16,
        });
    }
    String::from_utf16(&units).unwrap()
}

proptest! {
    #[test]
    fn systemd_reads_a_value_as_a_shell_does(text in "[^\\x00]*") {
        prop_assert_eq!(systemd(&shell(&text).unwrap()), text.clone());
        prop_assert_eq!(systemd(&env(&text).unwrap()), text);
    }

    #[test]
    fn a_value_of_properties_is_ascii_and_reads_back(text in any::<String>()) {
        prop_assert!(properties(&text).chars().all(|c| matches!(c, ' '..='~')));
        prop_assert_eq!(java(&properties(&text)), text.clone());
        prop_assert_eq!(java(&properties_key(&text)), text);
    }

    #[test]
    fn a_string_of_toml_reads_back(text in any::<String>()) {
        let read: toml::Table = toml::from_str(&format!("a = {}", toml(&text).as_str())).unwrap();
        prop_assert_eq!(read["a"].as_str().unwrap(), text);
    }

    #[test]
    fn a_flow_of_yaml_is_one_line_and_reads_back(text in any::<String>()) {
        let value = json!({ text.as_str(): [text.as_str(), null, true, 1, {}], "": { "b": 1.5 } });
        let line = yaml(&value);
        let one_line = !line.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
        prop_assert!(one_line);
        prop_assert_eq!(&serde_saphyr::from_str::<Value>(&line).unwrap(), &value);
        prop_assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
    }

    #[test]
    fn a_part_of_a_url_reads_back(text in any::<String>()) {
        let quoted = url(&text);
        prop_assert!(quoted.chars().all(|c| c.is_ascii_alphanumeric() || "-._~%".contains(c)));
        prop_assert_eq!(percent_encoding::percent_decode_str(&quoted).decode_utf8().unwrap(), text);
    }
}

#[test]
fn an_apostrophe_is_written_in_a_form_that_every_reader_accepts() {
    assert_eq!(*shell("it's").unwrap(), r#"'it'"'"'s'"#);
    assert_eq!(*env("it's").unwrap(), r#""it's""#);
    assert_eq!(*env("it's $5").unwrap(), r#"'it'"'"'s $5'"#);
    assert_eq!(*env("").unwrap(), "''");
}

#[test]
fn a_nul_is_refused_in_formats_where_it_ends_the_value() {
    assert_eq!((shell("a\0b"), env("'\0")), (Err(QuoteError::Nul), Err(QuoteError::Nul)));
    assert_eq!(QuoteError::Nul.reason(), Reason::RenderFailed);
}

#[test]
fn json_is_one_sorted_line_without_escapes_for_html() {
    let value =
        serde_json::from_str(r#"{"b": {"d": 1.10, "c": "</a>&\u2028"}, "a": 12345678901234567890123}"#)
            .unwrap();
    assert_eq!(*json(&value), "{\"a\":12345678901234567890123,\"b\":{\"c\":\"</a>&\u{2028}\",\"d\":1.10}}");
}

#[test]
fn every_yaml_reader_reads_a_number_as_a_number() {
    let value: Value = serde_json::from_str("[1e3, 1E-7, 1.5e+9, -2, 0.10]").unwrap();
    assert_eq!(*yaml(&value), "[1.0e+3, 1.0e-7, 1.5e+9, -2, 0.10]");
}

#[test]
fn a_long_yaml_key_has_a_question_mark() {
    let value = json!({ "k".repeat(2000): 1 });
    assert!(yaml(&value).starts_with("{? \"kkk"));
}
