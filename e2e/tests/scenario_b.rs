//! Scenario B: certificates of two hours from an intermediate that an offline root has signed. Kubernetes takes user and group from them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{
    Identity, Pod, Scenario, bao, belong_together, eventually, holds, is_valid, kubectl, offline_root,
};

/// A role whose certificates carry the group `<test>-readers`, which may list ConfigMaps in the test's namespace and nothing else.
fn begin() -> Scenario {
    let scenario = Scenario::begin();
    let (name, group) = (&scenario.name, group(&scenario));
    let role = json!({"organization": group, "allow_any_name": true, "enforce_hostnames": false, "key_type": "ec", "key_bits": 256, "max_ttl": "2h"});
    bao::write(&format!("pki_int/roles/{name}"), &role);
    kubectl(&["create", "role", "readers", "--verb=list", "--resource=configmaps", "--namespace", name]);
    kubectl(&[
        "create",
        "rolebinding",
        "readers",
        "--role=readers",
        &format!("--group={group}"),
        "--namespace",
        name,
    ]);
    scenario
}

fn group(scenario: &Scenario) -> String {
    format!("{}-readers", scenario.name)
}

/// A class `user` with a certificate from `call`, with `fields` besides mount and role; and with the root of the mount.
fn certificate(scenario: &Scenario, call: &str, fields: &str) {
    let name = &scenario.name;
    scenario.allow_only(&format!("path \"pki_int/{call}/{name}\" {{ capabilities = [\"update\"] }}\n"));
    let objects = format!(
        "- pki: {{mount: pki_int, role: {name}, ttl: 2h, {fields}}}
  files:
    - {{objectName: tls.crt, part: certificateChain}}
    - {{objectName: tls.key, part: privateKey}}
    - {{objectName: ca.crt, part: ca}}
- {{objectName: roots.crt, pki: {{mount: pki_int, ca: true}}, part: ca}}"
    );
    scenario.class("user", &objects).apply();
}

/// Checks that the pod's certificate verifies with the offline root, and that the API server takes its owner for `user` in the test's group, with that group's rights alone.
fn is_known_as(pod: &Pod, scenario: &Scenario, user: &str) {
    let [chain, key, ca, of_mount] = pod.together("user", ["tls.crt", "tls.key", "ca.crt", "roots.crt"]);
    assert!(belong_together(&chain, &key), "key and certificate of two calls");
    assert_eq!((ca.as_str(), of_mount.as_str()), (offline_root().trim(), offline_root().trim()));
    let identity = Identity::new(&chain, &key);
    identity.leads_to(&ca);

    let known: Value =
        serde_json::from_str(&identity.kubectl(&["auth", "whoami", "--output=json"]).unwrap()).unwrap();
    let known = &known["status"]["userInfo"];
    assert_eq!(
        (&known["username"], &known["groups"]),
        (&json!(user), &json!([group(scenario), "system:authenticated"]))
    );
    identity.kubectl(&["get", "configmaps", "--namespace", &scenario.name]).unwrap();
    for beyond in [["secrets", &scenario.name], ["configmaps", "default"]] {
        let refusal = identity.kubectl(&["get", beyond[0], "--namespace", beyond[1]]).unwrap_err();
        assert!(refusal.contains("Forbidden") && refusal.contains(user), "{refusal}");
    }
}

#[test]
fn a_certificate_from_a_volume_is_a_user_and_a_group_to_the_api_server() {
    let scenario = begin();
    certificate(&scenario, "issue", "commonName: jane");
    let pod = scenario.pod("component").mounts("user").start();
    is_known_as(&pod, &scenario, "jane");
    // The audit log shows a private key in this response. In the next test it shows none.
    let answers = bao::answered(&format!("pki_int/issue/{}", scenario.name));
    assert!(matches!(&answers[..], [one] if one.get("private_key").is_some()), "{answers:#?}");
}

