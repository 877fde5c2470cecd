//! Selects a value in a response, and writes it as text.

use std::ops::Deref;

use serde_json::{Map, Value};

use super::gojson;
use crate::class::spelling::nearest;
use crate::secret::{Secret, WipedJson, WipedMap};
use crate::spec::SelectorPath;

/// A selected value: borrowed from the response, or a copy of the whole object, which is wiped on drop.
pub(crate) enum Selected<'v> {
    /// A member of the response.
    Member(&'v Value),
    /// A copy of the object in which selectors begin.
    Whole(WipedJson),
}

impl Selected<'_> {
    /// The value as a copy that is wiped on drop.
    pub(crate) fn into_wiped(self) -> WipedJson {
        match self {
            Self::Member(value) => value.clone().into(),
            Self::Whole(value) => value,
        }
    }
}

impl Deref for Selected<'_> {
    type Target = Value;

    fn deref(&self) -> &Value {
        match self {
            Self::Member(value) => value,
            Self::Whole(value) => value,
        }
    }
}

/// The value at `path` in `members`; `None` if it is absent or null.
pub(crate) fn value<'v>(members: &'v Map<String, Value>, path: &SelectorPath) -> Option<Selected<'v>> {
    match path {
        SelectorPath::Whole => Some(Selected::Whole(WipedMap::copy_of(members).into())),
        SelectorPath::Key(key) => members.get(key).map(Selected::Member),
        SelectorPath::Pointer(pointer) => at_pointer(members, pointer),
    }
    .filter(|value| !value.is_null())
}

/// What a class with the missing `key` means: a value inside another one, or a key of nearly the same name.
pub(crate) fn hint(members: &Map<String, Value>, key: &str) -> Option<String> {
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
    let Some(path) = pointer.strip_prefix('/') else { return value(members, &SelectorPath::Whole) };
    let end = path.find('/').unwrap_or(path.len());
    let (first, rest) = path.split_at(end);
    members.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest).map(Selected::Member)
}

/// A string without quotes; any other value as compact JSON.
pub(crate) fn text(value: &Value) -> Secret {
    match value {
        Value::String(text) => Secret::from(text.as_str()),
        other => gojson::line(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selected(members: Value, path: SelectorPath) -> Option<String> {
        value(members.as_object().unwrap(), &path).map(|value| text(&value).expose_text().unwrap().to_owned())
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
}
