//! A mount as each caller sends it: driver 1.6, the rotation loop of driver 1.5, the sync controller.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::wire::{MountRequest, MountResponse, ObjectVersion};
use serde_json::{Value, json};
use tonic::Code;

use super::class::Class;
use super::provider::Provider;
use super::token::Account;
use super::volume::{Refusal, Volume};

/// Prefix of the attributes that the kubelet sets.
const KUBELET: &str = "csi.storage.k8s.io";

/// After any of these, driver 1.6 with rotation starts the pod on an empty volume.
const FORBIDDEN: [Code; 5] =
    [Code::Unavailable, Code::DeadlineExceeded, Code::ResourceExhausted, Code::Aborted, Code::Cancelled];

/// The client that sends a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Caller {
    /// Driver 1.6: first mount and every republish, with a timeout of two minutes.
    Driver16,
    /// The rotation loop of driver 1.5: no volume attributes, no deadline, `{}` for secrets, and the current versions.
    RotationLoop15,
    /// The sync controller: its own pod's name and uid, tokens that are bound to no pod, the same target for all.
    SyncController,
}

/// A mount request that can still be changed.
#[derive(Clone)]
pub(crate) struct Call<'p> {
    provider: &'p Provider,
    class: Class,
    account: Account,
    account_uid: Option<String>,
    caller: Caller,
    socket: String,
    audiences: Vec<String>,
    token_life: i64,
    token: Option<String>,
    changes: Vec<(String, Option<String>)>,
    request: MountRequest,
    deadline: Option<Duration>,
}

impl<'p> Call<'p> {
    /// A first mount by driver 1.6 for a new pod of `account`, written `namespace/name`.
    pub(super) fn new(provider: &'p Provider, account: &str, class: Class) -> Self {
        let (namespace, name) = account.split_once('/').unwrap();
        static PODS: AtomicU64 = AtomicU64::new(1);
        let number = PODS.fetch_add(1, Ordering::Relaxed);
        let pod = (format!("{name}-7d4b9c-{number}"), format!("6f1f7a51-3f0b-4a38-9f5d-{number:012x}"));
        let target = format!("/var/lib/kubelet/pods/{}/volumes/kubernetes.io~csi/secrets/mount", pod.1);
        Self {
            provider,
            class,
            account: Account { namespace: namespace.into(), name: name.into(), pod: Some(pod) },
            account_uid: None,
            caller: Caller::Driver16,
            socket: "vault.sock".into(),
            audiences: vec!["vault".into()],
            token_life: 3600,
            token: None,
            changes: Vec::new(),
            request: MountRequest {
                target_path: target,
                permission: "420".into(),
                secrets: "null".into(),
                ..MountRequest::default()
            },
            deadline: Some(Duration::from_secs(120)),
        }
    }

