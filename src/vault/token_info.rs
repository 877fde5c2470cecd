//! What a server says of a token when it gives it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::VaultResponse;

/// What is known of a token beside its text; nothing of it is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    /// The name by which an operator finds and revokes it; batch tokens have none.
    #[serde(rename = "accessor")]
    pub accessor: Option<String>,
    /// How long it lives when nobody renews it; zero for ever.
    #[serde(rename = "ttl")]
    pub ttl: Duration,
    /// Whether it may be renewed.
    #[serde(rename = "renewable")]
    pub renewable: bool,
    /// A batch token: nothing is stored of it at the server, so that it is neither renewed nor revoked.
    #[serde(rename = "batch")]
    pub batch: bool,
    /// How many calls it may make; zero for any number.
    #[serde(rename = "uses")]
    pub uses: u64,
    /// The service account that the auth method saw: kubernetes auth tells it, jwt auth where its role maps the claims to these names.
    #[serde(rename = "account")]
    pub account: Option<Account>,
}

/// A service account, as the server names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Account {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid: another one of the same name is another account. Empty where the server does not name it.
    pub uid: String,
}

impl TokenInfo {
    /// Read from the answer to a login.
    pub(crate) fn of(answer: &VaultResponse) -> Self {
        let text = |name: &str| answer.text(&["auth", name]).map(str::to_owned);
        let metadata = |name: &str| answer.text(&["auth", "metadata", name]).map(str::to_owned);
        let account = || {
            Some(Account {
                namespace: metadata("service_account_namespace")?,
                name: metadata("service_account_name")?,
                uid: metadata("service_account_uid").unwrap_or_default(),
            })
        };
        Self {
            accessor: text("accessor"),
            ttl: answer.seconds(&["auth", "lease_duration"]),
            renewable: answer.is_true(&["auth", "renewable"]),
            batch: text("token_type").as_deref() == Some("batch"),
            uses: answer.number(&["auth", "num_uses"]),
            account: account(),
        }
    }
}
