//! Engines other than KV v2, and calls other than a plain GET.

use serde_json::json;

use crate::support::{Scenario, User, bao, belong_together, holds, subject};

#[test]
fn a_query_reads_an_older_version() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"password": "first"}));
    scenario.put("db", json!({"password": "second"}));
    let path = scenario.path("db");
    let objects = format!(
        "- {{objectName: first, secretPath: \"{path}?version=1\", secretKey: password}}
- {{objectName: second, secretPath: \"/v1/{path}?version=2\", secretKey: password}}
- {{objectName: newest, secretPath: /{path}, secretKey: password}}"
    );
    scenario.class("db", &objects).apply();
    let pod = scenario.pod("reader").mounts("db").start();
    assert_eq!(
        ["first", "second", "newest"].map(|file| pod.read(&format!("db/{file}"))),
        ["first", "second", "second"]
    );
}

#[test]
fn a_put_sends_its_body() {
    let scenario = Scenario::begin();
    let key = &scenario.name;
    bao::run(&["write", "-force", &format!("transit/keys/{key}")], "");
    let sealed = bao::run(
        &["write", "-field=ciphertext", &format!("transit/encrypt/{key}"), "plaintext=c2VjcmV0"],
        "",
    );
    scenario.allow(&format!("path \"transit/decrypt/{key}\" {{ capabilities = [\"update\"] }}\n"));
    let objects = format!(
        "- objectName: opened
  secretPath: transit/decrypt/{key}
  method: PUT
  secretArgs: {{ciphertext: \"{}\"}}
  secretKey: plaintext
  encoding: base64",
        sealed.trim()
    );
    scenario.class("sealed", &objects).apply();
    let pod = scenario.pod("reader").mounts("sealed").start();
    assert_eq!(pod.read("sealed/opened"), "secret");
}

#[test]
fn two_keys_of_a_dynamic_secret_are_one_call_and_one_working_login() {
    let scenario = Scenario::begin();
    let path = scenario.database("1h");
    let pod = scenario.pod("reader").mounts("db").start();
    // PostgreSQL accepts the pair, also after the end of the mount: its login was not revoked.
    let user = User::of(&pod);
    holds(5, "the login into PostgreSQL", || user.enters());

    // Every login made exactly one call.
    let calls = bao::calls_by_login(&scenario.name, &path);
    assert!(!calls.is_empty() && calls.iter().all(|&calls| calls == 1), "{calls:?}");
}

#[test]
fn certificates_of_one_body_belong_together_and_of_two_bodies_do_not() {
    let scenario = Scenario::begin();
    scenario.allow("path \"pki/issue/app\" { capabilities = [\"update\"] }\n");
    let object = |file: &str, key: &str, name: &str| {
        format!(
            "- {{objectName: {file}, secretPath: pki/issue/app, method: PUT, secretArgs: {{common_name: {name}, ttl: 24h}}, secretKey: {key}}}\n"
        )
    };
    let objects = object("one.crt", "certificate", "one.test")
        + &object("one.key", "private_key", "one.test")
        + &object("two.crt", "certificate", "two.test");
    scenario.class("tls", &objects).apply();
    let pod = scenario.pod("reader").mounts("tls").start();

    let [certificate, key, other] = pod.together("tls", ["one.crt", "one.key", "two.crt"]);
    assert!(belong_together(&certificate, &key), "key and certificate of two calls");
    assert_eq!((subject(&certificate), subject(&other)), ("CN=one.test".into(), "CN=two.test".into()));
}
