//! The provider is killed or restarted, or its socket is removed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::{Restore, Scenario, enter, eventually, provider};

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

#[test]
fn versions_outlive_the_provider_and_depend_on_its_key() {
    let scenario = Scenario::alone();
    scenario.put("db", json!({"password": "p"}));
    scenario
        .class(
            "db",
            &format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db")),
        )
        .apply();
    let pod = scenario.pod("before").mounts("db").start();
    let before = pod.versions("db");
    provider::restart();
    assert_eq!(scenario.pod("after").mounts("db").start().versions("db"), before);

    let old = provider::replace_key(&STANDARD.encode("another key of thirty-two bytes!"));
    let _restore = Restore(|| {
        provider::replace_key(&old);
        provider::restart();
    });
    provider::restart();
    assert_ne!(scenario.pod("rekeyed").mounts("db").start().versions("db"), before);
}
