//! A whole response as one line of JSON, as the upstream providers write it for an object without a key: in the order of their API library.

use serde_json::{Map, Value};

use super::gojson;
use crate::secret::{Secret, SecretWriter};

/// The members of a struct of the library, with the JSON of a member that the server left out. All are written, in this order; other members are
/// dropped.
type Members = [(&'static str, &'static str)];

/// The struct `Secret` (`api/secret.go`). `request_id` is always written empty: it differs in every response, so that with the upstream providers the
/// file, its version and the synced Secret change at every poll.
const RESPONSE: &Members = &[
    ("request_id", "\"\""),
    ("lease_id", "\"\""),
    ("lease_duration", "0"),
    ("renewable", "false"),
    ("data", "null"),
    ("warnings", "null"),
];

/// The struct `SecretAuth`.
const AUTH: &Members = &[
    ("client_token", "\"\""),
    ("accessor", "\"\""),
    ("policies", "null"),
    ("token_policies", "null"),
    ("identity_policies", "null"),
    ("metadata", "null"),
    ("orphan", "false"),
    ("entity_id", "\"\""),
    ("lease_duration", "0"),
    ("renewable", "false"),
    ("mfa_requirement", "null"),
];

/// The struct `SecretWrapInfo`.
const WRAP_INFO: &Members = &[
    ("token", "\"\""),
    ("accessor", "\"\""),
    ("ttl", "0"),
    ("creation_time", "\"0001-01-01T00:00:00Z\""),
    ("creation_path", "\"\""),
    ("wrapped_accessor", "\"\""),
];

/// `response` on one line.
pub(crate) fn response(response: &Map<String, Value>) -> Secret {
    let mut members = ordered(RESPONSE, response);
    for (name, order) in [("auth", AUTH), ("wrap_info", WRAP_INFO)] {
        let value = response.get(name).and_then(Value::as_object);
        members.extend(value.map(|value| member(name, &object(&ordered(order, value)))));
    }
    let mount_type = response.get("mount_type").filter(|value| !value.is_null() && *value != "");
    members.extend(mount_type.map(|value| member("mount_type", &gojson::line(value))));
    object(&members)
}

fn ordered(order: &Members, members: &Map<String, Value>) -> Vec<Secret> {
    let value = |name: &str, absent: &'static str| {
        let value = members.get(name).filter(|value| name != "request_id" && !value.is_null());
        value.map_or_else(|| Secret::from(absent), gojson::line)
    };
    order.iter().map(|(name, absent)| member(name, &value(name, absent))).collect()
}

fn object(members: &[Secret]) -> Secret {
    let mut out = SecretWriter::default();
    for (at, member) in members.iter().enumerate() {
        out.push(if at == 0 { '{' } else { ',' });
        out.extend_from_slice(member.expose());
    }
    out.push('}');
    out.into()
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
    fn a_token_that_was_made_has_the_members_that_the_library_knows() {
        let answer = json!({"auth": {"token_type": "service", "num_uses": 0, "client_token": "t", "policies": ["b", "a"], "metadata": {"z": "1", "a": "<"},
            "lease_duration": 60, "renewable": true, "orphan": true}, "wrap_info": {"ttl": 5, "token": "w", "creation_path": "p"}});
        let expected = concat!(
            r#"{"request_id":"","lease_id":"","lease_duration":0,"renewable":false,"data":null,"warnings":null,"#,
            r#""auth":{"client_token":"t","accessor":"","policies":["b","a"],"token_policies":null,"identity_policies":null,"#,
            r#""metadata":{"a":"\u003c","z":"1"},"orphan":true,"entity_id":"","lease_duration":60,"renewable":true,"mfa_requirement":null},"#,
            r#""wrap_info":{"token":"w","accessor":"","ttl":5,"creation_time":"0001-01-01T00:00:00Z","creation_path":"p","wrapped_accessor":""}}"#
        );
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
