//! Behaviour of the driver's line 1.6 alone.

use serde_json::json;

use crate::support::{Scenario, apply_manifest, eventually, kubectl};

/// Rotation of 1.5 sends no volumeAttributes: `tests/provider` shows that they are remembered.
#[test]
fn a_pod_overrides_a_parameter_by_its_volume_attributes() {
    let scenario = Scenario::begin();
    scenario.put("blue", json!({"key": "blue"}));
    scenario.put("green", json!({"key": "green"}));
    let objects = |colour: &str| {
        format!("- {{objectName: key, secretPath: {}, secretKey: key}}", scenario.path(colour))
    };
    scenario.class("colour", &objects("blue")).apply();
    let pod = scenario.pod("reader").mounts_with("colour", json!({"objects": objects("green")})).start();
    assert_eq!(pod.read("colour/key"), "green");
}

/// Driver 1.6.0 overwrote such a Secret.
#[test]
fn a_secret_that_somebody_else_created_is_not_overwritten_and_the_pod_has_its_files() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"password": "from-openbao"}));
    let theirs = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": scenario.name},
        "stringData": {"password": "of-somebody-else"}});
    apply_manifest(&theirs.to_string());
    let before = scenario.get("secret", "login").unwrap();
    let objects =
        format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db"));
    scenario.class("db", &objects).sync("login", &[("password", "password")]).apply();
    let pod = scenario.pod("reader").mounts("db").start();
    assert_eq!(pod.read("db/password"), "from-openbao");
    eventually(60, "the driver's event", || {
        let selector = "--field-selector=reason=FailedToCreateSecret";
        match kubectl(&["get", "events", selector, "--namespace", &scenario.name]) {
            events if events.contains("already exists") => Ok(()),
            events => Err(events),
        }
    });
    assert_eq!(scenario.get("secret", "login").unwrap(), before);
}
