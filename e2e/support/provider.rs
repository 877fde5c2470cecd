//! The provider's DaemonSet of `deploy/`.

use serde_json::{Value, json};

use super::cluster::{enter, get, kubectl, script, try_kubectl};
use super::{Restore, eventually};

const NAMESPACE: &str = "vaultmount";
const DAEMONSET: &str = "daemonset/vaultmount";
/// The Secret with the key of all object versions, in its member `key`.
const KEY: &str = "vaultmount-hmac-key";
const SELECTOR: &str = "--selector=app.kubernetes.io/name=vaultmount";

/// Restarts the provider as an upgrade does, and waits until the new pod is ready.
pub(crate) fn restart() {
    kubectl(&["rollout", "restart", DAEMONSET, "--namespace", NAMESPACE]);
    kubectl(&["rollout", "status", DAEMONSET, "--namespace", NAMESPACE, "--timeout=90s"]);
}

/// Deploys an overlay of this tree as `e2e/deploy` does. Tests start with the overlay `deploy`.
pub(crate) fn deploy(overlay: &str) {
    let manifest = kubectl(&["kustomize", &format!("{}/{overlay}", env!("CARGO_MANIFEST_DIR"))]);
    script("../deploy", &["-"], &manifest).unwrap_or_else(|complaint| panic!("{complaint}"));
}

/// Changes the provider's flags with `change`, and waits until a process with them is ready.
pub(crate) fn change_flags(change: impl FnOnce(&mut Vec<Value>)) {
    const PATH: &str = "/spec/template/spec/containers/0/args";
    let daemonset = get(&[DAEMONSET, "--namespace", NAMESPACE]).unwrap();
    let mut flags = daemonset.pointer(PATH).and_then(Value::as_array).unwrap().clone();
    change(&mut flags);
    let patch = json!([{"op": "replace", "path": PATH, "value": flags}]).to_string();
    kubectl(&["patch", DAEMONSET, "--namespace", NAMESPACE, "--type=json", "--patch", &patch]);
    kubectl(&["rollout", "status", DAEMONSET, "--namespace", NAMESPACE, "--timeout=90s"]);
}

/// Stops the provider and prevents a new start until the guard is dropped. The guard waits until a new provider is ready.
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

/// A file of `/proc/<pid>` of the provider's process.
pub(crate) fn proc(file: &str) -> String {
    let container = container();
    let tasks = enter(&["ctr", "--namespace", "k8s.io", "task", "ls"]).unwrap();
    let task = tasks.lines().find(|task| task.starts_with(&container)).unwrap();
    enter(&["cat", &format!("/proc/{}/{file}", task.split_whitespace().nth(1).unwrap())]).unwrap()
}

/// The rights of the provider's service account in `namespace`, from `kubectl auth can-i --list`.
pub(crate) fn rights(namespace: &str) -> String {
    super::cluster::rights(&format!("system:serviceaccount:{NAMESPACE}:vaultmount"), namespace)
}

/// Kills the provider's process with SIGKILL, and waits until the kubelet has restarted it and it is ready.
pub(crate) fn kill() {
    let before = container();
    enter(&["ctr", "--namespace", "k8s.io", "task", "kill", "--signal", "SIGKILL", &before]).unwrap();
    eventually(30, "another container of the provider", || match container() {
        after if after == before => Err("still the same".into()),
        _ => Ok(()),
    });
    kubectl(&["wait", "--for=condition=Ready", "pod", SELECTOR, "--namespace", NAMESPACE, "--timeout=90s"]);
}

/// Replaces the value of the version key, in base64, and returns the old one. The provider reads it at its next start.
pub(crate) fn replace_key(new: &str) -> String {
    let old = get(&["secret", KEY, "--namespace", NAMESPACE]).unwrap();
    let patch = json!({"data": {"key": new}}).to_string();
    kubectl(&["patch", "secret", KEY, "--namespace", NAMESPACE, "--type=merge", "--patch", &patch]);
    old["data"]["key"].as_str().unwrap().into()
}

/// The containerd id of the running container.
fn container() -> String {
    eventually(60, "the provider's container", || {
        let pods = get(&["pods", SELECTOR, "--namespace", NAMESPACE])?;
        let id = pods["items"][0]["status"]["containerStatuses"][0]["containerID"].as_str().ok_or("none")?;
        Ok(id.trim_start_matches("containerd://").to_owned())
    })
}

/// The logs of the provider's pods since they started.
pub(crate) fn log() -> String {
    try_kubectl(&["logs", SELECTOR, "--namespace", NAMESPACE, "--all-containers", "--tail=-1"])
        .unwrap_or_else(|complaint| complaint)
}

/// The last log lines that contain `word`.
pub(crate) fn log_about(word: &str) -> String {
    let log = log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(word)).collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
