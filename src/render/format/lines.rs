//! One line for each member: environment files and Java's properties. Objects and lists are written as JSON, null as an empty value.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::FormatError;
use crate::render::quote;
use crate::secret::Secret;

/// `NAME='value'` lines. [`quote::env`] says how other programs than a shell read them.
pub(crate) fn env(members: &Map<String, Value>) -> Result<Secret, FormatError> {
    let mut out = String::new();
    for (key, value) in quote::sorted(members) {
        if !is_variable(key) {
            return Err(FormatError::Name { key: key.clone() });
        }
        let value =
            quote::env(&text(value)).map_err(|source| FormatError::Quote { key: key.clone(), source })?;
        out.extend([key, "=", &value, "\n"]);
    }
    Ok(Secret::from(out))
}

/// `key=value` lines that `java.util.Properties.load` reads from a stream of bytes.
pub(crate) fn properties(members: &Map<String, Value>) -> Secret {
    let mut out = String::new();
    for (key, value) in quote::sorted(members) {
        out.extend([&quote::properties_key(key), "=", &quote::properties(&text(value)), "\n"]);
    }
    Secret::from(out)
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed(""),
        _ => Cow::Owned(quote::json(value)),
    }
}

/// True for a name in the sense of POSIX (Base Definitions, 3.231): letters, digits and `_`, not starting with a digit.
fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
