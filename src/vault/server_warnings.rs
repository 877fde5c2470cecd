//! Warnings in responses: each is logged once per call and text, unless it contains a value of the response.

use serde_json::Value;
use tracing::warn;

use super::VaultResponse;
use crate::bounded_map::BoundedMap;
use crate::mutex::Mutex;
use crate::spec::Address;

/// The most bytes of a warning that are shown.
const SHOWN_BYTES: usize = 256;
/// The most warnings that are remembered. Beyond it all are forgotten, and logged again.
const CAPACITY: usize = 1024;
/// A shorter value counts only as a whole word: `ec` is in many words.
const SHORT: usize = 8;

/// The warnings that were logged.
#[derive(Default)]
pub(crate) struct ServerWarnings {
    logged: Mutex<BoundedMap<String, (), CAPACITY>>,
}

impl ServerWarnings {
    /// Logs the warnings of `response`, which answers the call `doing` to the server at `address`.
    pub(crate) fn report(&self, response: &VaultResponse, doing: &str, address: &Address) {
        for text in response.texts(&["warnings"]) {
            let warning = shown(text, response);
            // The server writes TTLs into its texts, which may differ from call to call.
            let without_numbers: String = warning.chars().filter(|c| !c.is_ascii_digit()).collect();
            let key = format!("{address} {doing}: {without_numbers}");
            let mut logged = self.logged.lock();
            if logged.get(&key).is_none() {
                logged.insert(key, ());
                drop(logged);
                warn!(server = %address, "{doing}: the server warns: {warning}");
            }
        }
    }
}

/// The text of a warning as the log shows it.
fn shown(text: &str, response: &VaultResponse) -> String {
    let mut secret =
        ["data", "auth", "wrap_info"].into_iter().filter_map(|name| response.members().get(name));
    if secret.any(|value| quotes(text, value)) {
        return "a text that is not shown, because it contains a value of the response".to_owned();
    }
    let end = text.floor_char_boundary(SHOWN_BYTES);
    let cut = if end < text.len() { "..." } else { "" };
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{}{cut}", text.get(..text.floor_char_boundary(end)).unwrap_or_default())
}

/// True if `text` contains a string or a number of `value`.
fn quotes(text: &str, value: &Value) -> bool {
    match value {
        Value::String(value) => contains(text, value.trim()),
        Value::Number(value) => contains(text, &value.to_string()),
        Value::Array(items) => items.iter().any(|item| quotes(text, item)),
        Value::Object(members) => members.values().any(|member| quotes(text, member)),
        Value::Null | Value::Bool(_) => false,
    }
}

fn contains(text: &str, value: &str) -> bool {
    let is_end = |character: Option<char>| !character.is_some_and(char::is_alphanumeric);
    !value.is_empty()
        && text.match_indices(value).any(|(at, _)| {
            value.len() >= SHORT
                || is_end(text.get(..at).and_then(|before| before.chars().next_back()))
                    && is_end(text.get(at + value.len()..).and_then(|after| after.chars().next()))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown_of(text: &str, data: Value) -> String {
        let body = json!({"request_id": "r", "lease_id": "", "data": data, "warnings": [text]});
        shown(text, &VaultResponse::parse(body.to_string().as_bytes(), "read").unwrap())
    }

    #[test]
    fn a_warning_with_a_value_of_the_response_is_not_shown() {
        for data in [
            json!({"password": "c4nary"}),
            json!({"data": {"inner": ["c4nary"]}}),
            json!({"long": "word c4nary is w"}),
            json!({"pin": 1234}),
        ] {
            let warning = shown_of("the password c4nary is weak, and 1234 too", data.clone());
            assert!(warning.contains("not shown"), "{data}: {warning}");
        }
        let ttl = "TTL \"720h0m0s\" is longer than the role's specific maxTTL";
        assert_eq!(shown_of(ttl, json!({"type": "ec", "empty": "", "version": 1})), ttl);
    }

    #[test]
    fn a_long_warning_is_cut_and_has_one_line() {
        let warning = shown_of(&format!("a\nb{}", "é".repeat(400)), json!({}));
        assert!(warning.starts_with("a b") && warning.ends_with("é..."), "{warning}");
        assert!(warning.len() <= SHOWN_BYTES + 3);
    }
}
