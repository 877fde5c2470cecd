//! What people and editors are told of the language: written from the fields themselves.

use std::fmt::Write;

use serde_json::{Value, json};

use super::field::{Field, mapping};
use super::shapes::{BELOW, OBJECT, VALUE};

/// The tables of `docs/reference.md`, in Markdown.
pub fn reference() -> String {
    let mut text = String::new();
    for (title, fields) in OBJECT {
        let _ = write!(text, "\n### {title}\n\n{}", table(fields));
    }
    for (name, fields) in BELOW {
        let _ = write!(text, "\n### `{name}`\n\n{}", table(fields));
    }
    text
}

fn table(fields: &[Field]) -> String {
    let mut text = String::from("| field | type | default | meaning |\n| --- | --- | --- | --- |\n");
    for Field { name, default, meaning, kind } in fields {
        let told = kind().told.replace('|', "\\|");
        let _ = writeln!(text, "| `{name}` | {told} | {default} | {meaning} |");
    }
    text
}

/// The JSON Schema (2020-12) of `objects`, for editors; it knows names and types, not what may stand beside what.
pub fn schema() -> Value {
    let fields: Vec<_> = OBJECT.iter().map(|(_, fields)| *fields).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "objects of a SecretProviderClass for vaultmount",
        "type": "array",
        "minItems": 1,
        "items": mapping("object", "A source and its files", &fields).schema,
        "$defs": {"value": mapping("value", "A source and which part of its answer", &VALUE).schema},
    })
}
