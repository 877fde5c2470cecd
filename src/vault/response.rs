//! One response of Vault: its members, and an estimate of the memory that it takes.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::VaultError;
use crate::blocking;
use crate::secret::{WipedJson, WipedMap};
use crate::vault::effect::EngineType;
use crate::vault::error_body::ENVELOPE;

/// The most values in one response: two bytes of JSON take up to a hundred bytes of memory, so that a body of 8 MiB could fill a node's memory.
const MAX_VALUES: usize = 200_000;

/// The members of one response (`request_id`, `lease_id`, `data`, ..). `Debug` prints nothing of it; its strings are wiped on drop.
pub(crate) struct VaultResponse(WipedMap);

impl VaultResponse {
    /// Parses a body, which must have the form of Vault's API. `doing` is for the error, which quotes nothing of the body.
    pub(crate) fn parse(body: &[u8], doing: &str) -> Result<Self, VaultError> {
        let response = Self::parse_any(body, doing)?;
        if response.has_api_form() {
            return Ok(response);
        }
        Err(VaultError::Malformed {
            doing: doing.to_owned(),
            why: "it does not have the form of Vault's API: a proxy in between may have sent it",
        })
    }

    /// Parses a body that is any JSON object, for the few paths whose responses do not have the common form.
    pub(crate) fn parse_any(body: &[u8], doing: &str) -> Result<Self, VaultError> {
        let malformed = |why| VaultError::Malformed { doing: doing.to_owned(), why };
        if values(body) > MAX_VALUES {
            return Err(VaultError::TooLarge {
                doing: doing.to_owned(),
                limit: "the response has more than 200,000 values",
            });
        }
        match blocking::run_if_large(body.len(), || serde_json::from_slice(body)) {
            Ok(Value::Object(members)) => Ok(Self(members.into())),
            Ok(other) => {
                drop(WipedJson::from(other));
                Err(malformed("it is not a JSON object"))
            }
            Err(_) if body.is_empty() => Err(malformed("it is empty")),
            Err(_) => Err(malformed("it is not JSON")),
        }
    }

    /// True if Vault or OpenBao may have sent it: it has the members that every response has, or some of them and no others.
    fn has_api_form(&self) -> bool {
        let is_text = |name| self.0.get(name).is_some_and(Value::is_string);
        let holds =
            |name| self.0.get(name).and_then(Value::as_object).is_some_and(|members| !members.is_empty());
        let data_fits = self.0.get("data").is_none_or(|data| data.is_object() || data.is_null());
        let is_complete = is_text("request_id") && is_text("lease_id");
        let is_partial = is_text("request_id") || ["data", "auth", "wrap_info"].into_iter().any(holds);
        data_fits
            && (is_complete || is_partial && self.0.keys().all(|name| ENVELOPE.contains(&name.as_str())))
    }

