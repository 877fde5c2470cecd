//! Secrets, engines, policies and roles, created with the root token.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::openbao::Vault;
use super::wait::until;

impl Vault {
    /// Writes the KV v2 secret `path` under `secret/`.
    pub(crate) async fn put(&self, path: &str, data: Value) {
        self.write(&format!("secret/data/{path}"), json!({ "data": data })).await;
    }

    /// Writes to an API path.
    pub(crate) async fn write(&self, path: &str, body: Value) -> Value {
        self.write_in("", path, body).await
    }

    /// Writes to an API path of a namespace.
    pub(crate) async fn write_in(&self, namespace: &str, path: &str, body: Value) -> Value {
        self.call(Method::PUT, namespace, path, &body).await
    }

    /// Mounts an engine. Waits for a KV v2 mount, which refuses writes at first.
    pub(crate) async fn enable(&self, mount: &str, kind: &str, options: Value) {
        self.enable_in("", mount, kind, options).await;
    }

    pub(crate) async fn enable_in(&self, namespace: &str, mount: &str, kind: &str, options: Value) {
        let versioned = options["version"] == "2";
        self.write_in(namespace, &format!("sys/mounts/{mount}"), json!({ "type": kind, "options": options }))
            .await;
        if versioned {
            let config = format!("{mount}/config");
            let ready = async || {
                self.try_call(Method::GET, namespace, &config, &json!({})).await.0.is_success().then_some(())
            };
            until("a KV v2 mount", ready).await;
        }
    }

    /// Mounts jwt auth that trusts this server's issuer. Its login call has the form of kubernetes auth.
    pub(crate) async fn trust(&self, namespace: &str, mount: &str) {
        self.write_in(namespace, &format!("sys/auth/{mount}"), json!({ "type": "jwt" })).await;
        let keys = json!({ "jwt_validation_pubkeys": [self.issuer.public_pem()] });
        self.write_in(namespace, &format!("auth/{mount}/config"), keys).await;
    }

    /// A role for the service account `team-a/web` with the policy `web` and audience `vault`, with `changes`.
    pub(crate) async fn role(&self, mount: &str, name: &str, changes: Value) {
        self.role_in("", mount, name, changes).await;
    }

    pub(crate) async fn role_in(&self, namespace: &str, mount: &str, name: &str, changes: Value) {
        let mut role = json!({
            "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "bound_subject": "system:serviceaccount:team-a:web",
            "token_policies": ["web"], "token_ttl": "20m",
        });
        merge(&mut role, changes);
        self.write_in(namespace, &format!("auth/{mount}/role/{name}"), role).await;
    }

    /// The role `web` for every account, whose logins have the service account in their metadata like those of kubernetes auth; with
    /// `changes`.
    pub(crate) async fn names_accounts(&self, changes: Value) {
        let account = |member: &str| format!("/kubernetes.io/serviceaccount/{member}");
        let mut role = json!({ "bound_subject": "", "claim_mappings": {
            "/kubernetes.io/namespace": "service_account_namespace",
            account("name"): "service_account_name", account("uid"): "service_account_uid",
        } });
        merge(&mut role, changes);
        self.role("kubernetes", "web", role).await;
    }

    /// Adds `capabilities` at `path` to the policy `web`.
    pub(crate) async fn allow(&self, path: &str, capabilities: &[&str]) {
        self.allow_in("", path, capabilities).await;
    }

    pub(crate) async fn allow_in(&self, namespace: &str, path: &str, capabilities: &[&str]) {
        let (_, old) = self.try_call(Method::GET, namespace, "sys/policies/acl/web", &json!({})).await;
        let rules = old["data"]["policy"].as_str().unwrap_or_default();
        let policy = format!("{rules}\npath {path:?} {{ capabilities = {capabilities:?} }}\n");
        self.write_in(namespace, "sys/policies/acl/web", json!({ "policy": policy })).await;
    }

    /// Mounts an SSH engine at `ssh-ca`, whose role `web` signs keys for the user `deploy`.
    pub(crate) async fn ssh_authority(&self) {
        self.enable("ssh-ca", "ssh", json!({})).await;
        self.write("ssh-ca/config/ca", json!({ "generate_signing_key": true, "key_type": "ed25519" })).await;
        let role = json!({ "key_type": "ca", "allow_user_certificates": true, "allowed_users": "deploy", "default_user": "deploy" });
        self.write("ssh-ca/roles/web", role).await;
        self.allow("ssh-ca/sign/web", &["update"]).await;
    }

    /// Creates the transit key `key` of the engine at `mount`. Pods may decrypt with it and do nothing else.
    pub(crate) async fn key(&self, mount: &str, key: &str, options: Value) {
        let mounts = self.call(Method::GET, "", "sys/mounts", &json!({})).await;
        if mounts["data"].get(format!("{mount}/")).is_none() {
            self.enable(mount, "transit", json!({})).await;
        }
        self.write(&format!("{mount}/keys/{key}"), options).await;
        self.allow(&format!("{mount}/decrypt/{key}"), &["update"]).await;
    }

    /// A ciphertext of `plain`, encrypted with `key` (`mount/key`).
    pub(crate) async fn cipher(&self, key: &str, plain: impl AsRef<[u8]>, context: Option<&str>) -> String {
        let (mount, key) = key.rsplit_once('/').unwrap_or(("transit", key));
        let mut body = json!({ "plaintext": STANDARD.encode(plain) });
        if let Some(context) = context {
            body["context"] = json!(STANDARD.encode(context));
        }
        let answer = self.write(&format!("{mount}/encrypt/{key}"), body).await;
        answer["data"]["ciphertext"].as_str().unwrap().to_owned()
    }

    /// Number of valid tokens on the server.
    pub(crate) async fn tokens(&self) -> usize {
        self.accessors().await.len()
    }

    /// The accessors of all tokens, the root token's among them.
    pub(crate) async fn accessors(&self) -> BTreeSet<String> {
        let list = Method::from_bytes(b"LIST").unwrap();
        let accessors = self.call(list, "", "auth/token/accessors", &json!({})).await;
        accessors["data"]["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|accessor| accessor.as_str().unwrap().to_owned())
            .collect()
    }

    /// Revokes the tokens of all pods, as an operator does after a leak.
    pub(crate) async fn revoke_logins(&self) {
        self.write("sys/leases/revoke-prefix/auth/kubernetes", json!({})).await;
    }
}

fn merge(whole: &mut Value, changes: Value) {
    let changes: Map<_, _> = serde_json::from_value(changes).unwrap();
    whole.as_object_mut().unwrap().extend(changes);
}
