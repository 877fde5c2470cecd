//! An answer and the way to a value -> text.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::gojson;
use crate::secret::Secret;
use crate::spec::SelectorPath;

/// What lies at the end of `way`; `None` when it is absent or null.
pub(crate) fn value<'v>(start: &'v Map<String, Value>, way: &SelectorPath) -> Option<Cow<'v, Value>> {
    match way {
        SelectorPath::Whole => Some(Cow::Owned(Value::Object(start.clone()))),
        SelectorPath::Key(key) => start.get(key).map(Cow::Borrowed),
        SelectorPath::Pointer(pointer) => at(start, pointer),
    }
    .filter(|value| !value.is_null())
}

/// By RFC 6901, 4; the empty pointer is the whole.
fn at<'v>(start: &'v Map<String, Value>, pointer: &str) -> Option<Cow<'v, Value>> {
    let Some(way) = pointer.strip_prefix('/') else { return value(start, &SelectorPath::Whole) };
    let end = way.find('/').unwrap_or(way.len());
    let (first, rest) = way.split_at(end);
    start.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest).map(Cow::Borrowed)
}

/// A string as it is, anything else as compact JSON.
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

    fn picked(start: Value, way: SelectorPath) -> Option<String> {
        value(start.as_object().unwrap(), &way).map(|value| text(&value).expose_text().unwrap().to_owned())
    }

    fn key(name: &str) -> SelectorPath {
        SelectorPath::Key(name.into())
    }

    fn pointer(text: &str) -> SelectorPath {
        SelectorPath::Pointer(text.into())
    }

    #[test]
    fn what_is_no_string_becomes_json_with_its_number_text_kept() {
        let data = || {
            serde_json::from_str(r#"{"n": 1.50, "big": 12345678901234567890123, "o": {"b": 1, "a": [true]}}"#)
                .unwrap()
        };
        assert_eq!(picked(data(), key("n")).as_deref(), Some("1.50"));
        assert_eq!(picked(data(), key("big")).as_deref(), Some("12345678901234567890123"));
        assert_eq!(picked(data(), key("o")).as_deref(), Some(r#"{"a":[true],"b":1}"#));
    }

    #[test]
    fn null_counts_as_missing() {
        assert_eq!(picked(json!({"a": null}), key("a")), None);
        assert_eq!(picked(json!({"a": null}), pointer("/a")), None);
        assert_eq!(picked(json!({}), key("a")), None);
    }

    #[test]
    fn a_pointer_leads_through_objects_and_lists_and_a_key_takes_every_character() {
        let data = || json!({"primary": {"hosts": ["a", "b"]}, "a/b": {"m~n": "odd"}, "": {"": "empty"}});
        assert_eq!(picked(data(), pointer("/primary/hosts/1")).as_deref(), Some("b"));
        assert_eq!(picked(data(), pointer("/a~1b/m~0n")).as_deref(), Some("odd"));
        assert_eq!(picked(data(), pointer("//")).as_deref(), Some("empty"));
        assert_eq!(picked(data(), pointer("/primary/hosts/2")), None);
        assert_eq!(picked(data(), key("a/b")).as_deref(), Some(r#"{"m~n":"odd"}"#));
        assert_eq!(picked(json!({"a": 1}), pointer("")).as_deref(), Some(r#"{"a":1}"#));
    }
}
