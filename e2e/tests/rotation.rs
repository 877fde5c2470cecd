//! New values reach files.

use serde_json::json;

use crate::support::{Scenario, holds, provider};

#[test]
fn a_changed_value_reaches_the_file_of_a_running_pod() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"password": "first-of-rotation"}));
    scenario
        .class(
            "db",
            &format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db")),
        )
        .apply();
    let pod = scenario.pod("reader").mounts("db").start();
    assert_eq!(pod.read("db/password"), "first-of-rotation");
    scenario.put("db", json!({"password": "second-of-rotation"}));
    pod.comes_to_read("db/password", "second-of-rotation", 60);
    assert_eq!(pod.restarts(), 0);
    let log = provider::log();
    assert!(!log.contains("second-of-rotation"), "a secret reached the log");
    assert!(!log.contains("eyJ"), "a token reached the log");
}

#[test]
fn a_changed_class_reaches_a_running_pod() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"user": "u", "password": "p"}));
    let path = scenario.path("db");
    let one = format!("- {{objectName: password, secretPath: {path}, secretKey: password}}");
    scenario.class("db", &one).apply();
    let pod = scenario.pod("reader").mounts("db").start();
    assert_eq!(pod.files("db"), ["644 password"]);
    scenario
        .class("db", &format!("{one}\n- {{objectName: user, secretPath: {path}, secretKey: user}}"))
        .apply();
    pod.comes_to_read("db/user", "u", 60);
    assert_eq!(pod.read("db/password"), "p");
}

#[test]
fn files_stay_as_they_are_while_nothing_changes() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"user": "u"}));
    let path = scenario.path("db");
    // The whole response too: its request id differs from call to call.
    let objects = format!(
        "- {{objectName: user, secretPath: {path}, secretKey: user}}\n- {{objectName: all, secretPath: {path}}}"
    );
    scenario.class("db", &objects).apply();
    let pod = scenario.pod("reader").mounts("db").start();
    let written = pod.sh("readlink /mnt/db/..data");
    let versions = pod.versions("db");
    holds(15, "the same generation of files", || match pod.try_sh("readlink /mnt/db/..data")? {
        now if now == written => Ok(()),
        now => Err(format!("{written} became {now}")),
    });
    assert_eq!(pod.versions("db"), versions);
}

#[test]
fn a_secret_that_is_gone_leaves_the_old_file() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"password": "p"}));
    scenario
        .class(
            "db",
            &format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db")),
        )
        .apply();
    let pod = scenario.pod("reader").mounts("db").start();
    crate::support::bao::run(&["kv", "delete", "-mount=secret", &format!("{}/db", scenario.name)], "");
    crate::support::eventually(60, "the provider's error", || {
        let log = provider::log_about(&scenario.name);
        if log.contains("vault.not_found") { Ok(()) } else { Err(log) }
    });
    assert_eq!(pod.read("db/password"), "p");
    assert_eq!(pod.restarts(), 0);
}
