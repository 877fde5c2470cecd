//! Nested documents: JSON, YAML and TOML, each written by its library.

use serde_json::Value;

use super::exact::{self, FormatLimits};
use super::{FormatError, members};
use crate::render::gojson;
use crate::secret::Secret;

/// JSON with an indentation of two spaces and a newline at the end. Numbers keep their digits; only characters that JSON requires to escape are
/// escaped.
pub(crate) fn json(data: &Value) -> Result<Secret, FormatError> {
    let text = serde_json::to_string_pretty(&gojson::sorted(data))
        .map_err(|_| FormatError::Unwritable { format: "JSON" })?;
    Ok(Secret::from(text + "\n"))
}

/// YAML in block style. Text of several lines is a literal block if that is exact. Text that YAML 1.1 or 1.2 would not read as text is quoted.
pub(crate) fn yaml(data: &Value) -> Result<Secret, FormatError> {
    // Long lines are not folded, so that a password with spaces stays on one line.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let mut text = String::new();
    serde_saphyr::to_fmt_writer_with_options(&mut text, &exact::view(data, FormatLimits::YAML)?, options)
        .map_err(|_| FormatError::Unwritable { format: "YAML" })?;
    Ok(Secret::from(text))
}

/// TOML 1.0 with a table for each object.
pub(crate) fn toml(data: &Value) -> Result<Secret, FormatError> {
    members(data, "TOML")?;
    let text = toml::to_string_pretty(&exact::view(data, FormatLimits::TOML)?)
        .map_err(|_| FormatError::Unwritable { format: "TOML" })?;
    Ok(Secret::from(text))
}
