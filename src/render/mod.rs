//! Answers -> file contents: pick a value, write it as the peers would, decode it.

pub mod format; // the whole of a secret -> one document
pub mod quote; // text in the quoting of other languages

mod decode; // utf-8, base64, hex -> bytes
mod gojson; // JSON as Go writes it
mod pick; // a response and a key -> text
pub mod s5; // markers of ciphertext in a text
mod whole; // a response without a key -> one line of JSON

use serde_json::{Map, Value};
use thiserror::Error;

use crate::config::Object;
use crate::error::Reason;
use crate::secret::Secret;

/// Why a value cannot become a file. Holds no value and no text of the server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RenderError {
    /// Nothing of that name, or null.
    #[error("{path} has no key {key:?}")]
    KeyMissing {
        /// Where it was looked for.
        path: String,
        /// What was looked for.
        key: String,
    },
    /// The text is not what `encoding` says.
    #[error("key {key:?} of {path} is not {encoding}")]
    NotEncoded {
        /// Where the value comes from.
        path: String,
        /// The key of the value.
        key: String,
        /// What it should have been.
        encoding: &'static str,
    },
}

impl RenderError {
    /// The stable cause.
    pub fn reason(&self) -> Reason {
        match self {
            Self::KeyMissing { .. } => Reason::NotFound,
            Self::NotEncoded { .. } => Reason::RenderFailed,
        }
    }
}

/// The bytes of `object`'s file, from the members of the response that its call got.
pub fn contents(object: &Object, response: &Map<String, Value>) -> Result<Secret, RenderError> {
    let path = || object.request.path.to_string();
    let Some(key) = &object.key else {
        return Ok(whole::response(response));
    };
    let text = pick::value(response, key).ok_or_else(|| RenderError::KeyMissing { path: path(), key: key.clone() })?;
    decode::bytes(text, object.encoding).map_err(|encoding| RenderError::NotEncoded { path: path(), key: key.clone(), encoding })
}
