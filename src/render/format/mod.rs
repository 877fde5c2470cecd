//! The whole of a secret as one document: members sorted at every level, equal data giving equal bytes.

pub mod exact; // JSON -> what YAML and TOML can hold without loss
pub mod lines; // one line a member: env, properties
pub mod tree; // documents with levels: json, yaml, toml
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::class::diagnostics::Shown;
use crate::error::Reason;
use crate::render::quote::QuoteError;
use crate::secret::Secret;
use crate::spec::Format;

/// Why a secret cannot become a document. Names of its members are shown, cut and escaped; its values never.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// A list or a scalar where only named members can stand.
    #[error(
        "{format} needs an object, and this is a list or a single value: choose json or yaml, or pick deeper"
    )]
    NotObject {
        /// The document's language.
        format: &'static str,
    },
    /// A null in TOML.
    #[error("TOML has no null: key {}", Shown(.place))]
    Null {
        /// Where it stands, as `a.b[0]`.
        place: String,
    },
    /// A number that would change: an integer beyond 64 bits, or more digits than a double holds.
    #[error("{format} cannot hold the number of key {} exactly: store it as text", Shown(.place))]
    Inexact {
        /// The document's language.
        format: &'static str,
        /// Where it stands, as `a.b[0]`.
        place: String,
    },
    /// No name that a shell can give a variable.
    #[error("key {} is no name of an environment variable: write the file by a template", Shown(.key))]
    Name {
        /// The name of the member.
        key: String,
    },
    /// A value that the language cannot quote.
    #[error("key {}: {source}", Shown(.key))]
    Quote {
        /// The name of the member.
        key: String,
        /// What is wrong with its value.
        source: QuoteError,
    },
    /// The library that writes this language gave up; its text is dropped, for it may quote the value.
    #[error("the value cannot be written as {format}: choose another format, or pick deeper")]
    Unwritable {
        /// The document's language.
        format: &'static str,
    },
}

impl FormatError {
    /// The stable cause.
    pub fn reason(&self) -> Reason {
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

/// `data` as one document; `env`, `properties` and `toml` need an object.
pub fn document(data: &Value, format: Format) -> Result<Secret, FormatError> {
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
