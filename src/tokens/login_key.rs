//! For whom a login is: the whole of what must be equal before two pods may use one.

use serde::{Deserialize, Serialize};

use crate::spec::{AuthSpec, MountSpec, ServerSpec};
use crate::vault::{Account, TokenInfo};

/// Who may use a login, and where it was made. Equal ones share it; nothing else does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LoginKey {
    /// Address, TLS and namespace.
    #[serde(rename = "server")]
    pub server: ServerSpec,
    /// Mount, role and audience.
    #[serde(rename = "auth")]
    pub auth: AuthSpec,
    /// The service account of the pods, with the uid of its token: an account that was made anew is another one.
    #[serde(rename = "account")]
    pub account: Account,
    /// Which of its pods.
    #[serde(rename = "scope")]
    pub scope: Scope,
}

/// Which pods of an account use a login together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// All of this node, for what is read.
    #[serde(rename = "Account")]
    Account,
    /// All of this node, for what is leased or issued to them together (`shareScope: serviceAccount`).
    #[serde(rename = "Group")]
    Group,
    /// One, by its uid.
    #[serde(rename = "Pod")]
    Pod(String),
    /// One volume, for what is leased or issued to it alone.
    #[serde(rename = "Volume")]
    Volume(String),
}

impl LoginKey {
    /// The pods that `scope` names of the account that `spec` is for; `uid` is the account's, empty where nobody knows it.
    pub fn new(spec: &MountSpec, uid: String, scope: Scope) -> Self {
        let pod = &spec.pod;
        // Without the uid nobody can tell whether the account is still the same: nothing is shared with other pods.
        let scope = if uid.is_empty() && matches!(scope, Scope::Account | Scope::Group) {
            Scope::Pod(pod.uid.clone())
        } else {
            scope
        };
        let account = Account { namespace: pod.namespace.clone(), name: pod.service_account.clone(), uid };
        Self { server: spec.server.clone(), auth: spec.auth.clone(), account, scope }
    }

    /// The same for one pod.
    pub(crate) fn of_pod(&self, uid: &str) -> Self {
        Self { scope: Scope::Pod(uid.to_owned()), ..self.clone() }
    }

    /// The same for all pods that could share it.
    pub(crate) fn shared(&self) -> [Self; 2] {
        [Scope::Account, Scope::Group].map(|scope| Self { scope, ..self.clone() })
    }

    /// Whether several pods may use it.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.scope, Scope::Account | Scope::Group)
    }

    /// Whether the server itself says that a token is this account's, so that a pod that did not make it may use it. A token of a limited
    /// number of calls is its maker's.
    pub(crate) fn is_named_by(&self, facts: &TokenInfo) -> bool {
        facts.account.as_ref() == Some(&self.account) && facts.uses == 0
    }
}
