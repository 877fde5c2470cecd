//! Programs that reload their files, as docs/applications.md describes.

use crate::support::{Pod, Scenario, apply_manifest, eventually, holds, kubectl};

/// The pod of deploy/examples/reload.yaml in the test's own namespace. Its secret `db` with a `password` must exist.
pub(super) fn reload(scenario: &Scenario) -> Pod {
    let ours = [
        ("team-a", scenario.name.clone()),
        ("roleName: web", format!("roleName: {}", scenario.name)),
        ("serviceAccountName: web", "serviceAccountName: app".into()),
        ("image: busybox", "image: localhost/busybox:e2e".into()),
    ];
    let example = include_str!("../../deploy/examples/reload.yaml").to_owned();
    let manifest = ours.into_iter().fold(example, |manifest, (theirs, ours)| {
        assert!(manifest.contains(theirs), "no {theirs:?} in {manifest}");
        manifest.replace(theirs, &ours)
    });
    apply_manifest(&manifest);
    scenario.pod("reload").ready()
}

/// How often the application has read its files.
fn loads(scenario: &Scenario) -> usize {
    let log = kubectl(&["logs", "reload", "--container=app", "--namespace", &scenario.name]);
    log.lines().filter(|&line| line == "configuration loaded").count()
}

fn has_loaded(scenario: &Scenario, times: usize) -> Result<(), String> {
    match loads(scenario) {
        found if found == times => Ok(()),
        found => Err(format!("{found} times, not {times}")),
    }
}

/// Waits until the application has received the watcher's first signal. Later signals come from changes only.
pub(super) fn settled(scenario: &Scenario) {
    eventually(30, "the watcher's first signal", || has_loaded(scenario, 2));
}

/// Changes the password and waits until the application has it: the `number`-th change must cause the `number`-th reload.
pub(super) fn changed(scenario: &Scenario, pod: &Pod, number: usize, password: &str) {
    scenario.put("db", serde_json::json!({ "password": password }));
    let wanted = format!("password={password}\n");
    eventually(60, "the application's new configuration", || match pod.try_sh("cat /run/app/app.conf")? {
        found if found == wanted => Ok(()),
        found => Err(found),
    });
    eventually(10, "the application's output", || has_loaded(scenario, 2 + number));
}

#[test]
fn an_application_reloads_its_files_once_for_each_change() {
    let scenario = Scenario::begin();
    scenario.put("db", serde_json::json!({"password": "first-of-reload"}));
    let pod = reload(&scenario);
    settled(&scenario);
    for (number, password) in [(1, "second-of-reload"), (2, "third-of-reload")] {
        changed(&scenario, &pod, number, password);
        holds(7, "no further signal", || has_loaded(&scenario, 2 + number));
    }
    assert_eq!(pod.restarts(), 0);
}
