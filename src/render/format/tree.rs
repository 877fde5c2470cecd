//! Nested documents: JSON, YAML and TOML, each written by its library.

use serde_json::Value;

use super::exact::{self, FormatLimits};
use super::{FormatError, members};
use crate::render::gojson;
use crate::secret::{Secret, SecretWriter};

/// JSON with an indentation of two spaces and a newline at the end. Numbers keep their digits; only characters that JSON requires to escape are
/// escaped.
pub(crate) fn json(data: &Value) -> Result<Secret, FormatError> {
    let mut text = SecretWriter::default();
    serde_json::to_writer_pretty(&mut text, &gojson::sorted(data))
        .map_err(|_| FormatError::Unwritable { format: "JSON" })?;
    text.push('\n');
    Ok(text.into())
}

/// YAML in block style. Text of several lines is a literal block if that is exact. Text that YAML 1.1 or 1.2 would not read as text is quoted.
pub(crate) fn yaml(data: &Value) -> Result<Secret, FormatError> {
    // Long lines are not folded, so that a password with spaces stays on one line.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let mut text = SecretWriter::default();
    serde_saphyr::to_fmt_writer_with_options(&mut text, &exact::view(data, FormatLimits::YAML)?, options)
        .map_err(|_| FormatError::Unwritable { format: "YAML" })?;
    Ok(text.into())
}

/// TOML 1.0 with a table for each object. The library has no writer but a `String`: what that leaves when it grows is not wiped.
pub(crate) fn toml(data: &Value) -> Result<Secret, FormatError> {
    members(data, "TOML")?;
    let text = toml::to_string_pretty(&exact::view(data, FormatLimits::TOML)?)
        .map_err(|_| FormatError::Unwritable { format: "TOML" })?;
    Ok(Secret::from(text))
}