    /// The members. Their values are secret, and only for files.
    pub(crate) fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The request id, by which the server's audit log names the call.
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.0.get("request_id")?.as_str()
    }

    /// The type of the engine that responded; `None` for an older server, which does not name it.
    pub(crate) fn engine(&self) -> Option<EngineType> {
        self.text(&["mount_type"]).map(EngineType::of)
    }

    /// True if the server keeps something for it that ends with the token: a lease, another token, or a wrapped response.
    pub(crate) fn is_leased(&self) -> bool {
        let holds = |name| self.0.get(name).is_some_and(|value| !value.is_null() && value != "");
        ["lease_id", "auth", "wrap_info"].into_iter().any(holds)
    }

    /// What the server keeps for it: the id, the TTL, and whether the login that made the call can renew it. Only the holder can renew a token, or
    /// the wrapping token of a response.
    pub(crate) fn lease(&self) -> Option<(&str, Duration, bool)> {
        if let Some(id) = self.text(&["lease_id"]) {
            return Some((id, self.seconds(&["lease_duration"]), self.is_true(&["renewable"])));
        }
        let token = |member: &str, ttl: &str| {
            self.at(&[member])?.as_object().map(|_| {
                (self.text(&[member, "accessor"]).unwrap_or("token"), self.seconds(&[member, ttl]), false)
            })
        };
        token("auth", "lease_duration").or_else(|| token("wrap_info", "ttl"))
    }

    /// The string at `path`; `None` if it is absent or empty.
    pub(crate) fn text(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str().filter(|text| !text.is_empty())
    }

    /// The strings of the list at `path`.
    pub(crate) fn texts(&self, path: &[&str]) -> impl Iterator<Item = &str> {
        self.at(path).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// The number of seconds at `path`; zero if there is none.
    pub(crate) fn seconds(&self, path: &[&str]) -> Duration {
        Duration::from_secs(self.number(path))
    }

    /// The whole number at `path`; zero if there is none.
    pub(crate) fn number(&self, path: &[&str]) -> u64 {
        self.at(path).and_then(Value::as_u64).unwrap_or_default()
    }

    /// True if there is a `true` at `path`.
    pub(crate) fn is_true(&self, path: &[&str]) -> bool {
        self.at(path) == Some(&Value::Bool(true))
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        let (last, parents) = path.split_last()?;
        parents.iter().try_fold(self.members(), |object, name| object.get(*name)?.as_object())?.get(*last)
    }
}

impl From<WipedMap> for VaultResponse {
    fn from(members: WipedMap) -> Self {
        Self(members)
    }
}

impl fmt::Debug for VaultResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VaultResponse(..)")
    }
}

/// Bytes of an object: a node of its map has space for eleven members, used or not.
const OBJECT: usize = 640;
/// Bytes of a member without its text: its share of a node that is half full, and the two allocations of its name and value.
const MEMBER: usize = 184;
/// Bytes of an element of a list without its text: its place in a list that may have doubled its capacity, and its own allocation.
const ELEMENT: usize = 96;
/// Bytes of a list: its first four places and their allocation.
const LIST: usize = 256;

/// The parser fails on deeper nesting, and builds nothing of what follows.
const DEPTH: usize = 128;

/// The estimated bytes that the JSON in `body` takes as a tree, without its texts. Counts the brackets, colons and commas outside of strings.
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

/// An upper bound of the number of values in the JSON of `body`. Counts the separators outside of strings.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    #[test]
    fn the_error_for_a_malformed_body_quotes_nothing_of_it() {
        for body in ["", "canary", "[\"canary\"]", "{\"data\": canary}", &"[".repeat(100_000)] {
            let error = VaultResponse::parse(body.as_bytes(), "read a/b").unwrap_err();
            assert_eq!(error.reason(), Reason::Malformed);
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn a_body_of_many_small_values_is_refused_before_it_is_parsed() {
        let many = format!("{{\"data\": [{}1]}}", "1,".repeat(MAX_VALUES));
        assert_eq!(
            VaultResponse::parse(many.as_bytes(), "read a/b").unwrap_err().reason(),
            Reason::PayloadTooLarge
        );
        let one = serde_json::json!({ "data": { "csv": "a,b:[\"\\".repeat(MAX_VALUES) } }).to_string();
        assert!(
            VaultResponse::parse(one.as_bytes(), "read a/b").is_ok(),
            "separators inside a string do not count"
        );
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
    fn an_object_in_another_form_than_vaults_is_refused() {
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
    fn the_cost_of_a_tree_does_not_count_its_texts() {
        assert_eq!(tree_cost(br#"{"a": "{[,:\"{"}"#), OBJECT + MEMBER);
        assert_eq!(tree_cost(b"[1,2,[]]"), 2 * LIST + 2 * ELEMENT);
        assert!(tree_cost("[".repeat(100_000).as_bytes()) < 64 * 1024, "the parser does not go so deep");
        assert!(tree_cost("1,".repeat(190_000).as_bytes()) > 17 * 1024 * 1024);
    }
}
