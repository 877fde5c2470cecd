//! The driver's record of mounted objects: versions change exactly when content does.

use serde_json::json;

use crate::support::{Scenario, eventually};

#[test]
fn versions_outlive_the_pod_and_follow_the_content() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"user": "u", "password": "p1"}));
    let path = scenario.path("db");
    let objects = format!(
        "- {{objectName: user, secretPath: {path}, secretKey: user}}
- {{objectName: password, secretPath: {path}, secretKey: password}}"
    );
    scenario.class("db", &objects).apply();
    let pod = scenario.pod("reader").mounts("db").start();
    let first = pod.versions("db");
    assert_eq!(first.iter().map(|(file, _)| file.as_str()).collect::<Vec<_>>(), ["password", "user"]);
    assert_ne!(first[0].1, first[1].1);
    pod.delete();
    let pod = scenario.pod("reader").mounts("db").start();
    assert_eq!(pod.versions("db"), first);

    scenario.put("db", json!({"user": "u", "password": "p2"}));
    let second = eventually(60, "another version of the password", || match pod.versions("db") {
        versions if versions == first => Err("still the first".into()),
        versions => Ok(versions),
    });
    assert_eq!(second[1], first[1], "the user has not changed");
}
