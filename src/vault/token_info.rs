//! What a login response says about its token.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::VaultResponse;

/// The properties of a token. None of them is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenInfo {
    /// The accessor, by which an operator finds and revokes the token. Batch tokens have none.
    #[serde(rename = "accessor")]
    pub(crate) accessor: Option<String>,
    /// The TTL without renewal; zero for a token that does not expire.
    #[serde(rename = "ttl")]
    pub(crate) ttl: Duration,
    /// Whether it may be renewed.
    #[serde(rename = "renewable")]
    pub(crate) renewable: bool,
    /// True for a batch token. The server does not store it, so that it can be neither renewed nor revoked.
    #[serde(rename = "batch")]
    pub(crate) batch: bool,
    /// The number of calls that it may make; zero for no limit.
    #[serde(rename = "uses")]
    pub(crate) uses: u64,
    /// The service account that logged in. Kubernetes auth always names it, jwt auth only if its role maps the claims to these names.
    #[serde(rename = "account")]
    pub(crate) account: Option<Account>,
    /// Whether it has the policy `default`, which lets a token look itself and its leases up.
    #[serde(default)]
    pub(crate) has_default_policy: bool,
}

/// The service account in the server's response to a login.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Account {
    /// The Kubernetes namespace.
    pub(crate) namespace: String,
    /// The name, unique in the namespace.
    pub(crate) name: String,
    /// The uid: an account that was deleted and recreated has another one. Empty if the server does not name it.
    pub(crate) uid: String,
}

impl TokenInfo {
    /// Reads the response to a login.
    pub(crate) fn of(response: &VaultResponse) -> Self {
        let text = |name: &str| response.text(&["auth", name]).map(str::to_owned);
        let metadata = |name: &str| response.text(&["auth", "metadata", name]).map(str::to_owned);
        let account = || {
            Some(Account {
                namespace: metadata("service_account_namespace")?,
                name: metadata("service_account_name")?,
                uid: metadata("service_account_uid").unwrap_or_default(),
            })
        };
        Self {
            accessor: text("accessor"),
            ttl: response.seconds(&["auth", "lease_duration"]),
            renewable: response.is_true(&["auth", "renewable"]),
            batch: text("token_type").as_deref() == Some("batch"),
            uses: response.number(&["auth", "num_uses"]),
            account: account(),
            has_default_policy: response.texts(&["auth", "policies"]).any(|policy| policy == "default"),
        }
    }
}