    /// With another class.
    pub(super) fn of(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// As `caller` sends it.
    pub(crate) fn by(mut self, caller: Caller) -> Self {
        self.caller = caller;
        if caller != Caller::Driver16 {
            self.request.secrets = "{}".into();
            self.deadline = None;
        }
        if caller == Caller::SyncController {
            self.account.pod = None;
            self.request.target_path = "/mnt/secrets-store".into();
        }
        self
    }

    /// Over the socket of another name.
    pub(crate) fn over(mut self, socket: &str) -> Self {
        self.socket = socket.into();
        self
    }

    /// With tokens of these audiences instead of `vault`; of none, as without `tokenRequests`.
    pub(crate) fn audiences(mut self, audiences: &[&str]) -> Self {
        self.audiences = audiences.iter().map(|&audience| audience.into()).collect();
        self
    }

    /// With tokens that expire in that many seconds; a negative number means expired.
    pub(crate) fn token_life(mut self, seconds: i64) -> Self {
        self.token_life = seconds;
        self
    }

    /// As a pod of a recreated service account of the same name.
    pub(crate) fn account_uid(mut self, uid: &str) -> Self {
        self.account_uid = Some(uid.into());
        self
    }

    /// In a directory below this one of the kubelet's.
    pub(crate) fn below(self, kubelet: &Path) -> Self {
        self.request(|request| {
            request.target_path = request.target_path.replace("/var/lib/kubelet", kubelet.to_str().unwrap())
        })
    }

    /// The target directory.
    pub(crate) fn place(&self) -> PathBuf {
        PathBuf::from(&self.request.target_path)
    }

    /// The target directory as this process can reach it.
    pub(super) fn directory(&self) -> PathBuf {
        self.provider.seen(&self.place())
    }

    /// All files in the target directory, with their modes.
    pub(super) fn written(&self) -> BTreeMap<String, (u32, Vec<u8>)> {
        let directory = self.directory();
        let generation = directory.join(directory.join("..data").read_link().unwrap());
        files(&generation)
            .map(|path| (path.strip_prefix(&generation).unwrap().to_str().unwrap().to_owned(), file(&path)))
            .collect()
    }

    /// To another provider process on the same node.
    pub(crate) fn to(self, provider: &'p Provider) -> Self {
        Self { provider, ..self }
    }

    /// With this text as the token.
    pub(crate) fn token(mut self, jwt: impl Into<String>) -> Self {
        self.token = Some(jwt.into());
        self
    }

    /// With another value of an attribute (`volumeAttributes` among them), or without it.
    pub(crate) fn attribute(mut self, key: &str, value: Option<&str>) -> Self {
        self.changes.push((key.into(), value.map(Into::into)));
        self
    }

    /// With changed fields of the request, also `attributes`, which are otherwise made from the other settings.
    pub(crate) fn request(mut self, change: impl FnOnce(&mut MountRequest)) -> Self {
        change(&mut self.request);
        self
    }

    /// With this deadline.
    pub(crate) fn within(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Makes the mount, which must succeed.
    pub(crate) async fn mount(self) -> Volume<'p> {
        match self.send().await {
            Ok(answer) => Volume::new(self, answer),
            Err(Refusal { code, text }) => panic!("{code:?}: {text}"),
        }
    }

    /// Makes the mount, which must fail, and never with a code that starts the pod without its secrets.
    pub(crate) async fn fails(self) -> Refusal {
        let refusal = self.send().await.err().expect("a mount that fails");
        assert!(!FORBIDDEN.contains(&refusal.code), "{refusal:?}");
        refusal
    }

    pub(crate) async fn send(&self) -> Result<MountResponse, Refusal> {
        let mut request = tonic::Request::new(self.message());
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline);
        }
        self.provider.send(&self.socket, request).await.map_err(|status| self.provider.witness(status))
    }

    fn message(&self) -> MountRequest {
        let mut message = self.request.clone();
        if message.attributes.is_empty() {
            message.attributes = json!(self.attributes()).to_string();
        }
        if self.caller == Caller::RotationLoop15 {
            message.current_object_version = vec![ObjectVersion { id: "db".into(), version: "known".into() }];
        }
        message
    }

    fn attributes(&self) -> BTreeMap<String, String> {
        let mut attributes = self.class.parameters();
        let own_pod = || ("sync-controller-0".to_owned(), "1c7d6a53-8e0b-4f57-8f1e-7a1f5d2c9b3e".to_owned());
        let (pod, uid) = self.account.pod.clone().unwrap_or_else(own_pod);
        let mut add = |key: &str, value: String| attributes.insert(key.into(), value);
        add(&format!("{KUBELET}/pod.name"), pod);
        add(&format!("{KUBELET}/pod.uid"), uid);
        add(&format!("{KUBELET}/pod.namespace"), self.account.namespace.clone());
        add(&format!("{KUBELET}/serviceAccount.name"), self.account.name.clone());
        if self.caller == Caller::Driver16 {
            add("secretProviderClass", "app-secrets".into());
            add(&format!("{KUBELET}/ephemeral"), "true".into());
        }
        if !self.audiences.is_empty() {
            add(&format!("{KUBELET}/serviceAccount.tokens"), json!(self.tokens()).to_string());
        }
        let sent = |key: &str| self.caller != Caller::RotationLoop15 || key.starts_with(KUBELET);
        for (key, value) in self.changes.iter().filter(|(key, _)| sent(key)) {
            match value {
                Some(value) => attributes.insert(key.clone(), value.clone()),
                None => attributes.remove(key),
            };
        }
        attributes
    }

    fn claims(&self, audience: &str) -> Value {
        let mut claims = self.account.claims(audience, self.token_life);
        if let Some(uid) = &self.account_uid {
            claims["kubernetes.io"]["serviceaccount"]["uid"] = json!(uid);
        }
        claims
    }

    fn tokens(&self) -> BTreeMap<String, Value> {
        let token = |audience: &String| {
            let issued = || self.provider.issue(&self.claims(audience));
            let token = self.token.clone().unwrap_or_else(issued);
            (audience.clone(), json!({ "token": token, "expirationTimestamp": "2046-01-01T00:00:00Z" }))
        };
        self.audiences.iter().map(token).collect()
    }
}

/// Every file below `directory`.
fn files(directory: &Path) -> Box<dyn Iterator<Item = PathBuf>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    Box::new(
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { Box::new(std::iter::once(path)) }),
    )
}

/// Mode and bytes.
fn file(path: &Path) -> (u32, Vec<u8>) {
    (path.metadata().unwrap().permissions().mode() & 0o7777, fs::read(path).unwrap())
}
