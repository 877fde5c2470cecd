//! The provider's DaemonSet, as `deploy/` has it.

use serde_json::json;

use super::cluster::{enter, get, kubectl, try_kubectl};
use super::eventually;

const NAMESPACE: &str = "vaultmount";
const DAEMONSET: &str = "daemonset/vaultmount";
/// Holds the key of all object versions, in its member `key`.
const KEY: &str = "vaultmount-hmac-key";
const SELECTOR: &str = "--selector=app.kubernetes.io/name=vaultmount";

/// Ends the provider as an upgrade does, and waits until its successor is ready.
pub(crate) fn restart() {
    kubectl(&["rollout", "restart", DAEMONSET, "--namespace", NAMESPACE]);
    kubectl(&["rollout", "status", DAEMONSET, "--namespace", NAMESPACE, "--timeout=90s"]);
}

/// Kills the provider's process with SIGKILL, and waits until the kubelet has started it again and it is ready.
pub(crate) fn kill() {
    let before = container();
    enter(&["ctr", "--namespace", "k8s.io", "task", "kill", "--signal", "SIGKILL", &before]).unwrap();
    eventually(30, "another container of the provider", || match container() {
        after if after == before => Err("still the same".into()),
        _ => Ok(()),
    });
    kubectl(&["wait", "--for=condition=Ready", "pod", SELECTOR, "--namespace", NAMESPACE, "--timeout=90s"]);
}

/// Gives the Secret of the version key another value, in base64; the old one is returned. Seen by the provider's next start.
pub(crate) fn replace_key(new: &str) -> String {
    let old = get(&["secret", KEY, "--namespace", NAMESPACE]).unwrap();
    let patch = json!({"data": {"key": new}}).to_string();
    kubectl(&["patch", "secret", KEY, "--namespace", NAMESPACE, "--type=merge", "--patch", &patch]);
    old["data"]["key"].as_str().unwrap().into()
}

/// The id of its running container, as containerd knows it.
fn container() -> String {
    eventually(60, "the provider's container", || {
        let pods = get(&["pods", SELECTOR, "--namespace", NAMESPACE])?;
        let id = pods["items"][0]["status"]["containerStatuses"][0]["containerID"].as_str().ok_or("none")?;
        Ok(id.trim_start_matches("containerd://").to_owned())
    })
}

/// All that its pods have written since they started.
pub(crate) fn log() -> String {
    try_kubectl(&["logs", SELECTOR, "--namespace", NAMESPACE, "--all-containers", "--tail=-1"]).unwrap_or_else(|complaint| complaint)
}

/// The last lines of its log that name `word`.
pub(crate) fn log_about(word: &str) -> String {
    let log = log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(word)).collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
