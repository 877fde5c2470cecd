//! One value of a response: selected, written as text as the upstream providers do, and decoded into bytes.

use std::ops::Deref;

use serde_json::{Map, Value};
use thiserror::Error;

use super::{gojson, parsed};
use crate::class::spelling::nearest;
use crate::error::Reason;
use crate::secret::{Secret, SecretWriter, WipedJson, WipedMap};
use crate::spec::encoding::base64;
use crate::spec::{Encoding, ParsedPath, SelectorPath};

/// The value that `selector` names in `members`; `source` is for the error.
pub(crate) fn value<'v>(
    members: &'v Map<String, Value>,
    selector: &SelectorPath,
    source: &dyn ToString,
) -> Result<Selected<'v>, RenderError> {
    if let SelectorPath::Parsed(path) = selector {
        return inside(members, path, source);
    }
    find(members, selector).ok_or_else(|| match selector {
        SelectorPath::Key(key) => RenderError::KeyMissing {
            path: source.to_string(),
            key: key.clone(),
            hint: hint(members, key).map_or_else(String::new, |hint| format!(": {hint}")),
        },
        SelectorPath::Pointer(pointer) => {
            RenderError::PointerMissing { path: source.to_string(), pointer: pointer.clone() }
        }
        SelectorPath::Whole | SelectorPath::Parsed(_) => {
            RenderError::RootMissing { path: source.to_string(), root: "data" }
        }
    })
}

/// The value at `path`, inside the only text on the way that is parsed. A member that is not a text is used as it is.
fn inside<'v>(
    members: &'v Map<String, Value>,
    path: &ParsedPath,
    source: &dyn ToString,
) -> Result<Selected<'v>, RenderError> {
    let pointer_missing = || RenderError::PointerMissing {
        path: match &path.key {
            Some(key) => format!("key {key:?} of {}", source.to_string()),
            None => source.to_string(),
        },
        pointer: path.pointer.clone(),
    };
    let (selector, rest) = match &path.key {
        Some(key) => (SelectorPath::Key(key.clone()), path.pointer.as_str()),
        None => {
            let end = parsed::end_of_text(members, &path.pointer).ok_or_else(pointer_missing)?;
            let (before, rest) = path.pointer.split_at(end);
            (SelectorPath::Pointer(before.to_owned()), rest)
        }
    };
    let member = value(members, &selector, source)?;
    let document = match member.as_str() {
        Some(text) => parsed::parse(text, path.syntax).map_err(|error| RenderError::NotParsed {
            path: source.to_string(),
            what: what(&selector),
            syntax: error.syntax,
            place: error.place,
        })?,
        None => member.into_wiped(),
    };
    let found = document.pointer(rest).filter(|value| !value.is_null());
    Ok(Selected::Copy(found.ok_or_else(pointer_missing)?.clone().into()))
}

/// The object that `selector` selects in `members`; `source` is for the error.
pub(crate) fn object<'v>(
    members: &'v Map<String, Value>,
    selector: &SelectorPath,
    source: &dyn ToString,
) -> Result<SelectedObject<'v>, RenderError> {
    if *selector == SelectorPath::Whole {
        return Ok(SelectedObject::Members(members));
    }
    match value(members, selector, source)?.as_object() {
        Some(object) => Ok(SelectedObject::Parsed(WipedMap::copy_of(object))),
        None => Err(RenderError::NotObject { path: source.to_string(), what: what(selector) }),
    }
}

/// The selected value in words.
fn what(selector: &SelectorPath) -> String {
    match selector {
        SelectorPath::Key(key) => format!("key {key:?}"),
        SelectorPath::Pointer(pointer) => format!("the value at {pointer:?}"),
        SelectorPath::Parsed(ParsedPath { key: Some(key), pointer, .. }) if pointer.is_empty() => {
            format!("key {key:?}")
        }
        SelectorPath::Parsed(ParsedPath { key: Some(key), pointer, .. }) => {
            format!("the value at {pointer:?} in key {key:?}")
        }
        SelectorPath::Parsed(ParsedPath { key: None, pointer, .. }) => format!("the value at {pointer:?}"),
        SelectorPath::Whole => "the text".into(),
    }
}

