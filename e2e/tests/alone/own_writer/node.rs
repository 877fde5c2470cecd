//! Many volumes, and the end of pods.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::{Scenario, Volumes, eventually, kubectl, server};

/// Ten pods of three volumes each.
const PODS: u32 = 10;
const CLASSES: [&str; 3] = ["many-synced", "many-2", "many-3"];
const VOLUMES: Volumes = Volumes("many-*");

/// How often all pods are deleted and created again, while every volume changes once a second.
const ROUNDS: usize = 5;

fn classes(scenario: &Scenario, refresh: &str) {
    let file = |name: &str| {
        format!("- {{objectName: {name}, secretPath: {}, secretKey: value}}\n", scenario.path("many"))
    };
    let objects = file("value") + &file("copy");
    let class = |name: &str| scenario.class(name, &objects).parameter("refresh", refresh);
    class(CLASSES[0]).sync("many", &[("value", "value")]).apply();
    CLASSES[1..].iter().for_each(|name| class(name).apply());
}

fn put(scenario: &Scenario, value: &str) {
    scenario.put("many", json!({ "value": value }));
}

fn all_run(scenario: &Scenario) {
    eventually(120, "files in all volumes", || match VOLUMES.count("value") {
        30 => Ok(()),
        other => Err(format!("there are {other}")),
    });
    kubectl(&["rollout", "status", "deployment/many", "--namespace", &scenario.name, "--timeout=60s"]);
}

/// A changed value is in all files within `refresh` + 1 s, and in the synced Secret at the driver's next reconciliation.
pub(super) fn check(scenario: &Scenario) {
    put(scenario, "v0");
    classes(scenario, "5s");
    CLASSES.iter().fold(scenario.pod("many"), |pod, class| pod.mounts(class)).replicas(PODS);
    all_run(scenario);
    let mut took = Vec::new();
    for value in ["v1", "v2", "v3", "v4", "v5"] {
        put(scenario, value);
        took.push(VOLUMES.come_to_read("value", value, 20));
        // Here the driver sends a request every 5 to 10 s.
        eventually(60, "the Secret's new value", || {
            match scenario.get("secret", "many")?["data"]["value"].as_str() {
                Some(found) if found == STANDARD.encode(value) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
    }
    // The slowest of thirty volumes each time: with too slow a poll it would be late every time, on a busy machine only sometimes.
    assert!(took.iter().min() < Some(&Duration::from_secs(6)), "{took:?}");
    pods_end_while_their_volumes_change(scenario);
}

/// Unmounts, of 150, that may fail because a writer is at work, with all volumes changing every second on a busy machine. The kubelet retries after
/// half a second, so every pod ends.
const MET: usize = 7;

/// No pod stays in Terminating, whatever is written meanwhile.
fn pods_end_while_their_volumes_change(scenario: &Scenario) {
    let before = failed_unmounts().len();
    classes(scenario, "1s");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _ended = Ended(&is_over);
        scope.spawn(|| {
            (0..)
                .take_while(|_| !is_over.load(Ordering::Relaxed))
                .for_each(|number| put(scenario, &format!("changing-{number}")))
        });
        for round in 0..ROUNDS {
            all_run(scenario);
            if round == 1 {
                no_reader_sees_a_mix();
            }
            kubectl(&[
                "delete",
                "pods",
                "--selector=app=many",
                "--namespace",
                &scenario.name,
                "--wait=true",
                "--timeout=60s",
            ]);
        }
        kubectl(&[
            "delete",
            "deployment",
            "many",
            "--namespace",
            &scenario.name,
            "--cascade=foreground",
            "--timeout=60s",
        ]);
    });
    // The pods are gone, but the kubelet may still be removing their directories.
    eventually(30, "the end of all volumes", || match VOLUMES.count("") {
        0 => Ok(()),
        left => Err(format!("{left} are left")),
    });
    let failed = failed_unmounts().split_off(before);
    assert!(failed.len() <= MET, "{failed:#?}");
}

/// A reader of all files through one handle of `..data` finds files of one generation, a thousand times during two hundred swaps.
fn no_reader_sees_a_mix() {
    let (reads, swaps) = (1000, 200);
    let found = VOLUMES.read_together(["value", "copy"], reads, swaps + 30);
    assert!(
        found[0] >= reads && found[1] >= swaps + 30 && found[2] == 0,
        "whole, generations, mixes: {found:?}"
    );
}

/// Failed unmounts have no event, but the kubelet's log has each with the volume's name.
fn failed_unmounts() -> Vec<String> {
    let log = server::log("kubelet");
    log.lines()
        .filter(|line| line.contains("TearDown failed") && line.contains("many-"))
        .map(str::to_owned)
        .collect()
}

/// Stops the changes also when the test fails.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
