//! Reads each document back with a parser in Rust. `tests/library/formats.rs` reads them with the tools that people use.

use proptest::prelude::*;
use serde_json::{Number, json};

use super::*;

fn written(data: &Value, format: Format) -> String {
    document(data, format).unwrap().expose_text().unwrap().to_owned()
}

fn refused(data: &Value, format: Format) -> String {
    document(data, format).unwrap_err().to_string()
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// Words, numbers and marks that some reader does not read as text.
const TRAPS: [&str; 40] = [
    "",
    " ",
    "~",
    "null",
    "Null",
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "N",
    "true",
    "1e3",
    "0o17",
    "017",
    "0x1f",
    "1:20",
    "1_000",
    ".5",
    "-.inf",
    ".NaN",
    "2026-11-21",
    "2026-11-21T10:00:00Z",
    "=",
    "<<",
    "- a",
    "? a",
    "a: b",
    "a:",
    "a #b",
    "#",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "%a",
    "@a",
    "---",
    "...",
];

/// Text as people store it, and arbitrary text.
fn text() -> impl Strategy<Value = String> {
    let odd = "[ \t\r\n\0'\"\\\\:#=!$`{}\\[\\],&*|>%@~\u{7f}\u{85}\u{a0}\u{2028}\u{2029}\u{feff}\u{fffe}é😀ab0-9.-]{0,12}";
    prop_oneof![prop::sample::select(TRAPS.as_slice()).prop_map(String::from), odd, any::<String>()]
}

fn number() -> impl Strategy<Value = Number> {
    let float = prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO;
    prop_oneof![any::<i64>().prop_map(Number::from), float.prop_map(|float| Number::from_f64(float).unwrap())]
}

/// Any JSON, with nulls or without.
fn value(nulls: bool) -> impl Strategy<Value = Value> {
    let null = Just(if nulls { Value::Null } else { json!(false) });
    let leaf = prop_oneof![
        null,
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::Number),
        text().prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object(nulls: bool) -> impl Strategy<Value = Value> {
    prop::collection::btree_map(text(), value(nulls), 0..5)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

/// `value` with numbers in one form: readers write the same number with other digits.
fn normalized(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => json!({ "float": number.as_f64().unwrap().to_bits() }),
        Value::Array(items) => items.iter().map(normalized).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), normalized(value))).collect())
        }
        other => other.clone(),
    }
}

fn from_toml(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => json!(text),
        toml::Value::Integer(integer) => json!(integer),
        toml::Value::Float(float) => json!(float),
        toml::Value::Boolean(bool) => json!(bool),
        toml::Value::Datetime(datetime) => panic!("{datetime} was text"),
        toml::Value::Array(items) => items.iter().map(from_toml).collect(),
        toml::Value::Table(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), from_toml(value))).collect())
        }
    }
}

