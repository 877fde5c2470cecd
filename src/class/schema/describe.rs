//! The reference and the JSON Schema of `objects`, generated from the tables.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::class::parameter_table::{PARAMETERS, Parameter};
use crate::class::schema::field::{Field, mapping};
use crate::class::schema::table::{BELOW, OBJECT, OF_SOURCES, VALUE};

/// The table of `docs/reference.md`, in Markdown: every parameter of a class and every field below `objects`.
pub(crate) fn reference() -> String {
    let mut text = String::from(
        "| name | allowed in | type | default | set by | limited by | meaning |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for parameter in PARAMETERS {
        let names: Vec<_> = parameter.names().iter().map(|name| format!("`{name}`")).collect();
        let Parameter { value_type, default, limited_by, meaning, .. } = parameter;
        let _ = writeln!(
            text,
            "| {} | class | {value_type} | {default} | class, pod | {limited_by} | {meaning} |",
            names.join(", ")
        );
    }
    for (place, fields) in OBJECT.iter().chain(&OF_SOURCES).chain(&BELOW) {
        for Field { name, default, meaning, kind } in *fields {
            let description = kind().description.replace('|', "\\|");
            let _ =
                writeln!(text, "| `{name}` | {place} | {description} | {default} | class | | {meaning} |");
        }
    }
    text
}

/// The JSON Schema (2020-12) of `objects`, for editors. It describes names and types, but not which fields exclude each other.
pub(crate) fn schema() -> Value {
    let fields: Vec<_> = OBJECT.iter().map(|(_, fields)| *fields).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "objects of a SecretProviderClass for vaultmount",
        "type": "array",
        "minItems": 1,
        "items": mapping("object", "A source and its files", &fields).schema,
        "$defs": {"value": mapping("value", "A source, and the part of its response", &VALUE).schema},
    })
}
