//! The provider's DaemonSet, as `deploy/` has it.

use serde_json::{Value, json};

use super::cluster::{enter, get, kubectl, script, try_kubectl};
use super::{Restore, eventually};

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

/// Deploys an overlay of this tree's as `e2e/deploy` does; `deploy` is what tests find.
pub(crate) fn deploy(overlay: &str) {
    let manifest = kubectl(&["kustomize", &format!("{}/{overlay}", env!("CARGO_MANIFEST_DIR"))]);
    script("../deploy", &["-"], &manifest).unwrap_or_else(|complaint| panic!("{complaint}"));
}

/// Replaces its flags by what `change` makes of them, and waits until a process that has them is ready.
pub(crate) fn change_flags(change: impl FnOnce(&mut Vec<Value>)) {
    const PATH: &str = "/spec/template/spec/containers/0/args";
    let daemonset = get(&[DAEMONSET, "--namespace", NAMESPACE]).unwrap();
    let mut flags = daemonset.pointer(PATH).and_then(Value::as_array).unwrap().clone();
    change(&mut flags);
    let patch = json!([{"op": "replace", "path": PATH, "value": flags}]).to_string();
    kubectl(&["patch", DAEMONSET, "--namespace", NAMESPACE, "--type=json", "--patch", &patch]);
    kubectl(&["rollout", "status", DAEMONSET, "--namespace", NAMESPACE, "--timeout=90s"]);
}

/// Ends the provider in good order, and keeps any other from starting until the guard is dropped; then one is ready.
pub(crate) fn stopped() -> Restore<impl FnMut()> {
    const NOWHERE: &str = "/spec/template/spec/nodeSelector/vaultmount-test";
    let patch = |change: Value| {
        kubectl(&[
            "patch",
            DAEMONSET,
            "--namespace",
            NAMESPACE,
            "--type=json",
            "--patch",
            &json!([change]).to_string(),
        ])
    };
    patch(json!({"op": "add", "path": NOWHERE, "value": "stopped"}));
    let restore = Restore(move || {
        patch(json!({"op": "remove", "path": NOWHERE}));
        kubectl(&["rollout", "status", DAEMONSET, "--namespace", NAMESPACE, "--timeout=90s"]);
    });
    eventually(60, "the end of the provider's pod", || {
        let pods = get(&["pods", SELECTOR, "--namespace", NAMESPACE])?;
        if pods["items"].as_array().is_some_and(Vec::is_empty) { Ok(()) } else { Err("it is there".into()) }
    });
    restore
}

/// A file of `/proc/<pid>` of its process.
pub(crate) fn proc(file: &str) -> String {
    let container = container();
    let tasks = enter(&["ctr", "--namespace", "k8s.io", "task", "ls"]).unwrap();
    let task = tasks.lines().find(|task| task.starts_with(&container)).unwrap();
    enter(&["cat", &format!("/proc/{}/{file}", task.split_whitespace().nth(1).unwrap())]).unwrap()
}

/// What Kubernetes lets its service account do in `namespace`, as `kubectl auth can-i --list` says it.
pub(crate) fn rights(namespace: &str) -> String {
    super::cluster::rights(&format!("system:serviceaccount:{NAMESPACE}:vaultmount"), namespace)
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
    try_kubectl(&["logs", SELECTOR, "--namespace", NAMESPACE, "--all-containers", "--tail=-1"])
        .unwrap_or_else(|complaint| complaint)
}

/// The last lines of its log that name `word`.
pub(crate) fn log_about(word: &str) -> String {
    let log = log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(word)).collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
