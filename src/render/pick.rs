//! A response and a key -> text, by the peers' rule.

use serde_json::{Map, Value};

use super::gojson;
use crate::secret::Secret;

/// The value of `key`: a string as it is, anything else as compact JSON; `None` when it is absent or null.
///
/// Looked for in `data.data` when that is an object (KV v2), else in `data` (KV v1, database, PKI, transit). A KV v1
/// secret with an object field named `data` is therefore read as KV v2: the peers do so, and files must stay the same.
pub(super) fn value(response: &Map<String, Value>, key: &str) -> Option<Secret> {
    let data = response.get("data")?.as_object()?;
    let data = data.get("data").and_then(Value::as_object).unwrap_or(data);
    match data.get(key)? {
        Value::Null => None,
        Value::String(text) => Some(Secret::from(text.as_str())),
        other => Some(gojson::line(other)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn picked(response: Value, key: &str) -> Option<String> {
        value(response.as_object().unwrap(), key).map(|text| text.expose_text().unwrap().to_owned())
    }

    #[test]
    fn kv_v2_is_looked_up_below_data_data_and_everything_else_below_data() {
        assert_eq!(picked(json!({"data": {"data": {"a": "2"}, "metadata": {}}}), "a").as_deref(), Some("2"));
        assert_eq!(picked(json!({"data": {"a": "1"}}), "a").as_deref(), Some("1"));
        assert_eq!(picked(json!({"data": {"data": "text"}}), "data").as_deref(), Some("text"));
    }

    #[test]
    fn what_is_no_string_becomes_json_with_its_number_text_kept() {
        let response =
            || serde_json::from_str(r#"{"data": {"n": 1.50, "big": 12345678901234567890123, "o": {"b": 1, "a": [true]}}}"#).unwrap();
        assert_eq!(picked(response(), "n").as_deref(), Some("1.50"));
        assert_eq!(picked(response(), "big").as_deref(), Some("12345678901234567890123"));
        assert_eq!(picked(response(), "o").as_deref(), Some(r#"{"a":[true],"b":1}"#));
    }

    #[test]
    fn null_counts_as_missing() {
        assert_eq!(picked(json!({"data": {"a": null}}), "a"), None);
        assert_eq!(picked(json!({"data": null}), "a"), None);
        assert_eq!(picked(json!({}), "a"), None);
    }
}
