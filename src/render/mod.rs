//! Renders Vault responses into file contents: selects a value, writes it as the upstream providers do, decodes it.

pub(crate) mod format; // a whole secret as one document
pub(crate) mod gojson; // JSON as Go writes it
pub(crate) mod quote; // text, quoted for other languages
mod parsed; // a place inside a text that holds a document
mod response; // a whole response as one line of JSON
pub(crate) mod s5; // markers of ciphertext in a text
mod value; // one value of a response: selected, and decoded into bytes

pub(crate) use response::response;
pub(crate) use value::{RenderError, Selected, SelectedObject, bytes, decoded, object, value};
