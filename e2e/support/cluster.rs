//! The scripts of `e2e/cluster`, as functions.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// OpenBao's address, the same from every pod and from the node.
pub(crate) const OPENBAO: &str = "http://10.99.0.1:8200";

/// A file below the cluster's state directory.
pub(crate) fn state(file: &str) -> PathBuf {
    Path::new(&std::env::var("VAULTMOUNT_E2E_DIR").expect("e2e/run sets VAULTMOUNT_E2E_DIR")).join(file)
}

/// Runs `e2e/cluster/<name>` with `input` on its standard input. Returns its output, or its error output.
pub(crate) fn script(name: &str, arguments: &[&str], input: &str) -> Result<Vec<u8>, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/cluster").join(name);
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("start e2e/cluster/{name}: {error}"));
    // A command that ends without reading its input closes the pipe: its exit status says more than our failed write.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    match output.status.success() {
        true => Ok(output.stdout),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("{name} {}: {}: {said}", arguments.join(" "), output.status))
        }
    }
}

fn text(output: Result<Vec<u8>, String>) -> Result<String, String> {
    output.map(|bytes| String::from_utf8(bytes).unwrap())
}

/// Runs kubectl and returns its error output if it fails.
pub(crate) fn try_kubectl(arguments: &[&str]) -> Result<String, String> {
    text(script("kubectl", arguments, ""))
}

/// Runs kubectl, which must succeed.
pub(crate) fn kubectl(arguments: &[&str]) -> String {
    try_kubectl(arguments).unwrap_or_else(|complaint| panic!("{complaint}"))
}

/// What `kubectl kustomize` builds from the overlay in a directory. Needs no running cluster.
pub(crate) fn kustomize(directory: &Path) -> Result<String, String> {
    text(script("kustomize", &[directory.to_str().unwrap()], ""))
}

/// Creates or changes an object.
pub(crate) fn apply(object: &Value) {
    apply_manifest(&object.to_string());
}

/// Creates or changes the objects of a manifest.
pub(crate) fn apply_manifest(manifest: &str) {
    text(script("kubectl", &["apply", "--filename=-"], manifest))
        .unwrap_or_else(|complaint| panic!("{complaint}"));
}

/// One object as JSON.
pub(crate) fn get(arguments: &[&str]) -> Result<Value, String> {
    let text = try_kubectl(&[&["get", "--output=json"], arguments].concat())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// A user's rights in a namespace: the table of `kubectl auth can-i --list`, its lines sorted.
pub(crate) fn rights(user: &str, namespace: &str) -> String {
    let table = kubectl(&["auth", "can-i", "--list", "--no-headers", "--as", user, "--namespace", namespace]);
    let mut lines: Vec<_> = table.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Runs a command on the node.
pub(crate) fn enter(arguments: &[&str]) -> Result<String, String> {
    text(script("enter", arguments, ""))
}

/// OpenBao's content, through its client with the root token.
pub(crate) mod bao {
    use super::{Value, script, state, text};

    /// Runs the client with `input` on its standard input.
    pub(crate) fn run(arguments: &[&str], input: &str) -> String {
        text(script("bao", arguments, input)).unwrap_or_else(|complaint| panic!("{complaint}"))
    }

    /// Writes `body` to an API path.
    pub(crate) fn write(path: &str, body: &Value) {
        run(&["write", path, "-"], &body.to_string());
    }

    /// Writes `body` to an API path of an OpenBao namespace.
    pub(crate) fn write_in(namespace: &str, path: &str, body: &Value) {
        run(&["write", &format!("-namespace={namespace}"), path, "-"], &body.to_string());
    }

    /// Accessors of the valid tokens of logins with a role of that name.
    pub(crate) fn tokens_of(role: &str) -> Vec<String> {
        let all: Vec<String> =
            serde_json::from_str(&run(&["list", "-format=json", "auth/token/accessors"], "")).unwrap();
        let is_of_role = |accessor: &String| {
            let about =
                ["write", "-format=json", "auth/token/lookup-accessor", &format!("accessor={accessor}")];
            match text(script("bao", &about, "")) {
                Ok(token) => serde_json::from_str::<Value>(&token).unwrap()["data"]["meta"]["role"] == role,
                // An accessor without a token: the token ended a moment ago, or while the server was stopping.
                Err(ended) if ended.contains("invalid accessor") || ended.contains("permission denied") => {
                    false
                }
                Err(complaint) => panic!("{complaint}"),
            }
        };
        all.into_iter().filter(is_of_role).collect()
    }

    /// The requests in the audit log whose path is `path`, in order.
    pub(crate) fn audited(path: &str) -> Vec<Value> {
        entries("request", path)
    }

    /// The responses to the requests for `path`: every member by its name, values as digests.
    pub(crate) fn answered(path: &str) -> Vec<Value> {
        entries("response", path).into_iter().map(|entry| entry["response"]["data"].clone()).collect()
    }

    /// Number of calls of `path` for each login of a role that called it at all.
    pub(crate) fn calls_by_login(role: &str, path: &str) -> Vec<usize> {
        let mut calls = std::collections::BTreeMap::new();
        for entry in audited(path).iter().filter(|entry| entry["auth"]["metadata"]["role"] == role) {
            *calls.entry(entry["auth"]["accessor"].to_string()).or_default() += 1;
        }
        calls.into_values().collect()
    }

    fn entries(kind: &str, path: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(state("logs/openbao-audit.log")).unwrap();
        let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries.filter(|entry| entry["type"] == kind && entry["request"]["path"] == path).collect()
    }
}

/// The servers of the cluster, for tests that run alone.
pub(crate) mod server {
    use super::{script, state};

    /// The audiences in the CSIDriver's `tokenRequests`, unless a test changes them.
    pub(crate) const AUDIENCES: &[&str] = &["vault", "openbao", "team"];

    fn must(name: &str, arguments: &[&str]) {
        script(name, arguments, "").unwrap_or_else(|complaint| panic!("{complaint}"));
    }

    /// `start`, `stop`, `seal`, `unseal`, `hang` or `resume`.
    pub(crate) fn openbao(verb: &str) {
        must("openbao", &[verb]);
    }

    /// `hang`, or `resume`, after which the node is ready.
    pub(crate) fn kubelet(verb: &str) {
        must("kubelet", &[verb]);
    }

    /// Restarts the CSI driver of this run's line with another rotation interval, or without rotation: `off`.
    pub(crate) fn driver(interval: &str) {
        must("driver", &[&line(), interval]);
    }

    /// Sets the audiences in the CSIDriver's `tokenRequests`. Without any audience, `tokenRequests` is removed.
    pub(crate) fn audiences(audiences: &[&str]) {
        must("audiences", audiences);
    }

    /// The log of a server, such as `kubelet`, of the whole run.
    pub(crate) fn log(name: &str) -> String {
        std::fs::read_to_string(state(&format!("logs/{name}.log"))).unwrap()
    }

    /// The line of the CSI driver in this run.
    pub(crate) fn line() -> String {
        std::env::var("VAULTMOUNT_E2E_DRIVER").expect("e2e/run sets VAULTMOUNT_E2E_DRIVER")
    }
}
