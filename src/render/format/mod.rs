//! Writes a whole secret as one document. Members are sorted at every level, so that equal data gives equal bytes.

mod exact; // the JSON values that YAML and TOML can hold without loss
mod lines; // one line for each member: env, properties
mod tree; // nested documents: json, yaml, toml
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::class::diagnostics::Shown;
use crate::error::Reason;
use crate::render::quote::QuoteError;
use crate::secret::Secret;
use crate::spec::Format;

/// Why a secret cannot be written as a document. Shows the names of members, truncated and escaped, but never a value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum FormatError {
    /// A list or a scalar in a format that needs an object.
    #[error(
        "{format} needs an object, but this is a list or a single value: choose json or yaml, or select an object in it"
    )]
    NotObject {
        /// The format.
        format: &'static str,
    },
    /// A null in TOML.
    #[error("TOML has no null: key {}", Shown(.path))]
    Null {
        /// The path of the value, as `a.b[0]`.
        path: String,
    },
    /// A number that the format would change: an integer of more than 64 bits, or more digits than a double holds.
    #[error("{format} cannot hold the number of key {} exactly: store it as text", Shown(.path))]
    Inexact {
        /// The format.
        format: &'static str,
        /// The path of the value, as `a.b[0]`.
        path: String,
    },
    /// A name that an environment variable cannot have.
    #[error("key {} cannot be the name of an environment variable: write the file with a template", Shown(.key))]
    Name {
        /// The name of the member.
        key: String,
    },
    /// A value that the format cannot quote.
    #[error("key {}: {source}", Shown(.key))]
    Quote {
        /// The name of the member.
        key: String,
        /// What is wrong with the value.
        source: QuoteError,
    },
    /// The library that writes the format failed. Its error text is dropped, because it may quote the value.
    #[error("the value cannot be written as {format}: choose another format, or select a part of it")]
    Unwritable {
        /// The format.
        format: &'static str,
    },
}

impl FormatError {
    /// The stable reason.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Quote { source, .. } => source.reason(),
            Self::NotObject { .. }
            | Self::Null { .. }
            | Self::Inexact { .. }
            | Self::Name { .. }
            | Self::Unwritable { .. } => Reason::RenderFailed,
        }
    }
}

/// Writes `data` as one document; `env`, `properties` and `toml` need an object.
pub(crate) fn document(data: &Value, format: Format) -> Result<Secret, FormatError> {
    match format {
        Format::Json => tree::json(data),
        Format::Yaml => tree::yaml(data),
        Format::Toml => tree::toml(data),
        Format::Env => lines::env(members(data, "env")?),
        Format::Properties => Ok(lines::properties(members(data, "properties")?)),
    }
}

fn members<'a>(data: &'a Value, format: &'static str) -> Result<&'a Map<String, Value>, FormatError> {
    data.as_object().ok_or(FormatError::NotObject { format })
}
