//! Polls without requests of the driver: without rotation, without a kubelet, after a restart.

use serde_json::json;

use crate::support::{Restore, Scenario, Volumes, holds, provider, server};

const CHANGING: Volumes = Volumes("unasked-changing");
const STILL: Volumes = Volumes("unasked-still");

/// Files of a user that vaultmount may not read are updated when their value changes and left alone otherwise, without driver or kubelet.
pub(super) fn check(scenario: &Scenario) {
    for name in ["unasked-changing", "unasked-still"] {
        scenario.put(name, json!({"value": "first"}));
        let objects = format!(
            "- {{objectName: value, secretPath: {}, secretKey: value, filePermission: 0400}}",
            scenario.path(name)
        );
        scenario.class(name, &objects).parameter("refresh", "3s").parameter("owner", "1000").apply();
    }
    let pod = scenario.pod("reader").user(1000).mounts("unasked-changing").mounts("unasked-still").start();
    let still = STILL.generations();
    // Only vaultmount can write it: there is no rotation, or no kubelet.
    let follows = |value: &str| {
        scenario.put("unasked-changing", json!({ "value": value }));
        CHANGING.come_to_read("value", value, 20);
    };

    let _rotation = Restore(|| server::driver("5s"));
    server::driver("off");
    follows("without rotation");
    {
        let _kubelet = Restore(|| server::kubelet("resume"));
        server::kubelet("hang");
        follows("without a kubelet");
    }
    provider::kill();
    // Longer than a new process needs to poll every volume.
    holds(6, "the generations from before", || match STILL.generations() {
        found if found == still => Ok(()),
        other => Err(format!("{still} became {other}")),
    });
    follows("after a restart");
    assert_eq!((STILL.generations(), STILL.read("value").as_str()), (still, "first"));
    assert_eq!((pod.read("unasked-changing/value").as_str(), pod.restarts()), ("after a restart", 0));
    pod.delete();
}
