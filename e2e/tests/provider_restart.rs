//! The provider is killed, or its socket is removed.

use serde_json::json;

use crate::support::{Scenario, enter, eventually, provider};

fn password(scenario: &Scenario) -> String {
    format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db"))
}

#[test]
fn pods_keep_their_files_when_the_provider_is_killed_and_get_new_ones_from_its_successor() {
    let scenario = Scenario::alone();
    scenario.put("db", json!({"password": "before"}));
    scenario.class("db", &password(&scenario)).apply();
    let pod = scenario.pod("reader").mounts("db").start();
    provider::kill();
    assert_eq!(pod.read("db/password"), "before");
    scenario.put("db", json!({"password": "after"}));
    // The driver's connection backs off while the socket is closed.
    pod.comes_to_read("db/password", "after", 150);
    assert_eq!(scenario.pod("newcomer").mounts("db").start().read("db/password"), "after");
    assert_eq!(pod.restarts(), 0);
}

#[test]
fn a_socket_that_was_unlinked_is_created_again_within_seconds() {
    let scenario = Scenario::alone();
    scenario.put("db", json!({"password": "before"}));
    scenario.class("db", &password(&scenario)).apply();
    let pod = scenario.pod("reader").mounts("db").start();
    let socket = "/run/secrets-store-csi-providers/vault.sock";
    enter(&["rm", socket]).unwrap();
    eventually(20, "the socket", || enter(&["test", "-S", socket]));
    scenario.put("db", json!({"password": "after"}));
    pod.comes_to_read("db/password", "after", 60);
    assert_eq!(scenario.pod("newcomer").mounts("db").start().read("db/password"), "after");
}