proptest! {
    #[test]
    fn json_reads_back_to_the_same_value(value in value(true)) {
        prop_assert_eq!(parsed(&written(&value, Format::Json)), value);
    }

    #[test]
    fn yaml_reads_back_to_the_same_value(value in value(true)) {
        let text = written(&value, Format::Yaml);
        let read: Value = serde_saphyr::from_str(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(normalized(&read), normalized(&value), "{}", text);
    }

    #[test]
    fn toml_reads_back_to_the_same_value(value in object(false)) {
        let text = written(&value, Format::Toml);
        let read: toml::Table = toml::from_str(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(normalized(&from_toml(&toml::Value::Table(read))), normalized(&value), "{}", text);
    }
}

/// A secret with text of several lines, unsorted members, and a nested object.
fn example() -> Value {
    json!({"user": "app", "on": "it's", "pem": "-----BEGIN X-----\nAA==\n-----END X-----\n", "primary": {"ports": [1, 2], "host": "db"}})
}

#[test]
fn each_document_is_written_as_people_write_it() {
    let json = concat!(
        "{\n  \"on\": \"it's\",\n  \"pem\": \"-----BEGIN X-----\\nAA==\\n-----END X-----\\n\",\n",
        "  \"primary\": {\n    \"host\": \"db\",\n    \"ports\": [\n      1,\n      2\n    ]\n  },\n  \"user\": \"app\"\n}\n",
    );
    let yaml = concat!(
        "\"on\": it's\npem: |\n  -----BEGIN X-----\n  AA==\n  -----END X-----\n",
        "primary:\n  host: db\n  ports:\n  - 1\n  - 2\nuser: app\n",
    );
    let toml = concat!(
        "on = \"it's\"\npem = \"\"\"\n-----BEGIN X-----\nAA==\n-----END X-----\n\"\"\"\nuser = \"app\"\n\n",
        "[primary]\nhost = \"db\"\nports = [\n    1,\n    2,\n]\n",
    );
    let env = concat!(
        "on=\"it's\"\npem='-----BEGIN X-----\nAA==\n-----END X-----\n'\n",
        "primary='{\"host\":\"db\",\"ports\":[1,2]}'\nuser='app'\n",
    );
    let properties = concat!(
        "on=it's\npem=-----BEGIN X-----\\nAA\\=\\=\\n-----END X-----\\n\n",
        "primary={\"host\"\\:\"db\",\"ports\"\\:[1,2]}\nuser=app\n",
    );
    assert_eq!(written(&example(), Format::Json), json);
    assert_eq!(written(&example(), Format::Yaml), yaml);
    assert_eq!(written(&example(), Format::Toml), toml);
    assert_eq!(written(&example(), Format::Env), env);
    assert_eq!(written(&example(), Format::Properties), properties);
}

#[test]
fn lines_that_some_yaml_reader_would_change_are_quoted() {
    for text in ["\ta\nb", "a\n\tb", "a \nb", "a\n \nb", " a\nb", "\na"] {
        assert_eq!(written(&json!(text), Format::Yaml).lines().count(), 1, "{text:?}");
    }
}

#[test]
fn a_line_of_yaml_is_never_folded() {
    let sentence = "correct horse battery staple ".repeat(20);
    assert_eq!(written(&json!({"a": sentence.trim()}), Format::Yaml), format!("a: {}\n", sentence.trim()));
}

#[test]
fn null_is_an_empty_variable_and_lists_and_objects_are_json() {
    let value = parsed(r#"{"A": null, "B": 1.10, "C": false, "D": [], "E": ""}"#);
    assert_eq!(written(&value, Format::Env), "A=''\nB='1.10'\nC='false'\nD='[]'\nE=''\n");
    assert_eq!(written(&value, Format::Properties), "A=\nB=1.10\nC=false\nD=[]\nE=\n");
}

#[test]
fn a_list_cannot_be_written_in_a_format_of_names() {
    for format in [Format::Toml, Format::Env, Format::Properties] {
        assert!(refused(&json!(["canary"]), format).contains("needs an object"));
    }
    assert_eq!(written(&json!(["a"]), Format::Yaml), "- a\n");
}

#[test]
fn toml_refuses_null_and_names_its_path() {
    assert_eq!(refused(&json!({"a": {"b": null}}), Format::Toml), r#"TOML has no null: key "a.b""#);
    assert_eq!(
        refused(&json!({"a": [1, {"b": [null]}]}), Format::Toml),
        r#"TOML has no null: key "a[1].b[0]""#
    );
}

#[test]
fn a_number_that_would_change_is_refused() {
    let exact = [
        "0",
        "-0",
        "-9223372036854775808",
        "1.10",
        "1e3",
        "0.1",
        "1e22",
        "5e-324",
        "0.0",
        "0e9999999999999999999",
        "2.9802322387695312e-8",
        "2.9802322387695313e-8",
        "5.684341886080802e-14",
    ];
    let both = [
        "18446744073709551616",
        "0.12345678901234567890123",
        "1e400",
        "1e-400",
        "9007199254740993.0",
        "1e99999999999999999999",
    ];
    for number in exact {
        written(&parsed(&format!(r#"{{"a": {number}}}"#)), Format::Toml);
    }
    for number in both {
        let value = parsed(&format!(r#"{{"a": [{number}]}}"#));
        assert_eq!(
            refused(&value, Format::Toml),
            r#"TOML cannot hold the number of key "a[0]" exactly: store it as text"#
        );
        assert!(matches!(document(&value, Format::Yaml), Err(FormatError::Inexact { .. })), "{number}");
        assert!(written(&value, Format::Json).contains(&value["a"][0].to_string()), "{number}");
    }
    let unsigned = parsed(r#"{"a": 18446744073709551615}"#);
    assert_eq!(written(&unsigned, Format::Yaml), "a: 18446744073709551615\n");
    assert!(matches!(document(&unsigned, Format::Toml), Err(FormatError::Inexact { .. })));
}

#[test]
fn a_variable_needs_a_name_that_a_shell_accepts() {
    for name in ["", "1A", "a-b", "a.b", "é", "a b", "A=B", "A\n"] {
        assert_eq!(
            document(&json!({ name: "v" }), Format::Env).unwrap_err(),
            FormatError::Name { key: name.into() }
        );
    }
    assert_eq!(written(&json!({"_": "a", "a_1": "b"}), Format::Env), "_='a'\na_1='b'\n");
}

#[test]
fn an_error_shows_names_truncated_and_escaped_and_never_a_value() {
    let name = format!("\n{}", "é".repeat(500));
    let cases = [
        (json!({ name.as_str(): "canary" }), Format::Env),
        (json!({ "A": "canary\0" }), Format::Env),
        (json!({ name.as_str(): ["canary", null] }), Format::Toml),
        (json!("canary"), Format::Properties),
    ];
    for (value, format) in cases {
        let error = document(&value, format).unwrap_err();
        let (message, debug) = (error.to_string(), format!("{error:?}"));
        assert!(
            !message.contains("canary") && !debug.contains("canary") && !message.contains('\n'),
            "{message}"
        );
        assert!(message.chars().count() <= 160, "{message}");
        assert_eq!(error.reason(), Reason::RenderFailed);
    }
}
