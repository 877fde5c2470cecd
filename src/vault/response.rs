//! One response.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::VaultError;
use crate::blocking;
use crate::vault::error_body::ENVELOPE;

/// Values that one answer may hold: two bytes of JSON become up to a hundred of memory, so 8 MiB of them would fill a node.
const VALUES: usize = 200_000;

/// The members of one response (`request_id`, `lease_id`, `data`, ..). Prints nothing; its strings are wiped on drop.
pub struct VaultResponse(Map<String, Value>);

impl VaultResponse {
    /// Reads a response's body, which must have the form of the API; `doing` is for the error, which quotes nothing of the body.
    pub(crate) fn parse(body: &[u8], doing: &str) -> Result<Self, VaultError> {
        let answer = Self::parse_any(body, doing)?;
        if answer.has_api_form() {
            return Ok(answer);
        }
        Err(VaultError::Malformed {
            doing: doing.to_owned(),
            why: "it has not the form of the API: something in between may have answered",
        })
    }

    /// The same for the few paths that answer with an object of their own.
    pub(crate) fn parse_any(body: &[u8], doing: &str) -> Result<Self, VaultError> {
        let malformed = |why| VaultError::Malformed { doing: doing.to_owned(), why };
        if values(body) > VALUES {
            return Err(VaultError::TooLarge {
                doing: doing.to_owned(),
                limit: "the answer holds more than 200,000 values",
            });
        }
        match blocking::run_if_large(body.len(), || serde_json::from_slice(body)) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(malformed("it is no JSON object")),
            Err(_) if body.is_empty() => Err(malformed("it is empty")),
            Err(_) => Err(malformed("it is no JSON")),
        }
    }

    /// True when Vault or OpenBao may have sent it: with the members that each response has, or with some of them and no others.
    fn has_api_form(&self) -> bool {
        let is_text = |name| self.0.get(name).is_some_and(Value::is_string);
        let holds =
            |name| self.0.get(name).and_then(Value::as_object).is_some_and(|members| !members.is_empty());
        let data_fits = self.0.get("data").is_none_or(|data| data.is_object() || data.is_null());
        let whole = is_text("request_id") && is_text("lease_id");
        let in_part = is_text("request_id") || ["data", "auth", "wrap_info"].into_iter().any(holds);
        data_fits && (whole || in_part && self.0.keys().all(|name| ENVELOPE.contains(&name.as_str())))
    }

    /// Its members; values go into files and nowhere else.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The id by which the server's audit log knows it.
    pub fn request_id(&self) -> Option<&str> {
        self.0.get("request_id")?.as_str()
    }

    /// True when something lives on at the server that ends with the token: a lease, another token, or what is wrapped.
    pub fn is_leased(&self) -> bool {
        let holds = |name| self.0.get(name).is_some_and(|value| !value.is_null() && value != "");
        ["lease_id", "auth", "wrap_info"].into_iter().any(holds)
    }

    /// What lives on at the server with it: its name, how long it lives, and whether the login that asked may renew it. A token of its own, or
    /// one that wraps the answer, is its holder's to renew.
    pub fn lease(&self) -> Option<(&str, Duration, bool)> {
        if let Some(id) = self.text(&["lease_id"]) {
            return Some((id, self.seconds(&["lease_duration"]), self.is_true(&["renewable"])));
        }
        let held = |within: &str, ttl: &str| {
            self.at(&[within])?.as_object().map(|_| {
                (self.text(&[within, "accessor"]).unwrap_or("token"), self.seconds(&[within, ttl]), false)
            })
        };
        held("auth", "lease_duration").or_else(|| held("wrap_info", "ttl"))
    }

    /// A string at `path`, when there is one that is not empty.
    pub(crate) fn text(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str().filter(|text| !text.is_empty())
    }

    /// A number of seconds at `path`; zero when there is none.
    pub(crate) fn seconds(&self, path: &[&str]) -> Duration {
        Duration::from_secs(self.number(path))
    }

    /// A whole number at `path`; zero when there is none.
    pub(crate) fn number(&self, path: &[&str]) -> u64 {
        self.at(path).and_then(Value::as_u64).unwrap_or_default()
    }

    pub(crate) fn is_true(&self, path: &[&str]) -> bool {
        self.at(path) == Some(&Value::Bool(true))
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        let (last, parents) = path.split_last()?;
        parents.iter().try_fold(&self.0, |object, name| object.get(*name)?.as_object())?.get(*last)
    }
}

