//! An estimate of the memory that JSON values take.

use serde_json::Value;

/// Bytes of a value without its text: the value itself, and its share of the collection around it.
const NODE: usize = 48;

/// The estimated bytes of memory that `value` takes.
pub(crate) fn weight(value: &Value) -> usize {
    NODE + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| NODE + name.len() + weight(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
