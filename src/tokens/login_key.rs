//! Which pods may use a login: everything that must be equal before two pods may share one.

use serde::{Deserialize, Serialize};

use crate::spec::{AuthSpec, MountSpec, ServerSpec};
use crate::vault::{Account, TokenInfo};

/// Server, auth method, account and pods of a login. Mounts with equal keys share the login; no other mounts do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct LoginKey {
    /// Address, TLS and namespace.
    #[serde(rename = "server")]
    pub(crate) server: ServerSpec,
    /// Mount, role and audience.
    #[serde(rename = "auth")]
    pub(crate) auth: AuthSpec,
    /// The service account of the pods, with the uid from its token: an account that was deleted and created again is another account.
    #[serde(rename = "account")]
    pub(crate) account: Account,
    /// Which pods of the account.
    #[serde(rename = "scope")]
    pub(crate) scope: Scope,
}

/// Which pods of an account share a login.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Scope {
    /// All pods of this node, for reads.
    #[serde(rename = "Account")]
    Account,
    /// All pods of this node, for leases and certificates that they share (`shareScope: serviceAccount`).
    #[serde(rename = "Group")]
    Group,
    /// One pod, by its uid.
    #[serde(rename = "Pod")]
    Pod(String),
    /// One volume, for leases and certificates of its own.
    #[serde(rename = "Volume")]
    Volume(String),
}

impl LoginKey {
    /// The key for the account of `spec` with the uid `uid`, which is empty where it is unknown.
    pub(crate) fn new(spec: &MountSpec, uid: String, scope: Scope) -> Self {
        let pod = &spec.pod;
        // Without the uid the account may have been deleted and created again: then nothing is shared with other pods.
        let scope = if uid.is_empty() && matches!(scope, Scope::Account | Scope::Group) {
            Scope::Pod(pod.uid.clone())
        } else {
            scope
        };
        let account = Account { namespace: pod.namespace.clone(), name: pod.service_account.clone(), uid };
        Self { server: spec.server.clone(), auth: spec.auth.clone(), account, scope }
    }

    /// The same key for one pod.
    pub(crate) fn for_pod(&self, uid: &str) -> Self {
        Self { scope: Scope::Pod(uid.to_owned()), ..self.clone() }
    }

    /// The same key for each scope that several pods share.
    pub(crate) fn shared(&self) -> [Self; 2] {
        [Scope::Account, Scope::Group].map(|scope| Self { scope, ..self.clone() })
    }

    /// Whether several pods share the login.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.scope, Scope::Account | Scope::Group)
    }

    /// Whether the server itself says that the token with `info` belongs to this account. Only then may a pod use it that did not log in. A
    /// token with a limited number of uses belongs to the pod that logged in.
    pub(crate) fn is_named_by(&self, info: &TokenInfo) -> bool {
        info.account.as_ref() == Some(&self.account) && info.uses == 0
    }
}
