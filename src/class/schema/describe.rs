//! What people and editors are told of the language: written from the fields themselves.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::class::parameters::{PARAMETERS, Parameter};
use crate::class::schema::field::{Field, mapping};
use crate::class::schema::table::{BELOW, OBJECT, VALUE};

/// The table of `docs/reference.md`, in Markdown: every parameter of a class and every field below `objects`.
pub fn reference() -> String {
    let mut text = String::from(
        "| name | stands in | type | default | set by | bound by | meaning |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for parameter in PARAMETERS {
        let names: Vec<_> = parameter.names().iter().map(|name| format!("`{name}`")).collect();
        let Parameter { told, default, bound, meaning, .. } = parameter;
        let _ = writeln!(
            text,
            "| {} | class | {told} | {default} | class, pod | {bound} | {meaning} |",
            names.join(", ")
        );
    }
    for (place, fields) in OBJECT.iter().chain(&BELOW) {
        for Field { name, default, meaning, kind } in *fields {
            let told = kind().told.replace('|', "\\|");
            let _ = writeln!(text, "| `{name}` | {place} | {told} | {default} | class | | {meaning} |");
        }
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