#[test]
fn a_key_made_on_the_node_is_never_seen_by_the_server() {
    let scenario = begin();
    certificate(
        &scenario,
        "sign",
        "commonName: \"${SERVICE_ACCOUNT_NAME}.${POD_NAMESPACE}\", privateKey: node",
    );
    let pod = scenario.pod("component").mounts("user").start();
    is_known_as(&pod, &scenario, &format!("app.{}", scenario.name));
    let answers = bao::answered(&format!("pki_int/sign/{}", scenario.name));
    assert!(
        matches!(&answers[..], [one] if one.get("certificate").is_some() && one.get("private_key").is_none()),
        "{answers:#?}"
    );
    assert!(bao::audited(&format!("pki_int/issue/{}", scenario.name)).is_empty(), "the server made a key");
}

#[test]
fn a_key_value_secret_reaches_file_and_secret_and_both_follow_it() {
    let scenario = Scenario::begin();
    scenario.allow("path \"kv/simple-secret\" { capabilities = [\"read\"] }\n");
    bao::write("kv/simple-secret", &json!({"user": "jane", "token": "first"}));
    let class = scenario.class(
        "simple",
        "- {directory: copy, kv: {mount: kv, path: simple-secret, engineVersion: 1}, keys: \"*\"}",
    );
    class.sync("copy", &[("user", "copy/user"), ("token", "copy/token")]).apply();
    let pod = scenario.pod("component").mounts("simple").start();
    assert_eq!(
        (pod.read("simple/copy/user"), pod.read("simple/copy/token")),
        ("jane".into(), "first".into())
    );

    bao::write("kv/simple-secret", &json!({"user": "jane", "token": "second"}));
    pod.comes_to_read("simple/copy/token", "second", 60);
    eventually(60, "the Secret's new value", || match &scenario.get("secret", "copy")?["data"]["token"] {
        token if *token == json!(STANDARD.encode("second")) => Ok(()),
        token => Err(token.to_string()),
    });
    assert_eq!(pod.restarts(), 0);
}

#[test]
fn a_short_certificate_is_replaced_before_its_end() {
    let scenario = begin();
    let name = &scenario.name;
    scenario.allow_only(&format!("path \"pki_int/issue/{name}\" {{ capabilities = [\"update\"] }}\n"));
    let objects = format!(
        "- pki: {{mount: pki_int, role: {name}, ttl: 60s, commonName: jane}}
  files:
    - {{objectName: tls.crt, part: certificateChain}}
    - {{objectName: tls.key, part: privateKey}}"
    );
    scenario.class("user", &objects).apply();
    let pod = scenario.pod("component").mounts("user").start();
    let [first, _] = pod.together("user", ["tls.crt", "tls.key"]);
    // Longer than its lifetime: every read finds files of one issue, still valid.
    holds(75, "a valid certificate", || {
        let [chain, key] = pod.together("user", ["tls.crt", "tls.key"]);
        is_valid(&chain);
        if belong_together(&chain, &key) { Ok(()) } else { Err("key and certificate of two issues".into()) }
    });
    assert_ne!(pod.together("user", ["tls.crt", "tls.key"])[0], first);
    let issues = bao::answered(&format!("pki_int/issue/{name}")).len();
    assert!((2..=6).contains(&issues), "{issues} issues in 75 s");
}

#[test]
fn a_transient_login_leaves_no_token() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"user": "u"}));
    let path = scenario.path("db");
    scenario
        .class("db", &format!("- {{objectName: user, secretPath: {path}, secretKey: user}}"))
        .parameter("login", "transient")
        .apply();
    let pod = scenario.pod("component").mounts("db").start();
    assert_eq!(pod.read("db/user"), "u");
    // Every login has made its read, and the pod still runs: between two requests of the driver there is no token.
    eventually(30, "the end of all tokens", || match bao::tokens_of(&scenario.name) {
        none if none.is_empty() => Ok(()),
        some => Err(format!("there live {some:?}")),
    });
    assert!(!bao::audited(&path).is_empty(), "no login has read");
}