/// The decoded bytes of `value`: a string is decoded by `encoding`, and so is the compact JSON of any other value. `selector` and `source` are
/// for the error.
pub(crate) fn bytes(
    value: &Value,
    encoding: Encoding,
    selector: &SelectorPath,
    source: &dyn ToString,
) -> Result<Secret, RenderError> {
    let refused =
        |encoding| RenderError::NotEncoded { path: source.to_string(), what: what(selector), encoding };
    decode(text(value), encoding).map_err(refused)
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
    decode(copy, encoding).map_err(refused)
}

/// A selected value: borrowed from the response, or a copy, which is wiped on drop.
pub(crate) enum Selected<'v> {
    /// A member of the response.
    Member(&'v Value),
    /// A copy of the object in which selectors begin, or a value inside a parsed text.
    Copy(WipedJson),
}

impl Selected<'_> {
    /// The value as a copy that is wiped on drop.
    pub(crate) fn into_wiped(self) -> WipedJson {
        match self {
            Self::Member(value) => value.clone().into(),
            Self::Copy(value) => value,
        }
    }
}

/// A selected object.
pub(crate) enum SelectedObject<'v> {
    /// The object in which selectors begin.
    Members(&'v Map<String, Value>),
    /// A copy of an object inside a parsed text, which is wiped on drop.
    Parsed(WipedMap),
}

impl Deref for SelectedObject<'_> {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Map<String, Value> {
        match self {
            Self::Members(members) => members,
            Self::Parsed(object) => object,
        }
    }
}

impl Deref for Selected<'_> {
    type Target = Value;

    fn deref(&self) -> &Value {
        match self {
            Self::Member(value) => value,
            Self::Copy(value) => value,
        }
    }
}

/// The value at `path` in `members`; `None` if it is absent or null.
fn find<'v>(members: &'v Map<String, Value>, path: &SelectorPath) -> Option<Selected<'v>> {
    match path {
        SelectorPath::Whole => Some(Selected::Copy(WipedMap::copy_of(members).into())),
        SelectorPath::Key(key) => members.get(key).map(Selected::Member),
        SelectorPath::Pointer(pointer) => at_pointer(members, pointer),
        SelectorPath::Parsed(_) => None, // see `parsed`
    }
    .filter(|value| !value.is_null())
}

/// What a class with the missing `key` means: a value inside another one, or a key of nearly the same name.
fn hint(members: &Map<String, Value>, key: &str) -> Option<String> {
    let pointer = format!("/{}", key.trim_start_matches('/').replace('.', "/"));
    if key.contains(['.', '/']) && at_pointer(members, &pointer).is_some() {
        return Some(format!("the value is nested, so write `pointer: {pointer}` in place of secretKey"));
    }
    let near = nearest(key, members.keys().map(String::as_str))?;
    let is_case = near.eq_ignore_ascii_case(key);
    Some(format!("did you mean {near:?}?{}", if is_case { " Case matters" } else { "" }))
}

/// The value at a JSON pointer (RFC 6901, section 4); the empty pointer is the whole object.
fn at_pointer<'v>(members: &'v Map<String, Value>, pointer: &str) -> Option<Selected<'v>> {
    let Some(path) = pointer.strip_prefix('/') else { return find(members, &SelectorPath::Whole) };
    let end = path.find('/').unwrap_or(path.len());
    let (first, rest) = path.split_at(end);
    members.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest).map(Selected::Member)
}

/// A string without quotes; any other value as compact JSON.
fn text(value: &Value) -> Secret {
    match value {
        Value::String(text) => Secret::from(text.as_str()),
        other => gojson::line(other),
    }
}

/// Decodes `text`.
///
/// # Errors
/// The name of the encoding that `text` does not have.
fn decode(text: Secret, encoding: Encoding) -> Result<Secret, &'static str> {
    match encoding {
        Encoding::Utf8 => Ok(text),
        Encoding::Base64 => base64(text.expose()).ok_or("base64"),
        Encoding::Hex => hex(text.expose()).ok_or("hex"),
    }
}

