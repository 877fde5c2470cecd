//! The pod of a mount, and its token.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// The pod, as the kubelet reports it in `csi.storage.k8s.io/*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Pod {
    /// The namespace.
    pub(crate) namespace: String,
    /// The name; the sync controller sends the name of its own pod.
    pub(crate) name: String,
    /// The uid.
    pub(crate) uid: String,
    /// The name of the service account.
    pub(crate) service_account: String,
}

/// A service account token of the pod for one audience.
#[derive(Debug)]
pub(crate) struct PodToken {
    /// The JWT; sent with the login and nowhere else.
    pub(crate) jwt: Secret,
    /// The audience that it was requested for.
    #[cfg_attr(not(test), expect(dead_code, reason = "by it tests tell the tokens of a pod apart"))]
    pub(crate) audience: String,
    /// Uid of the service account, from the claim `kubernetes.io/serviceaccount/uid`. A later account of the same name has another uid.
    pub(crate) account_uid: Option<String>,
    /// When the token expires, from the claim `exp`.
    pub(crate) expires: Option<SystemTime>,
}
