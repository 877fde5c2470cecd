//! About how much memory values take.

use serde_json::Value;

/// What a value takes beside its text: itself, and its share of the collection around it.
const NODE: usize = 48;

/// About how many bytes of memory `value` takes.
pub fn weight(value: &Value) -> usize {
    NODE + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| NODE + name.len() + weight(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
