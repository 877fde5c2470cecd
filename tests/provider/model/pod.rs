//! Pods, and the driver's requests for them.

use std::collections::BTreeMap;

use crate::support::wire::{MountRequest, MountResponse};
use serde_json::json;

use crate::support::Class;
use crate::support::token::{Account, Issuer};

/// A service account. A recreated one has the same name and another uid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServiceAccount {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// How often it was recreated.
    pub(crate) made: u32,
}

/// A pod with one volume.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) service_account: ServiceAccount,
    pub(crate) number: usize,
}

/// The files of a volume by their names.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

impl ServiceAccount {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into(), made: 0 }
    }

    pub(crate) fn uid(&self) -> String {
        uid(&format!("{}/{}", self.namespace, self.name), self.made)
    }

    /// The uid that the account had before it was recreated.
    pub(crate) fn first_uid(&self) -> String {
        Self { made: 0, ..self.clone() }.uid()
    }
}

impl Pod {
    /// The driver's request for the pod's volume of `class`, with a token that was issued a minute ago.
    pub(crate) fn request(&self, class: &Class, issuer: &Issuer) -> MountRequest {
        let ServiceAccount { namespace, name, .. } = &self.service_account;
        let (pod, pod_uid) =
            (format!("{name}-{}", self.number), format!("6f1f7a51-3f0b-4a38-9f5d-{:012x}", self.number));
        let account = Account {
            namespace: namespace.clone(),
            name: name.clone(),
            pod: Some((pod.clone(), pod_uid.clone())),
        };
        let mut claims = account.claims("vault", 3600);
        claims["kubernetes.io"]["serviceaccount"]["uid"] = json!(self.service_account.uid());
        let tokens = json!({ "vault": { "token": issuer.sign(&claims), "expirationTimestamp": "2046-01-01T00:00:00Z" } });
        let mut attributes = class.parameters();
        for (key, value) in [
            ("pod.name", pod),
            ("pod.uid", pod_uid.clone()),
            ("pod.namespace", namespace.clone()),
            ("serviceAccount.name", name.clone()),
            ("serviceAccount.tokens", tokens.to_string()),
        ] {
            attributes.insert(format!("csi.storage.k8s.io/{key}"), value);
        }
        attributes.insert("secretProviderClass".into(), "app-secrets".into());
        MountRequest {
            attributes: json!(attributes).to_string(),
            secrets: "null".into(),
            target_path: format!("/var/lib/kubelet/pods/{pod_uid}/volumes/kubernetes.io~csi/secrets/mount"),
            permission: "420".into(),
            current_object_version: Vec::new(),
        }
    }
}

pub(crate) fn files(answer: MountResponse) -> Files {
    answer.files.into_iter().map(|file| (file.path, file.contents)).collect()
}

/// A uid in the API server's form, always the same for the same account.
fn uid(account: &str, made: u32) -> String {
    let number = account
        .bytes()
        .fold(u64::from(made) + 1, |sum, byte| sum.wrapping_mul(257).wrapping_add(u64::from(byte)));
    format!("0b5a1a5e-5a0e-4c1a-9d0a-{:012x}", number & 0xffff_ffff_ffff)
}
