//! A response without a key -> one line of JSON, in the order of the peers' API library.

use serde_json::{Map, Value};

use super::gojson;
use crate::secret::Secret;

/// The members that always stand, with what they are when the server left them out. `request_id` is always empty: it
/// differs at every call, so the peers' file, version and synced Secret changed at every poll.
const ALWAYS: [(&str, &str); 6] =
    [("request_id", "\"\""), ("lease_id", "\"\""), ("lease_duration", "0"), ("renewable", "false"), ("data", "null"), ("warnings", "null")];

/// The members that stand only when they hold something.
const SOMETIMES: [&str; 3] = ["auth", "wrap_info", "mount_type"];

/// The whole response on one line.
pub fn response(response: &Map<String, Value>) -> Secret {
    let mut members = Vec::new();
    for (name, absent) in ALWAYS {
        let value = response.get(name).filter(|value| name != "request_id" && !value.is_null());
        let value = value.map_or_else(|| Secret::from(absent), gojson::line);
        members.push(member(name, &value));
    }
    let held = |name| response.get(name).filter(|value| !value.is_null() && *value != "");
    members.extend(SOMETIMES.iter().filter_map(|name| held(*name).map(|value| member(name, &gojson::line(value)))));
    let members: Vec<&[u8]> = members.iter().map(Secret::expose).collect();
    Secret::from([b"{".as_slice(), &members.join(b",".as_slice()), b"}"].concat())
}

fn member(name: &str, value: &Secret) -> Secret {
    Secret::from([format!("\"{name}\":").as_bytes(), value.expose()].concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(value: Value) -> String {
        response(value.as_object().unwrap()).expose_text().unwrap().to_owned()
    }

    #[test]
    fn it_has_the_order_of_the_peers_and_no_request_id() {
        let answer = json!({"mount_type": "kv", "wrap_info": null, "auth": null, "warnings": ["<old>"], "data": {"b": 1, "a": "x"},
            "renewable": true, "lease_duration": 60, "lease_id": "l", "request_id": "differs"});
        let expected = r#"{"request_id":"","lease_id":"l","lease_duration":60,"renewable":true,"data":{"a":"x","b":1},"warnings":["\u003cold\u003e"],"mount_type":"kv"}"#;
        assert_eq!(line(answer), expected);
    }

    #[test]
    fn what_the_server_left_out_is_what_go_writes_for_nothing() {
        assert_eq!(
            line(json!({"data": {}})),
            r#"{"request_id":"","lease_id":"","lease_duration":0,"renewable":false,"data":{},"warnings":null}"#
        );
    }
}