fn hex(text: &[u8]) -> Option<Secret> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_chunks::<2>();
    let mut bytes = SecretWriter::with_capacity(pairs.len());
    for [high, low] in pairs {
        bytes.extend_from_slice(&[digit(*high)? << 4 | digit(*low)?]);
    }
    rest.is_empty().then(|| bytes.into())
}

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
    /// The text is not a document of the language that the class names.
    #[error("{what} of {path} is not {syntax}{place}: correct it, or remove `parse`")]
    NotParsed {
        /// The source.
        path: String,
        /// The text in words.
        what: String,
        /// The language.
        syntax: &'static str,
        /// The line and the column of the mistake, if they are known; may be empty.
        place: String,
    },
    /// The selected value has no keys.
    #[error("{what} of {path} is not an object, which `keys` and `format` need")]
    NotObject {
        /// The source.
        path: String,
        /// The value in words.
        what: String,
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
    /// Whether its text also says what to do.
    pub(crate) fn has_remedy(&self) -> bool {
        matches!(self, Self::KeyMissing { hint, .. } if !hint.is_empty())
    }

    /// The stable cause.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::KeyMissing { .. } | Self::PointerMissing { .. } | Self::RootMissing { .. } => {
                Reason::NotFound
            }
            Self::NotEncoded { .. } | Self::NotParsed { .. } | Self::NotObject { .. } => Reason::RenderFailed,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::spec::TextSyntax;

    fn selected(members: Value, path: SelectorPath) -> Option<String> {
        find(members.as_object().unwrap(), &path).map(|value| text(&value).expose_text().unwrap().to_owned())
    }

    fn key(name: &str) -> SelectorPath {
        SelectorPath::Key(name.into())
    }

    fn pointer(text: &str) -> SelectorPath {
        SelectorPath::Pointer(text.into())
    }

    #[test]
    fn a_value_that_is_not_a_string_becomes_json_with_the_digits_of_its_numbers() {
        let data = || {
            serde_json::from_str(r#"{"n": 1.50, "big": 12345678901234567890123, "o": {"b": 1, "a": [true]}}"#)
                .unwrap()
        };
        assert_eq!(selected(data(), key("n")).as_deref(), Some("1.50"));
        assert_eq!(selected(data(), key("big")).as_deref(), Some("12345678901234567890123"));
        assert_eq!(selected(data(), key("o")).as_deref(), Some(r#"{"a":[true],"b":1}"#));
    }

    #[test]
    fn a_missing_key_has_a_hint_for_nested_values_case_and_spelling() {
        let data =
            json!({"Token_ID": "c4nary", "db": {"user": {"name": "c4nary"}}, "password": "c4nary", "a.b": 1});
        let hint = |key| hint(data.as_object().unwrap(), key).unwrap_or_default();
        for (key, words) in [
            ("token_id", "did you mean \"Token_ID\"? Case matters"),
            ("db.user", "pointer: /db/user"),
            ("db.user.name", "pointer: /db/user/name"),
            ("/db/user", "pointer: /db/user"),
            ("PASSWORD", "did you mean \"password\"? Case matters"),
            ("pasword", "did you mean \"password\"?"),
        ] {
            assert!(hint(key).contains(words) && !hint(key).contains("c4nary"), "{key}: {}", hint(key));
        }
        assert_eq!((hint("db.host"), hint("certificate")), (String::new(), String::new()));
    }

    #[test]
    fn null_counts_as_missing() {
        assert_eq!(selected(json!({"a": null}), key("a")), None);
        assert_eq!(selected(json!({"a": null}), pointer("/a")), None);
        assert_eq!(selected(json!({}), key("a")), None);
    }

    #[test]
    fn a_pointer_selects_in_objects_and_lists_and_a_key_may_have_any_character() {
        let data = || json!({"primary": {"hosts": ["a", "b"]}, "a/b": {"m~n": "odd"}, "": {"": "empty"}});
        assert_eq!(selected(data(), pointer("/primary/hosts/1")).as_deref(), Some("b"));
        assert_eq!(selected(data(), pointer("/a~1b/m~0n")).as_deref(), Some("odd"));
        assert_eq!(selected(data(), pointer("//")).as_deref(), Some("empty"));
        assert_eq!(selected(data(), pointer("/primary/hosts/2")), None);
        assert_eq!(selected(data(), key("a/b")).as_deref(), Some(r#"{"m~n":"odd"}"#));
        assert_eq!(selected(json!({"a": 1}), pointer("")).as_deref(), Some(r#"{"a":1}"#));
    }

    fn as_bytes(text: &str, encoding: Encoding) -> Result<Vec<u8>, &'static str> {
        decode(Secret::from(text), encoding).map(|bytes| bytes.expose().to_vec())
    }

    #[test]
    fn base64_is_standard_and_padded_and_may_be_broken_into_lines() {
        assert_eq!(as_bytes("aGVs\r\nbG8=", Encoding::Base64), Ok(b"hello".to_vec()));
        assert_eq!(
            as_bytes("aGl=", Encoding::Base64),
            Ok(b"hi".to_vec()),
            "extra bits after the last byte are ignored"
        );
        for bad in ["aGVsbG8", "aGVsbG8_", "aGVs bG8="] {
            assert_eq!(as_bytes(bad, Encoding::Base64), Err("base64"), "{bad}");
        }
    }

    #[test]
    fn hex_takes_both_cases_and_only_whole_bytes() {
        assert_eq!(as_bytes("00fFAb", Encoding::Hex), Ok(vec![0x00, 0xff, 0xab]));
        for bad in ["0", "0g", "+1", "0x01"] {
            assert_eq!(as_bytes(bad, Encoding::Hex), Err("hex"), "{bad}");
        }
    }

    fn document(key: Option<&str>, pointer: &str, syntax: TextSyntax) -> Result<String, String> {
        let data = json!({
            "config": "{\"db\": {\"password\": \"pw\", \"n\": 1.50, \"a/b\": [\"x\"]}, \"none\": null}",
            "settings": "db:\n  password: pw\n  list: [a, 010]\n",
            "object": {"deep": "[1, {\"k\": \"v\"}]", "plain": "{c4nary"},
            "list": ["{\"a\": \"b\"}"],
        });
        let pointer = pointer.to_owned();
        let path = SelectorPath::Parsed(ParsedPath { key: key.map(str::to_owned), pointer, syntax });
        let found = value(data.as_object().unwrap(), &path, &"secret/data/x");
        found.map(|value| value.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_pointer_continues_inside_the_text() {
        use TextSyntax::{Json, Yaml};
        for (key, pointer, syntax, expected) in [
            (Some("config"), "/db/password", Json, "\"pw\""),
            (Some("config"), "/db/a~1b/0", Json, "\"x\""),
            (Some("config"), "/db/n", Json, "1.50"),
            (None, "/config/db/password", Json, "\"pw\""),
            (None, "/object/deep/1/k", Json, "\"v\""),
            (None, "/object/deep", Json, "[1,{\"k\":\"v\"}]"),
            (None, "/list/0/a", Json, "\"b\""),
            (Some("settings"), "/db/list/1", Yaml, "8"),
            (None, "/settings/db/password", Yaml, "\"pw\""),
            (Some("object"), "/plain", Json, "\"{c4nary\""),
        ] {
            assert_eq!(document(key, pointer, syntax).as_deref(), Ok(expected), "{key:?} {pointer}");
        }
    }

    #[test]
    fn what_is_missing_or_is_no_document_is_named_without_its_text() {
        use TextSyntax::{Json, Yaml};
        for (key, pointer, syntax, words) in [
            (Some("config"), "/db/host", Json, "key \"config\" of secret/data/x has nothing at \"/db/host\""),
            (Some("config"), "/none", Json, "has nothing at"),
            (Some("other"), "", Json, "has no key \"other\""),
            (None, "/nowhere/a", Json, "nothing at \"/nowhere/a\""),
            (None, "/object/plain/a", Json, "the value at \"/object/plain\" of secret/data/x is not JSON"),
            (None, "/object/plain", Yaml, "is not YAML"),
        ] {
            let error = document(key, pointer, syntax).unwrap_err();
            assert!(error.contains(words) && !error.contains("c4nary"), "{error}");
        }
    }
}
