//! Renders Vault responses into file contents: selects a value, writes it as the upstream providers do, decodes it.

mod decode; // utf-8, base64, hex -> bytes
pub(crate) mod format; // a whole secret as one document
pub(crate) mod gojson; // JSON as Go writes it
pub(crate) mod quote; // text, quoted for other languages
mod response; // a whole response as one line of JSON
pub(crate) mod s5; // markers of ciphertext in a text
mod selector; // selects a value in a response

pub(crate) use response::response;
pub(crate) use selector::Selected;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::error::Reason;
use crate::secret::Secret;
use crate::spec::{Encoding, SelectorPath};

/// Why a value cannot become a file. Holds no secret and no text of the server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum RenderError {
    /// No member of that name, or null.
    #[error("{path} has no key {key:?}{hint}")]
    KeyMissing {
        /// The source.
        path: String,
        /// The name of the member.
        key: String,
        /// What the class means instead, with `: ` in front; may be empty. It names keys of the secret, and no value.
        hint: String,
    },
    /// No value at that place, or null.
    #[error("{path} has nothing at {pointer:?}")]
    PointerMissing {
        /// The source.
        path: String,
        /// The JSON pointer.
        pointer: String,
    },
    /// The response lacks the object in which the selector begins.
    #[error("the response to {path} has no {root}")]
    RootMissing {
        /// The source.
        path: String,
        /// The object that is missing.
        root: &'static str,
    },
    /// The text does not have the encoding that the class names.
    #[error("{what} of {path} is not {encoding}")]
    NotEncoded {
        /// The source.
        path: String,
        /// The key or the pointer of the value, in words.
        what: String,
        /// The encoding that the class names.
        encoding: &'static str,
    },
}

impl RenderError {
    /// The stable cause.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::KeyMissing { .. } | Self::PointerMissing { .. } | Self::RootMissing { .. } => {
                Reason::NotFound
            }
            Self::NotEncoded { .. } => Reason::RenderFailed,
        }
    }
}

/// The value that `selector` names in `members`; `source` is for the error.
pub(crate) fn value<'v>(
    members: &'v Map<String, Value>,
    selector: &SelectorPath,
    source: &dyn ToString,
) -> Result<Selected<'v>, RenderError> {
    selector::value(members, selector).ok_or_else(|| match selector {
        SelectorPath::Key(key) => RenderError::KeyMissing {
            path: source.to_string(),
            key: key.clone(),
            hint: selector::hint(members, key).map_or_else(String::new, |hint| format!(": {hint}")),
        },
        SelectorPath::Pointer(pointer) => {
            RenderError::PointerMissing { path: source.to_string(), pointer: pointer.clone() }
        }
        SelectorPath::Whole => RenderError::RootMissing { path: source.to_string(), root: "data" },
    })
}

/// The decoded bytes of `value`: a string is decoded by `encoding`, and so is the compact JSON of any other value. `selector` and `source` are
/// for the error.
pub(crate) fn bytes(
    value: &Value,
    encoding: Encoding,
    selector: &SelectorPath,
    source: &dyn ToString,
) -> Result<Secret, RenderError> {
    let what = || match selector {
        SelectorPath::Key(key) => format!("key {key:?}"),
        SelectorPath::Pointer(pointer) => format!("the value at {pointer:?}"),
        SelectorPath::Whole => "the text".into(),
    };
    let refused = |encoding| RenderError::NotEncoded { path: source.to_string(), what: what(), encoding };
    decode::bytes(selector::text(value), encoding).map_err(refused)
}

/// The bytes of `text`, decoded by `encoding`; `source` is for the error.
pub(crate) fn decoded(
    text: &Secret,
    encoding: Encoding,
    source: &dyn ToString,
) -> Result<Secret, RenderError> {
    let copy = Secret::from(text.expose().to_vec());
    let refused =
        |encoding| RenderError::NotEncoded { path: source.to_string(), what: "the text".into(), encoding };
    decode::bytes(copy, encoding).map_err(refused)
}