impl From<Map<String, Value>> for VaultResponse {
    fn from(members: Map<String, Value>) -> Self {
        Self(members)
    }
}

impl fmt::Debug for VaultResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer(..)")
    }
}

impl Drop for VaultResponse {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

/// Memory of an object: a node of its map has places for eleven members, used or not.
const OBJECT: usize = 640;
/// Memory of a member beside its text: its share of a node that is half full, and the two allocations of its name and value.
const MEMBER: usize = 184;
/// Memory of an element of a list beside its text: its place in a list that may have grown to the double, and its own allocation.
const ELEMENT: usize = 96;
/// Memory of a list: its first four places and their allocation.
const LIST: usize = 256;

/// Deeper than that the parser gives up, and nothing of what follows is built.
const DEPTH: usize = 128;

/// About how much memory the JSON in `body` takes as a tree, on top of its texts: what opens and separates values, outside of strings.
pub(crate) fn tree_cost(body: &[u8]) -> usize {
    let (mut cost, mut depth, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                cost += if *byte == b'{' { OBJECT } else { LIST };
                depth += 1;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b':' => cost += MEMBER,
            b',' => cost += ELEMENT,
            _ => {}
        }
        if depth > DEPTH {
            break;
        }
    }
    cost
}

/// At least as many values as the JSON in `body` holds: what separates them, outside of strings.
fn values(body: &[u8]) -> usize {
    let (mut count, mut in_string, mut escaped) = (0, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b':' | b'[' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    #[test]
    fn what_is_no_response_is_an_error_that_quotes_nothing() {
        for body in ["", "canary", "[\"canary\"]", "{\"data\": canary}", &"[".repeat(100_000)] {
            let error = VaultResponse::parse(body.as_bytes(), "read a/b").unwrap_err();
            assert_eq!(error.reason(), Reason::Malformed);
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn many_small_values_are_refused_before_they_take_memory() {
        let many = format!("{{\"data\": [{}1]}}", "1,".repeat(VALUES));
        assert_eq!(
            VaultResponse::parse(many.as_bytes(), "read a/b").unwrap_err().reason(),
            Reason::PayloadTooLarge
        );
        let one = serde_json::json!({ "data": { "csv": "a,b:[\"\\".repeat(VALUES) } }).to_string();
        assert!(VaultResponse::parse(one.as_bytes(), "read a/b").is_ok(), "separators inside of a text");
    }

    #[test]
    fn a_lease_and_a_token_of_its_own_are_both_leased() {
        let leased = |body: &str| VaultResponse::parse(body.as_bytes(), "").unwrap().is_leased();
        assert!(
            leased(r#"{"request_id": "r", "lease_id": "database/creds/app/x"}"#)
                && leased(r#"{"auth": {"client_token": "t"}}"#)
        );
        assert!(!leased(r#"{"request_id": "r", "lease_id": "", "auth": null, "data": {}}"#));
    }

    #[test]
    fn an_object_of_something_else_is_no_response() {
        let parse = |body: &str| VaultResponse::parse(body.as_bytes(), "").map_err(|error| error.reason());
        for body in [
            "{}",
            r#"{"message": "ok", "request_id": "r"}"#,
            r#"{"data": {}}"#,
            r#"{"data": {"a": 1}, "status": "ok"}"#,
            r#"{"request_id": "r", "lease_id": "", "data": "text"}"#,
            r#"{"errors": ["gone"]}"#,
        ] {
            assert_eq!(parse(body).err(), Some(Reason::Malformed), "{body}");
        }
        for body in [
            r#"{"request_id": "r", "lease_id": "", "data": null, "keys": ["of a sys path"]}"#,
            r#"{"request_id": "r", "data": {}}"#,
            r#"{"data": {"a": 1}}"#,
            r#"{"auth": {"client_token": "t"}}"#,
        ] {
            assert!(parse(body).is_ok(), "{body}");
        }
    }

    #[test]
    fn a_tree_costs_what_it_takes_and_not_its_text() {
        assert_eq!(tree_cost(br#"{"a": "{[,:\"{"}"#), OBJECT + MEMBER);
        assert_eq!(tree_cost(b"[1,2,[]]"), 2 * LIST + 2 * ELEMENT);
        assert!(tree_cost("[".repeat(100_000).as_bytes()) < 64 * 1024, "no parser goes so deep");
        assert!(tree_cost("1,".repeat(190_000).as_bytes()) > 17 * 1024 * 1024);
    }
}
