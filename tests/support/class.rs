//! The part of a SecretProviderClass that a provider sees.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// `spec.parameters`, with the objects separate.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    parameters: BTreeMap<String, String>,
    objects: Vec<Value>,
}

/// A class of one file: `key` of the KV v2 secret `path` under `secret/`.
pub(crate) fn kv(name: &str, path: &str, key: &str) -> Class {
    object(json!({ "objectName": name, "secretPath": format!("secret/data/{path}"), "secretKey": key }))
}

/// A class of one entry, in the fields of `objects`.
pub(crate) fn object(entry: Value) -> Class {
    Class { parameters: role(), objects: vec![entry] }
}

/// A class with exactly this text as `objects`.
pub(crate) fn typed(objects: &str) -> Class {
    Class { parameters: role(), objects: Vec::new() }.with("objects", objects)
}

/// The role, and `refresh: 0s`: every republish reads, so that a test sees a change without waiting.
fn role() -> BTreeMap<String, String> {
    BTreeMap::from([("roleName".into(), "web".into()), ("refresh".into(), "0s".into())])
}

impl Class {
    /// Adds the entries of another class.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.objects.extend(other.objects);
        self
    }

    /// Adds a field to every entry.
    pub(crate) fn each(mut self, field: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        self.objects.iter_mut().for_each(|entry| entry[field] = value.clone());
        self
    }

    /// Sets a class-level parameter, also the text of `objects`.
    pub(crate) fn with(mut self, parameter: &str, value: impl Into<String>) -> Self {
        self.parameters.insert(parameter.into(), value.into());
        self
    }

    /// Removes a parameter.
    pub(crate) fn without(mut self, parameter: &str) -> Self {
        self.parameters.remove(parameter);
        if parameter == "objects" {
            self.objects.clear();
        }
        self
    }

    /// `spec.parameters`, with the objects as a YAML list, one field per line, unless their text was set or removed.
    pub(crate) fn parameters(&self) -> BTreeMap<String, String> {
        let mut parameters = self.parameters.clone();
        if !self.objects.is_empty() {
            parameters.entry("objects".into()).or_insert_with(|| self.objects.iter().map(entry).collect());
        }
        parameters
    }
}

/// One list entry. A value's JSON is valid YAML, except for characters that YAML reads as a line break.
fn entry(fields: &Value) -> String {
    let lines = fields
        .as_object()
        .unwrap()
        .iter()
        .map(|(field, value)| format!("{field}: {value}").chars().map(escaped).collect());
    let text: Vec<String> = lines.collect();
    format!("- {}\n", text.join("\n  "))
}

fn escaped(letter: char) -> String {
    let breaks = letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
    if breaks { format!("\\u{:04x}", u32::from(letter)) } else { letter.into() }
}
