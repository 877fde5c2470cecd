//! Answers -> file contents: pick a value, write it as the peers would, decode it.

pub mod decode; // utf-8, base64, hex -> bytes
pub mod format; // the whole of a secret -> one document
pub mod gojson; // JSON as Go writes it
pub mod quote; // text in the quoting of other languages
pub mod response; // a response without a key -> one line of JSON
pub mod s5; // markers of ciphertext in a text
pub mod selector; // an answer and the way to a value -> text

pub use response::response;

use std::borrow::Cow;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::error::Reason;
use crate::secret::Secret;
use crate::spec::{Encoding, SelectorPath};

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
    /// Nothing there, or null.
    #[error("{path} has nothing at {pointer:?}")]
    PointerMissing {
        /// Where it was looked for.
        path: String,
        /// What was looked for.
        pointer: String,
    },
    /// No such member in the answer.
    #[error("the answer of {path} has no {start}")]
    StartMissing {
        /// What was asked.
        path: String,
        /// Where the way should have begun.
        start: &'static str,
    },
    /// The text is not what `encoding` says.
    #[error("{what} of {path} is not {encoding}")]
    NotEncoded {
        /// Where the value comes from.
        path: String,
        /// The key or pointer of the value.
        what: String,
        /// What it should have been.
        encoding: &'static str,
    },
}

impl RenderError {
    /// The stable cause.
    pub fn reason(&self) -> Reason {
        match self {
            Self::KeyMissing { .. } | Self::PointerMissing { .. } | Self::StartMissing { .. } => {
                Reason::NotFound
            }
            Self::NotEncoded { .. } => Reason::RenderFailed,
        }
    }
}

/// What lies at the end of `way`, which begins at `start`; `path` is for the error.
pub fn value<'v>(
    start: &'v Map<String, Value>,
    way: &SelectorPath,
    path: &dyn ToString,
) -> Result<Cow<'v, Value>, RenderError> {
    selector::value(start, way).ok_or_else(|| match way {
        SelectorPath::Key(key) => RenderError::KeyMissing { path: path.to_string(), key: key.clone() },
        SelectorPath::Pointer(pointer) => {
            RenderError::PointerMissing { path: path.to_string(), pointer: pointer.clone() }
        }
        SelectorPath::Whole => RenderError::StartMissing { path: path.to_string(), start: "data" },
    })
}

/// The bytes that `value` stands for: a string by its `encoding`, anything else as compact JSON in it.
pub fn bytes(
    value: &Value,
    encoding: Encoding,
    way: &SelectorPath,
    path: &dyn ToString,
) -> Result<Secret, RenderError> {
    let what = || match way {
        SelectorPath::Key(key) => format!("key {key:?}"),
        SelectorPath::Pointer(pointer) => format!("what stands at {pointer:?}"),
        SelectorPath::Whole => "the text".into(),
    };
    let refused = |encoding| RenderError::NotEncoded { path: path.to_string(), what: what(), encoding };
    decode::bytes(selector::text(value), encoding).map_err(refused)
}

/// The bytes that `text` stands for.
pub fn decoded(text: &Secret, encoding: Encoding, path: &dyn ToString) -> Result<Secret, RenderError> {
    let copy = Secret::from(text.expose().to_vec());
    let refused =
        |encoding| RenderError::NotEncoded { path: path.to_string(), what: "the text".into(), encoding };
    decode::bytes(copy, encoding).map_err(refused)
}
