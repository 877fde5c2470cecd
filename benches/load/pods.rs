//! Pods with their tokens and the requests that the driver would send for them, all made before the measurement starts.

use std::sync::OnceLock;

use crate::support::wire::MountRequest;
use serde_json::json;

use crate::args::Shape;
use crate::environment::Environment;
use crate::object_kind::VaultCall;
use crate::support::class::{Class, object};
use crate::support::token::Account;

/// Prefix of the attributes that the kubelet sets.
const KUBELET: &str = "csi.storage.k8s.io";

/// The audience of the pods' tokens.
const AUDIENCE: &str = "vault";

/// Pods that no provider has seen yet, and the calls that each of them needs.
pub(crate) struct Pods {
    pub(crate) pods: Vec<Pod>,
    pub(crate) calls: Vec<VaultCall>,
}

/// One pod.
pub(crate) struct Pod {
    /// Body of the pod's login call.
    pub(crate) login: String,
    /// The driver's request, for the first mount and for every republish.
    pub(crate) request: MountRequest,
    /// The Vault token of the bare calls.
    pub(crate) token: OnceLock<String>,
}

impl Pods {
    /// As many new pods as `shape` says, of as many new accounts.
    pub(crate) fn new(environment: &Environment, shape: &Shape) -> Self {
        let class = class(environment, shape);
        let (first_pod, first_account) =
            (environment.numbers(shape.pods), environment.numbers(shape.accounts()));
        let pods = (0..shape.pods).map(|number| {
            let account = format!("app-{}", first_account + number % shape.accounts());
            Pod::new(environment, &class, account, first_pod + number)
        });
        Self { pods: pods.collect(), calls: shape.kind.calls(shape.objects, &environment.sealed) }
    }
}

impl Pod {
    fn new(environment: &Environment, class: &Class, name: String, number: usize) -> Self {
        let (pod, uid) = (format!("{name}-{number}"), format!("6f1f7a51-3f0b-4a38-9f5d-{number:012x}"));
        let account = Account { namespace: "bench".into(), name, pod: Some((pod.clone(), uid.clone())) };
        let token = environment.vault.issuer.sign(&account.claims(AUDIENCE, 3600));
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

fn class(environment: &Environment, shape: &Shape) -> Class {
    let entries = (0..shape.objects).map(|number| object(shape.kind.entry(number, &environment.sealed)));
    let class = entries.reduce(Class::and).unwrap();
    class.with("roleName", "bench").with("audience", AUDIENCE).with("refresh", &shape.refresh)
}
