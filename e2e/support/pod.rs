//! A pod and its view of its volumes.

mod events; // events, status and recorded versions of a pod

use serde_json::{Value, json};

use super::cluster::{apply, get, kubectl, script, try_kubectl};
use super::eventually;

/// Time in which a pod whose secrets all exist must run: mounting takes a second, but two cores are shared with other tests.
const READY_SECONDS: u64 = 90;

/// A pod that mounts classes below `/mnt` and sleeps.
pub(crate) struct Pod {
    namespace: String,
    /// The pod's name, or its deployment's name until it runs.
    pub(crate) name: String,
    account: String,
    classes: Vec<(String, Value)>,
    env: Vec<Value>,
    user: Option<u32>,
    neighbour: Option<u32>,
    image: &'static str,
    command: Option<Vec<String>>,
    host_network: bool,
}

impl Pod {
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            account: "app".into(),
            classes: Vec::new(),
            env: Vec::new(),
            user: None,
            neighbour: None,
            image: "localhost/busybox:e2e",
            command: None,
            host_network: false,
        }
    }

    /// Mounts a class at `/mnt/<class>`.
    pub(crate) fn mounts(self, class: &str) -> Self {
        self.mounts_with(class, json!({}))
    }

    /// Mounts a class with additional `volumeAttributes`.
    pub(crate) fn mounts_with(mut self, class: &str, attributes: Value) -> Self {
        self.classes.push((class.into(), attributes));
        self
    }

    /// Runs as another service account than `app`.
    pub(crate) fn account(mut self, account: &str) -> Self {
        self.account = account.into();
        self
    }

    /// Takes an environment variable from a Secret.
    pub(crate) fn env(mut self, variable: &str, secret: &str, key: &str) -> Self {
        self.env.push(json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}));
        self
    }

    /// Runs as a user that is not root.
    pub(crate) fn user(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    /// Adds a second container of this user and group that mounts the same volumes.
    pub(crate) fn neighbour(mut self, user: u32) -> Self {
        self.neighbour = Some(user);
        self
    }

    /// Uses the image with etcd and etcdctl besides busybox.
    pub(crate) fn etcd(mut self) -> Self {
        self.image = "localhost/etcd:e2e";
        self
    }

    /// Runs a program instead of sleeping, at the node's own address.
    pub(crate) fn serves(mut self, command: &[&str]) -> Self {
        self.command = Some(command.iter().map(|&word| word.into()).collect());
        self.host_network = true;
        self
    }

    /// Creates the pod and returns at once.
    pub(crate) fn create(self) -> Self {
        apply(
            &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": self.name, "namespace": self.namespace}, "spec": self.spec()}),
        );
        self
    }

    /// Creates the pod and waits until it is ready.
    pub(crate) fn start(self) -> Self {
        self.create().ready()
    }

    /// Creates a deployment of `count` pods like this one, labelled `app` with its name, and returns at once.
    pub(crate) fn replicas(&self, count: u32) {
        let labels = json!({"app": self.name});
        apply(&json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {"replicas": count, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": self.spec()}},
        }));
    }

    /// Creates a deployment of this pod, of one replica, and waits until that is ready.
    pub(crate) fn deploy(mut self) -> Self {
        self.replicas(1);
        let selector = format!("--selector=app={}", self.name);
        self.name = eventually(20, "the deployment's pod", || {
            let pods = get(&["pods", "--namespace", &self.namespace, &selector])?;
            pods["items"][0]["metadata"]["name"].as_str().map(String::from).ok_or_else(|| "none yet".into())
        });
        self.ready()
    }

    fn spec(&self) -> Value {
        let volume = |(class, attributes): &(String, Value)| {
            let mut attributes = attributes.clone();
            attributes["secretProviderClass"] = json!(class);
            json!({"name": class, "csi": {"driver": "secrets-store.csi.k8s.io", "readOnly": true, "volumeAttributes": attributes}})
        };
        // A server stores data, in a directory that its user may write to.
        let data = self.command.as_ref().map(|_| json!({"name": "data", "emptyDir": {}}));
        json!({
            "serviceAccountName": self.account,
            "terminationGracePeriodSeconds": 0,
            "hostNetwork": self.host_network,
            "securityContext": self.user.map_or(json!({}), as_user),
            "containers": self.containers(),
            "volumes": self.classes.iter().map(volume).chain(data).collect::<Vec<_>>(),
        })
    }

    fn containers(&self) -> Vec<Value> {
        let mount = |(class, _): &(String, Value)| json!({"name": class, "mountPath": format!("/mnt/{class}"), "readOnly": true});
        let data = self.command.as_ref().map(|_| json!({"name": "data", "mountPath": "/data"}));
        let mounts: Vec<_> = self.classes.iter().map(mount).chain(data).collect();
        let main = json!({"name": "main", "image": self.image, "imagePullPolicy": "Never", "command": self.command, "env": self.env,
            "volumeMounts": mounts});
        let neighbour = |user| json!({"name": "neighbour", "image": self.image, "imagePullPolicy": "Never", "volumeMounts": mounts, "securityContext": as_user(user)});
        [main].into_iter().chain(self.neighbour.map(neighbour)).collect()
    }

    /// Waits until it is ready.
    pub(crate) fn ready(self) -> Self {
        self.ready_within(READY_SECONDS);
        self
    }

    /// Waits at most `seconds` until it is ready.
    pub(crate) fn ready_within(&self, seconds: u64) {
        let timeout = format!("--timeout={seconds}s");
        let pod = format!("pod/{}", self.name);
        if let Err(complaint) = self.kubectl(&["wait", "--for=condition=Ready", &pod, &timeout]) {
            panic!("{complaint}\nevents: {:#?}", self.events());
        }
    }

    /// The bytes of a file, `<class>/<path>`, as the container sees them.
    pub(crate) fn try_bytes(&self, file: &str) -> Result<Vec<u8>, String> {
        script(
            "kubectl",
            &["exec", "--namespace", &self.namespace, &self.name, "--", "cat", &format!("/mnt/{file}")],
            "",
        )
    }

    /// The text of a file, `<class>/<path>`, as the container sees it.
    pub(crate) fn read(&self, file: &str) -> String {
        String::from_utf8(self.try_bytes(file).unwrap_or_else(|complaint| panic!("{complaint}"))).unwrap()
    }

    /// The texts of files of one class, all of one generation: a rotation between two reads would mix old and new files.
    pub(crate) fn together<const N: usize>(&self, class: &str, files: [&str; N]) -> [String; N] {
        const BETWEEN: &str = "---- next ----";
        let files =
            files.map(|file| format!("cat {file}")).join(&format!(" && echo && echo '{BETWEEN}' && "));
        let text = eventually(20, "files of one generation", || {
            self.try_sh(&format!("cd /mnt/{class}/..data && {files}"))
        });
        let texts: Vec<_> = text.split(BETWEEN).map(|text| text.trim().to_owned()).collect();
        texts.try_into().unwrap()
    }

    /// Waits at most `seconds` until a file has this text.
    pub(crate) fn comes_to_read(&self, file: &str, text: &str, seconds: u64) {
        eventually(seconds, &format!("{file} to read {text:?}"), || match self.try_bytes(file)? {
            found if found == text.as_bytes() => Ok(()),
            found => Err(format!("it reads {:?}", String::from_utf8_lossy(&found))),
        });
    }

    /// Output of a shell in the container.
    pub(crate) fn try_sh(&self, line: &str) -> Result<String, String> {
        try_kubectl(&["exec", "--namespace", &self.namespace, &self.name, "--", "sh", "-c", line])
    }

    /// Output of a shell in the container of the second user.
    pub(crate) fn try_neighbour(&self, line: &str) -> Result<String, String> {
        try_kubectl(&[
            "exec",
            "--namespace",
            &self.namespace,
            &self.name,
            "--container=neighbour",
            "--",
            "sh",
            "-c",
            line,
        ])
    }

    /// Output of a shell in the container.
    pub(crate) fn sh(&self, line: &str) -> String {
        self.try_sh(line).unwrap_or_else(|complaint| panic!("{complaint}"))
    }

    /// The files of a class and their modes, `644 path`, sorted.
    pub(crate) fn files(&self, class: &str) -> Vec<String> {
        let line = format!(
            "cd /mnt/{class}/..data && find . -type f | sort | while read -r f; do stat -c '%a %n' \"$f\"; done"
        );
        // The driver removes replaced files at once: a read that fails because of that is repeated.
        let text = eventually(20, "files of one generation", || self.try_sh(&line));
        text.lines().map(|line| line.replace("./", "")).collect()
    }

    /// The pod's object in the API server.
    pub(crate) fn object(&self) -> Value {
        get(&["pod", &self.name, "--namespace", &self.namespace])
            .unwrap_or_else(|complaint| panic!("{complaint}"))
    }

    /// Number of container restarts.
    pub(crate) fn restarts(&self) -> u64 {
        self.object()["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap()
    }

    /// Deletes the pod and waits until it is gone. Fails here if a volume cannot be unmounted.
    pub(crate) fn delete(self) {
        kubectl(&[
            "delete",
            "pod",
            &self.name,
            "--namespace",
            &self.namespace,
            "--wait=true",
            "--timeout=60s",
        ]);
    }

    fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        try_kubectl(&[arguments, &["--namespace", &self.namespace]].concat())
    }
}

/// A security context of a pod or a container.
fn as_user(user: u32) -> Value {
    json!({"runAsUser": user, "runAsGroup": user})
}
