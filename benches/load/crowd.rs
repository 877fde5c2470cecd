//! Pods with their tokens and the requests that the driver would send for them, all made before the clock runs.

use std::sync::OnceLock;

use crate::support::wire::MountRequest;
use serde_json::json;

use crate::args::Shape;
use crate::kind::Ask;
use crate::stage::Stage;
use crate::support::class::{Class, object};
use crate::support::token::Account;

/// Attributes that the kubelet vouches for begin so.
const KUBELET: &str = "csi.storage.k8s.io";

/// The audience that tokens are asked for with.
const AUDIENCE: &str = "vault";

/// Pods that nobody has seen yet, and what each of them reads.
pub(crate) struct Crowd {
    pub(crate) pods: Vec<Pod>,
    pub(crate) asks: Vec<Ask>,
}

/// One pod.
pub(crate) struct Pod {
    /// Body of its login call.
    pub(crate) login: String,
    /// What the driver sends, at first and at every republish.
    pub(crate) request: MountRequest,
    /// What the bare calls logged in to.
    pub(crate) token: OnceLock<String>,
}

impl Crowd {
    /// As many new pods as `shape` says, of as many new accounts.
    pub(crate) fn new(stage: &Stage, shape: &Shape) -> Self {
        let class = class(stage, shape);
        let (first_pod, first_account) = (stage.numbers(shape.pods), stage.numbers(shape.accounts()));
        let pods = (0..shape.pods).map(|number| {
            let account = format!("app-{}", first_account + number % shape.accounts());
            Pod::new(stage, &class, account, first_pod + number)
        });
        Self { pods: pods.collect(), asks: shape.kind.asks(shape.objects, &stage.sealed) }
    }
}

impl Pod {
    fn new(stage: &Stage, class: &Class, name: String, number: usize) -> Self {
        let (pod, uid) = (format!("{name}-{number}"), format!("6f1f7a51-3f0b-4a38-9f5d-{number:012x}"));
        let account = Account { namespace: "bench".into(), name, pod: Some((pod.clone(), uid.clone())) };
        let token = stage.vault.issuer.sign(&account.claims(AUDIENCE, 3600));
        let tokens = json!({ AUDIENCE: { "token": token, "expirationTimestamp": "2046-01-01T00:00:00Z" } });
        let mut attributes = class.parameters();
        attributes.extend([
            ("secretProviderClass".into(), "bench".into()),
            (format!("{KUBELET}/ephemeral"), "true".into()),
            (format!("{KUBELET}/pod.name"), pod),
            (format!("{KUBELET}/pod.namespace"), account.namespace),
            (format!("{KUBELET}/pod.uid"), uid.clone()),
            (format!("{KUBELET}/serviceAccount.name"), account.name),
            (format!("{KUBELET}/serviceAccount.tokens"), tokens.to_string()),
        ]);
        let request = MountRequest {
            attributes: json!(attributes).to_string(),
            secrets: "null".into(),
            target_path: format!("/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~csi/secrets/mount"),
            permission: "420".into(),
            current_object_version: Vec::new(),
        };
        Self { login: json!({ "role": "bench", "jwt": token }).to_string(), request, token: OnceLock::new() }
    }
}

fn class(stage: &Stage, shape: &Shape) -> Class {
    let entries = (0..shape.objects).map(|number| object(shape.kind.entry(number, &stage.sealed)));
    let class = entries.reduce(Class::and).unwrap();
    class.with("roleName", "bench").with("audience", AUDIENCE).with("refresh", &shape.refresh)
}
