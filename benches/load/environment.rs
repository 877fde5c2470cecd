//! OpenBao behind the hop, with everything that pods read.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};

use crate::hop::Hop;
use crate::object_kind::{SAME, kv_path};
use crate::support::openbao::{Listener, Vault};
use crate::support::token::Account;

/// Most objects of a class.
const OBJECTS: usize = 256;

/// The server, the proxy before it, and the numbers of pods used so far.
pub(crate) struct Environment {
    pub(crate) vault: Vault,
    pub(crate) hop: Hop,
    /// The ciphertext of transit objects.
    pub(crate) sealed: String,
    people: AtomicUsize,
}

impl Environment {
    /// Starts a server with secrets, engines and the role `bench`, for every service account.
    ///
    /// Logins use jwt auth, because there is no Kubernetes. The login response names the service account as kubernetes auth does,
    /// so that a login can be shared.
    pub(crate) async fn build(listen: Option<SocketAddr>) -> Self {
        let vault = Vault::listening(&Listener { silent: true, ..Listener::default() }).await;
        let account = "/kubernetes.io/serviceaccount";
        let role = json!({
            "bound_subject": "", "token_policies": ["web"], "claim_mappings": {
                "/kubernetes.io/namespace": "service_account_namespace",
                format!("{account}/name"): "service_account_name", format!("{account}/uid"): "service_account_uid",
            },
        });
        vault.role("kubernetes", "bench", role).await;
        names_the_account(&vault).await;
        let sealed = prepare(&vault).await;
        let hop = Hop::before(vault.port(), listen);
        Self { vault, hop, sealed, people: AtomicUsize::new(0) }
    }

    /// Reserves `count` numbers that no pod or account has had, and returns the first.
    pub(crate) fn numbers(&self, count: usize) -> usize {
        self.people.fetch_add(count, Ordering::Relaxed)
    }
}

/// Fails when the login response lacks what a provider needs to share the login.
async fn names_the_account(vault: &Vault) {
    let account = Account { namespace: "bench".into(), name: "first".into(), pod: None };
    let jwt = vault.issuer.sign(&account.claims("vault", 60));
    let answer = vault.write("auth/kubernetes/login", json!({ "role": "bench", "jwt": jwt })).await;
    let account = ["namespace", "name", "uid"]
        .map(|part| &answer["auth"]["metadata"][format!("service_account_{part}")]);
    assert!(
        account[0] == "bench" && account[1] == "first" && account[2].is_string(),
        "the login names another account: {account:?}"
    );
}

async fn prepare(vault: &Vault) -> String {
    vault.allow("secret/data/bench/*", &["read"]).await;
    for number in 0..OBJECTS {
        vault.write(&kv_path(number), json!({ "data": { "value": format!("value-{number}") } })).await;
    }
    let same: Map<String, Value> =
        (0..OBJECTS).map(|number| (format!("key-{number}"), json!(format!("value-{number}")))).collect();
    vault.write(SAME, json!({ "data": same })).await;
    vault.enable("pki", "pki", json!({})).await;
    vault
        .write(
            "pki/root/generate/internal",
            json!({ "common_name": "bench", "key_type": "ec", "ttl": "720h" }),
        )
        .await;
    let names = json!({ "allowed_domains": "bench.example", "allow_subdomains": true, "key_type": "ec", "max_ttl": "24h" });
    vault.write("pki/roles/bench", names).await;
    vault.allow("pki/issue/bench", &["update"]).await;
    vault.key("transit", "bench", json!({})).await;
    vault.cipher("bench", "value", None).await
}
