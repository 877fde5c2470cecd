//! The variant `deploy/pod-events`: new content creates an event on the pod.

use serde_json::{Value, json};

use super::pod_watch::rights;
use crate::support::{Restore, Scenario, eventually, kubectl, provider};
use crate::tests::applications::{changed, reload, settled};

/// Deploys the variant until the guard is dropped.
fn variant() -> Restore<impl FnMut()> {
    let restore = Restore(|| {
        let rbac = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/pod-events/rbac.yaml");
        kubectl(&["delete", "--ignore-not-found", "--filename", rbac]);
        provider::deploy("deploy");
    });
    provider::deploy("e2e/support/pod-events");
    restore
}

/// The events about new content in a namespace, found as users find them.
fn events(namespace: &str) -> Vec<Value> {
    let events = kubectl(&[
        "get",
        "events",
        "--namespace",
        namespace,
        "--field-selector=reason=SecretsUpdated",
        "--output=json",
    ]);
    let Value::Object(mut list) = serde_json::from_str(&events).unwrap() else { panic!("{events}") };
    serde_json::from_value(list.remove("items").unwrap()).unwrap()
}

/// Waits for one event about new content with this count, and returns it.
fn counted_events(namespace: &str, times: u64) -> Value {
    eventually(30, &format!("an event that counts {times}"), || match events(namespace).as_slice() {
        [event] if event["count"] == times => Ok(event.clone()),
        events => Err(format!("{events:#?}")),
    })
}

#[test]
fn an_event_on_the_pod_names_the_files_with_new_content() {
    let scenario = Scenario::alone();
    scenario.put("db", json!({"password": "first-of-events"}));
    let before = rights(&scenario.name);
    let restore = variant();
    let added: Vec<_> = rights(&scenario.name).difference(&before).cloned().collect();
    assert_eq!(added, ["events [] [] [create patch]"], "one right more");

    let pod = reload(&scenario);
    settled(&scenario);
    assert_eq!(events(&scenario.name), [] as [Value; 0], "a first mount creates no event");
    changed(&scenario, &pod, 1, "second-of-events");
    let event = counted_events(&scenario.name, 1);
    assert_eq!(
        (&event["type"], &event["message"]),
        (&json!("Normal"), &json!(r#"new content in volume "secrets": password"#))
    );
    let (object, pod_now) = (&event["involvedObject"], pod.object());
    assert_eq!((&object["kind"], &object["name"]), (&json!("Pod"), &json!("reload")));
    assert_eq!(object["uid"], pod_now["metadata"]["uid"]);
    assert_eq!(event["source"], json!({"component": "vaultmount", "host": pod_now["spec"]["nodeName"]}));

    // The same change again increases its count.
    changed(&scenario, &pod, 2, "third-of-events");
    let again = counted_events(&scenario.name, 2);
    assert_eq!(again["metadata"]["name"], event["metadata"]["name"]);
    let words = format!("{:?}", events(&scenario.name));
    assert!(!words.contains("of-events"), "a value reached an event: {words}");

    // Removing the variant removes the right, and the pod keeps running.
    drop(restore);
    assert_eq!(rights(&scenario.name), before);
    changed(&scenario, &pod, 3, "fourth-of-events");
    assert_eq!(pod.restarts(), 0);
}
