//! A pod's events, status and recorded object versions.

use serde_json::Value;

use super::Pod;
use crate::support::cluster::get;
use crate::support::eventually;

impl Pod {
    /// The pod's events of failed mounts, oldest first.
    pub(crate) fn events(&self) -> Vec<String> {
        let selector = format!("--field-selector=involvedObject.name={},reason=FailedMount", self.name);
        let events = get(&["events", "--namespace", &self.namespace, &selector, "--sort-by=.lastTimestamp"])
            .unwrap_or_default();
        let items = events["items"].as_array().cloned().unwrap_or_default();
        items.iter().filter_map(|event| event["message"].as_str().map(String::from)).collect()
    }

    /// Waits at most `seconds` for an event of a failed mount that names all of `words`.
    pub(crate) fn fails_to_mount(&self, words: &[&str], seconds: u64) -> String {
        eventually(seconds, &format!("an event of {} with {words:?}", self.name), || {
            let events = self.events();
            let found = events.iter().find(|event| words.iter().all(|word| event.contains(word)));
            found.cloned().ok_or_else(|| format!("events: {events:#?}"))
        })
    }

    /// True while no container of the pod has run.
    pub(crate) fn is_waiting(&self) -> bool {
        let pod = self.object();
        let container = &pod["status"]["containerStatuses"][0];
        // The event of a first failure may exist before the kubelet has reported any container.
        pod["status"]["phase"] == "Pending"
            && (container.is_null() || container["state"]["waiting"]["reason"] == "ContainerCreating")
    }

    /// Object versions that the driver recorded for a class: pairs of file and version.
    pub(crate) fn versions(&self, class: &str) -> Vec<(String, String)> {
        let name = format!("{}-{}-{class}", self.name, self.namespace);
        eventually(20, "the pod status of the driver", || {
            let status = get(&["secretproviderclasspodstatus", &name, "--namespace", &self.namespace])?;
            let objects = status["status"]["objects"].as_array().cloned().ok_or("no objects yet")?;
            let pair = |object: &Value| {
                (object["id"].as_str().unwrap().into(), object["version"].as_str().unwrap().into())
            };
            Ok(objects.iter().map(pair).collect())
        })
    }
}
