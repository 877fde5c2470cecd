//! Texts of a response that hold JSON or YAML.

use serde_json::{Map, Value};

use crate::goyaml;
use crate::secret::WipedJson;
use crate::spec::TextSyntax;

/// The length of the part of `pointer` that leads to the first text, or the whole length if it meets none; `None` if it leads nowhere.
pub(super) fn end_of_text(members: &Map<String, Value>, pointer: &str) -> Option<usize> {
    let Some(path) = pointer.strip_prefix('/') else { return Some(pointer.len()) };
    let first = path.find('/').map_or(pointer.len(), |at| at + 1);
    let mut value = members.get(&path[..first - 1].replace("~1", "/").replace("~0", "~"))?;
    let mut end = first;
    while end < pointer.len() && !value.is_string() {
        let next = pointer[end + 1..].find('/').map_or(pointer.len(), |at| end + 1 + at);
        value = value.pointer(&pointer[end..next])?;
        end = next;
    }
    Some(end)
}

/// A text is not a document: the language, and the place of the mistake, which is empty if it is not known.
pub(super) struct NotParsed {
    pub(super) syntax: &'static str,
    pub(super) place: String,
}

/// The document in `text`. The error has no word of the text.
pub(super) fn parse(text: &str, syntax: TextSyntax) -> Result<WipedJson, NotParsed> {
    match syntax {
        TextSyntax::Json => {
            serde_json::from_str::<Value>(text).map(WipedJson::from).map_err(|error| NotParsed {
                syntax: "JSON",
                place: format!(" (line {}, column {} of the text)", error.line(), error.column()),
            })
        }
        TextSyntax::Yaml => goyaml::value(text)
            .map(WipedJson::from)
            .ok_or_else(|| NotParsed { syntax: "YAML", place: String::new() }),
    }
}
