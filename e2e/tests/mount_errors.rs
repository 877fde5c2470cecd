//! The event of a failed mount names object, path, role, mount and reason.

use serde_json::json;

use crate::support::{Scenario, bao};

#[test]
fn a_service_account_that_the_role_does_not_know_is_named() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"password": "p"}));
    scenario.service_account("intruder");
    scenario
        .class(
            "db",
            &format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db")),
        )
        .apply();
    let pod = scenario.pod("reader").account("intruder").mounts("db").create();
    let event = pod.fails_to_mount(
        &[
            "vault.login_",
            &format!("{}/intruder", scenario.name),
            &format!("role {:?}", scenario.name),
            "\"kubernetes\"",
        ],
        60,
    );
    assert!(!event.contains("eyJ"), "a token reached the event: {event}");
    assert!(pod.is_waiting());
}

#[test]
fn a_missing_policy_is_reported_with_object_path_role_and_mount() {
    let scenario = Scenario::begin();
    bao::write("secret/data/of-nobody/db", &json!({"data": {"password": "p"}}));
    scenario
        .class("db", "- {objectName: db-password, secretPath: secret/data/of-nobody/db, secretKey: password}")
        .apply();
    let pod = scenario.pod("reader").mounts("db").create();
    let role = format!("role {:?}", scenario.name);
    pod.fails_to_mount(
        &["vault.read_denied", "\"db-password\"", "secret/data/of-nobody/db", "403", &role, "\"kubernetes\""],
        60,
    );
    assert!(pod.is_waiting());

    // The missing policy is added: the same pod starts.
    scenario.allow("path \"secret/data/of-nobody/*\" { capabilities = [\"read\"] }\n");
    pod.ready_within(150);
    assert_eq!(pod.read("db/db-password"), "p");
}

#[test]
fn a_missing_path_and_a_missing_key_are_reported_together() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"password": "p"}));
    let (here, nowhere) = (scenario.path("db"), scenario.path("nowhere"));
    let objects = format!(
        "- {{objectName: no-path, secretPath: {nowhere}, secretKey: password}}
- {{objectName: no-key, secretPath: {here}, secretKey: passwort}}
- {{objectName: good, secretPath: {here}, secretKey: password}}"
    );
    scenario.class("db", &objects).apply();
    let pod = scenario.pod("reader").mounts("db").create();
    let event = pod
        .fails_to_mount(&["vault.not_found", "\"no-path\"", &nowhere, "\"no-key\"", &here, "passwort"], 60);
    assert!(!event.contains("good"), "{event}");
    assert!(pod.is_waiting());
}

#[test]
fn the_error_for_a_kv2_path_without_data_shows_the_right_path() {
    let scenario = Scenario::begin();
    scenario.put("devops", json!({"token": "pat"}));
    scenario
        .class(
            "devops",
            &format!(
                "- {{objectName: token, secretPath: secret/{}/devops, secretKey: token}}",
                scenario.name
            ),
        )
        .apply();
    let pod = scenario.pod("reader").mounts("devops").create();
    pod.fails_to_mount(&["\"token\"", &scenario.path("devops")], 60);
    assert!(pod.is_waiting());
}

#[test]
fn every_mistake_in_a_class_is_reported_without_a_call_to_vault() {
    let scenario = Scenario::begin();
    let path = scenario.path("db");
    let objects = format!(
        "- {{objectName: a, secretPath: {path}, secretKey: k, encoding: rot13}}
- {{objectName: ../b, secretPath: {path}, secretKey: k}}
- {{objectName: a, secretPath: {path}, secretKey: k}}"
    );
    scenario.class("db", &objects).without("roleName").apply();
    let pod = scenario.pod("reader").mounts("db").create();
    pod.fails_to_mount(&["spec.invalid", "roleName", "rot13", "../b"], 60);
    assert!(pod.is_waiting());
    assert!(bao::audited(&path).is_empty(), "Vault was called");
}

#[test]
fn a_server_that_is_not_allowed_gets_no_token() {
    let scenario = Scenario::begin();
    scenario
        .class("db", &format!("- {{objectName: k, secretPath: {}, secretKey: k}}", scenario.path("db")))
        .parameter("vaultAddress", "http://169.254.169.254")
        .apply();
    let pod = scenario.pod("reader").mounts("db").create();
    pod.fails_to_mount(&["address.refused", "169.254.169.254"], 60);
    assert!(pod.is_waiting());
}
