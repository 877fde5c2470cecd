//! Whose mount it is.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// The pod as the kubelet vouches for it in `csi.storage.k8s.io/*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name; the sync controller gives its own pod's.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its service account.
    pub service_account: String,
}

/// The pod's own token for one audience.
#[derive(Debug)]
pub struct PodToken {
    /// The JWT; goes to the login call and nowhere else.
    pub jwt: Secret,
    /// The audience it was asked for with.
    pub audience: String,
    /// Uid of the service account, by the claim `kubernetes.io/serviceaccount/uid`: a later account of the same name has another.
    pub account_uid: Option<String>,
    /// When it ends, by the claim `exp`.
    pub expires: Option<SystemTime>,
}
