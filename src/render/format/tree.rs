//! Documents with levels: JSON, YAML and TOML, each written by its library.

use serde_json::Value;

use super::FormatError;
use super::exact;
use crate::render::format::exact::Limits;
use crate::render::gojson;
use crate::secret::Secret;

/// Two spaces a level and a newline at the end; numbers keep their text, and nothing is escaped that JSON can hold.
pub(crate) fn json(data: &Value) -> Result<Secret, FormatError> {
    let text = serde_json::to_string_pretty(&gojson::sorted(data))
        .map_err(|_| FormatError::Unwritable { format: "JSON" })?;
    Ok(Secret::from(text + "\n"))
}

/// Block style; text on several lines stands as a literal block where that is exact. Quoted is all that YAML 1.1 or 1.2 would
/// take for something else than text.
pub(crate) fn yaml(data: &Value) -> Result<Secret, FormatError> {
    // A long line is never folded: a password with spaces stays one line that can be searched for.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let mut text = String::new();
    serde_saphyr::to_fmt_writer_with_options(&mut text, &exact::view(data, Limits::YAML)?, options)
        .map_err(|_| FormatError::Unwritable { format: "YAML" })?;
    Ok(Secret::from(text))
}

/// TOML 1.0, a table for each object.
pub(crate) fn toml(data: &Value) -> Result<Secret, FormatError> {
    crate::render::format::members(data, "TOML")?;
    let text = toml::to_string_pretty(&exact::view(data, Limits::TOML)?)
        .map_err(|_| FormatError::Unwritable { format: "TOML" })?;
    Ok(Secret::from(text))
}
