//! The variant `deploy/token-request`: without tokenRequests in the CSIDriver, vaultmount requests each pod's token from Kubernetes.

use serde_json::json;

use crate::support::{Restore, Scenario, bao, kubectl, provider, server};

/// Sets the CSIDriver's `audiences` and deploys the variant until the guard is dropped.
fn variant(audiences: &[&str]) -> Restore<impl FnMut()> {
    let restore = Restore(|| {
        server::audiences(server::AUDIENCES);
        let rbac = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/token-request/rbac.yaml");
        kubectl(&["delete", "--ignore-not-found", "--filename", rbac]);
        provider::deploy("deploy");
    });
    server::audiences(audiences);
    provider::deploy("e2e/support/token-request");
    restore
}

/// A role like the test's own, bound to another audience.
fn role_of(scenario: &Scenario, audience: &str) -> String {
    let name = format!("{}-{audience}", scenario.name);
    let mut role = scenario.role();
    role["audience"] = json!(audience);
    bao::write(&format!("auth/kubernetes/role/{name}"), &role);
    name
}

#[test]
fn without_token_requests_the_variant_mounts_a_pods_files() {
    let scenario = Scenario::alone();
    scenario.put("db", json!({"password": "by-request"}));
    let password =
        format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db"));
    scenario.class("plain", &password).apply();
    scenario
        .class("team", &password)
        .parameter("audience", "team")
        .parameter("roleName", &role_of(&scenario, "team"))
        .apply();
    let before = provider::rights(&scenario.name);
    let restore = variant(&[]);
    let pod = scenario.pod("reader").mounts("plain").mounts("team").start();
    assert_eq!(
        (pod.read("plain/password"), pod.read("team/password")),
        ("by-request".into(), "by-request".into())
    );

    // Rotation uses requested tokens too.
    scenario.put("db", json!({"password": "by-another-request"}));
    pod.comes_to_read("plain/password", "by-another-request", 60);
    pod.comes_to_read("team/password", "by-another-request", 60);
    assert!(provider::rights(&scenario.name).contains("serviceaccounts/token"));

    // Removing the variant removes the right, and the same pod uses the kubelet's tokens.
    drop(restore);
    assert_eq!(provider::rights(&scenario.name), before);
    scenario.put("db", json!({"password": "by-the-driver"}));
    pod.comes_to_read("plain/password", "by-the-driver", 150);
}

#[test]
fn a_token_for_an_audience_that_the_driver_does_not_offer_is_requested_from_kubernetes() {
    let scenario = Scenario::alone();
    scenario.put("db", json!({"password": "by-request"}));
    let password =
        format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db"));
    scenario
        .class("db", &password)
        .parameter("audience", "team")
        .parameter("roleName", &role_of(&scenario, "team"))
        .apply();
    let _restore = variant(&["vault"]);
    assert_eq!(scenario.pod("reader").mounts("db").start().read("db/password"), "by-request");
}

#[test]
fn without_token_requests_the_event_names_the_missing_csidriver_setting() {
    let scenario = Scenario::alone();
    scenario.put("db", json!({"password": "p"}));
    let objects =
        format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db"));
    scenario.class("db", &objects).apply();
    let restore = Restore(|| server::audiences(server::AUDIENCES));
    server::audiences(&[]);
    let pod = scenario.pod("reader").mounts("db").create();
    pod.fails_to_mount(&["token.missing", "tokenRequests"], 60);
    assert!(pod.is_waiting());

    // The missing setting is added: the same pod starts.
    drop(restore);
    pod.ready_within(150);
    assert_eq!(pod.read("db/password"), "p");
}
