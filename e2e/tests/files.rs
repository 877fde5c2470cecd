//! Bytes, modes, names.

use serde_json::json;

use crate::support::{Scenario, provider};

#[test]
fn files_have_exact_bytes_and_modes() {
    let scenario = Scenario::begin();
    scenario.put(
        "db",
        json!({"text": "p4ss\nwörd\t\\ ", "bytes": "AAEC/wo=", "hex": "00ff0a", "number": 42, "object": {"b": [1, 2.5], "a": "<&>"}, "empty": ""}),
    );
    let path = scenario.path("db");
    let objects = format!(
        "- {{objectName: text, secretPath: {path}, secretKey: text}}
- {{objectName: bytes, secretPath: {path}, secretKey: bytes, encoding: base64, filePermission: 0400}}
- {{objectName: hex, secretPath: {path}, secretKey: hex, encoding: hex, filePermission: 0640}}
- {{objectName: number, secretPath: {path}, secretKey: number}}
- {{objectName: object, secretPath: {path}, secretKey: object}}
- {{objectName: empty, secretPath: {path}, secretKey: empty, filePermission: 0o600}}"
    );
    scenario.class("db", &objects).apply();
    let pod = scenario.pod("reader").mounts("db").start();
    assert_eq!(
        pod.files("db"),
        ["400 bytes", "600 empty", "640 hex", "644 number", "644 object", "644 text"]
    );
    assert_eq!(pod.read("db/text"), "p4ss\nwörd\t\\ ");
    assert_eq!(pod.try_bytes("db/bytes").unwrap(), [0, 1, 2, 255, b'\n']);
    assert_eq!(pod.try_bytes("db/hex").unwrap(), [0, 255, b'\n']);
    assert_eq!(pod.read("db/number"), "42");
    assert_eq!(pod.read("db/object"), r#"{"a":"\u003c\u0026\u003e","b":[1,2.5]}"#);
    assert_eq!(pod.read("db/empty"), "");
    pod.delete();
}

#[test]
fn an_object_without_a_key_is_the_whole_answer() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"user": "u", "password": "p"}));
    scenario.class("db", &format!("- {{objectName: db.json, secretPath: {}}}", scenario.path("db"))).apply();
    let pod = scenario.pod("reader").mounts("db").start();
    let answer: serde_json::Value = serde_json::from_str(&pod.read("db/db.json")).unwrap();
    assert_eq!(answer["data"]["data"], json!({"user": "u", "password": "p"}));
    assert_eq!(answer["request_id"], "", "a file must not change when its secret does not");
}

#[test]
fn names_may_be_nested() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"user": "u", "password": "p"}));
    let path = scenario.path("db");
    let objects = format!(
        "- {{objectName: db/login/user, secretPath: {path}, secretKey: user}}
- {{objectName: db/login/password, secretPath: {path}, secretKey: password, filePermission: 0600}}
- {{objectName: user, secretPath: {path}, secretKey: user}}"
    );
    scenario.class("nested", &objects).apply();
    let pod = scenario.pod("reader").mounts("nested").start();
    assert_eq!(pod.files("nested"), ["600 db/login/password", "644 db/login/user", "644 user"]);
    assert_eq!(pod.read("nested/db/login/password"), "p");
}

#[test]
fn a_user_that_is_not_root_reads_what_its_mode_allows() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"open": "o", "closed": "c"}));
    let path = scenario.path("db");
    let objects = format!(
        "- {{objectName: open, secretPath: {path}, secretKey: open}}
- {{objectName: closed, secretPath: {path}, secretKey: closed, filePermission: 0400}}"
    );
    scenario.class("db", &objects).apply();
    let pod = scenario.pod("reader").user(1000).mounts("db").start();
    assert_eq!(pod.read("db/open"), "o");
    let refused = pod.try_bytes("db/closed").unwrap_err();
    assert!(refused.contains("Permission denied"), "{refused}");
}

#[test]
fn where_rights_are_missing_the_driver_writes_and_the_log_says_so() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"password": "first"}));
    let objects =
        format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db"));
    scenario.class("db", &objects).parameter("writer", "provider").parameter("owner", "1000").apply();
    let pod = scenario.pod("reader").mounts("db").start();
    scenario.put("db", json!({"password": "second"}));
    pod.comes_to_read("db/password", "second", 60);
    assert_eq!(pod.sh("stat -L -c '%a %u' /mnt/db/password"), "644 0\n");
    let log = provider::log_about(&scenario.name);
    assert!(log.lines().any(|line| line.contains("writer: provider has no effect") && line.contains("Permission denied")), "{log}");
}
