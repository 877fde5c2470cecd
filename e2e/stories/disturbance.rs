//! The provider dies, its socket disappears.

use serde_json::json;

use crate::support::{Story, enter, eventually, provider};

fn password(story: &Story) -> String {
    format!("- {{objectName: password, secretPath: {}, secretKey: password}}", story.path("db"))
}

#[test]
fn pods_keep_their_files_when_the_provider_is_killed_and_get_new_ones_from_its_successor() {
    let story = Story::alone();
    story.put("db", json!({"password": "before"}));
    story.class("db", &password(&story)).apply();
    let pod = story.pod("reader").mounts("db").start();
    provider::kill();
    assert_eq!(pod.read("db/password"), "before");
    story.put("db", json!({"password": "after"}));
    // The driver's connection backs off while nobody listens.
    pod.comes_to_read("db/password", "after", 150);
    assert_eq!(story.pod("newcomer").mounts("db").start().read("db/password"), "after");
    assert_eq!(pod.restarts(), 0);
}

#[test]
fn a_socket_that_somebody_unlinked_is_there_again_within_seconds() {
    let story = Story::alone();
    story.put("db", json!({"password": "before"}));
    story.class("db", &password(&story)).apply();
    let pod = story.pod("reader").mounts("db").start();
    let socket = "/run/secrets-store-csi-providers/vault.sock";
    enter(&["rm", socket]).unwrap();
    eventually(20, "the socket", || enter(&["test", "-S", socket]));
    story.put("db", json!({"password": "after"}));
    pod.comes_to_read("db/password", "after", 60);
    assert_eq!(story.pod("newcomer").mounts("db").start().read("db/password"), "after");
}
