//! One line for each member: environment files and Java's properties. Objects and lists are written as JSON, null as an empty value.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::FormatError;
use crate::render::quote;
use crate::secret::{Secret, SecretWriter};

/// `NAME='value'` lines. [`quote::env`] says how other programs than a shell read them.
pub(crate) fn env(members: &Map<String, Value>) -> Result<Secret, FormatError> {
    let mut out = SecretWriter::default();
    for (key, value) in quote::sorted(members) {
        if !is_variable(key) {
            return Err(FormatError::Name { key: key.clone() });
        }
        let value =
            quote::env(&text(value)).map_err(|source| FormatError::Quote { key: key.clone(), source })?;
        out.extend([key.as_str(), "=", &value, "\n"]);
    }
    Ok(out.into())
}

/// `key=value` lines that `java.util.Properties.load` reads from a stream of bytes.
pub(crate) fn properties(members: &Map<String, Value>) -> Secret {
    let mut out = SecretWriter::default();
    for (key, value) in quote::sorted(members) {
        let (key, value) = (quote::properties_key(key), quote::properties(&text(value)));
        out.extend([key.as_str(), "=", &value, "\n"]);
    }
    out.into()
}

fn text(value: &Value) -> Zeroizing<String> {
    match value {
        Value::String(text) => Zeroizing::new(text.clone()),
        Value::Null => Zeroizing::default(),
        _ => quote::json(value),
    }
}

/// True for a name in the sense of POSIX (Base Definitions, 3.231): letters, digits and `_`, not starting with a digit.
fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
