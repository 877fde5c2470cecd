//! A SecretProviderClass, as far as a provider sees it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// `spec.parameters`, with the objects still apart.
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

/// A class whose `objects` are as the author typed them.
pub(crate) fn typed(objects: &str) -> Class {
    Class { parameters: role(), objects: Vec::new() }.with("objects", objects)
}

/// The role; and every republish reads, so that a test need not wait to see a change.
fn role() -> BTreeMap<String, String> {
    BTreeMap::from([("roleName".into(), "web".into()), ("refresh".into(), "0s".into())])
}

impl Class {
    /// The entries of another class too.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.objects.extend(other.objects);
        self
    }

    /// One more field in every entry.
    pub(crate) fn each(mut self, field: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        self.objects.iter_mut().for_each(|entry| entry[field] = value.clone());
        self
    }

    /// A class-level parameter; `objects` too, as the author typed it.
    pub(crate) fn with(mut self, parameter: &str, value: impl Into<String>) -> Self {
        self.parameters.insert(parameter.into(), value.into());
        self
    }

    /// The same without that parameter.
    pub(crate) fn without(mut self, parameter: &str) -> Self {
        self.parameters.remove(parameter);
        if parameter == "objects" {
            self.objects.clear();
        }
        self
    }

    /// `spec.parameters`; the objects as a YAML list, one field a line, unless they were typed or taken away.
    pub(crate) fn parameters(&self) -> BTreeMap<String, String> {
        let mut parameters = self.parameters.clone();
        if !self.objects.is_empty() {
            parameters.entry("objects".into()).or_insert_with(|| self.objects.iter().map(entry).collect());
        }
        parameters
    }
}

/// One list entry; a value's JSON is YAML too, but for what YAML takes as the end of a line.
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
