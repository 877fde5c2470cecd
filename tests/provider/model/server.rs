//! The server and its model: the existing secrets, and who may read them now.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::json;

use super::pod::ServiceAccount;
use crate::support::openbao::{Listener, Vault};
use crate::support::{Class, canary, object};

/// Roles: one for every account, one for a namespace, one for accounts that were never recreated.
pub(crate) const ROLES: [&str; 3] = ["everyone", "team-a", "first"];

/// Number of secrets, each with its own rule in the policies.
pub(crate) const SECRETS: usize = 5;

/// A credential that is issued for one volume, besides the secrets of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Personal {
    Certificate,
    /// A password for one SSH login, with a lease.
    Password,
}

/// A class in the terms of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WantedClass {
    pub(crate) role: &'static str,
    pub(crate) secrets: BTreeSet<usize>,
    /// Whether the class has the secret that only this account may read, by a policy with the account in its path.
    pub(crate) own: Option<(String, String)>,
    pub(crate) personal: Option<Personal>,
    /// `shareScope: serviceAccount`.
    pub(crate) shared: bool,
}

/// The expected result of a mount.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Success with these files, and the issued credential if there is one.
    Files(BTreeMap<String, String>),
    /// Failure with one of these reasons.
    Fails(Vec<&'static str>),
}

pub(crate) struct ModelServer {
    pub(crate) vault: Vault,
    /// The version of each secret; `None` where it is deleted.
    secrets: Vec<Option<u32>>,
    written: u32,
    /// The paths that each role's policy denies now.
    denied: BTreeSet<(&'static str, String)>,
    /// The accessor of the test's own token.
    root: String,
    /// The auth mount's accessor.
    auth: String,
}

impl Personal {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Certificate => "pki/issue/web",
            Self::Password => "ssh/creds/login",
        }
    }

    fn object(self) -> Class {
        object(match self {
            Self::Certificate => json!({
                "pki": { "mount": "pki", "role": "web", "commonName": "web.example.com", "ttl": "1h" },
                "files": [{ "objectName": "personal", "part": "certificate" }],
            }),
            Self::Password => json!({
                "objectName": "personal", "secretKey": "key",
                "request": { "path": self.path(), "method": "PUT", "args": { "ip": "127.0.0.1" } },
            }),
        })
    }
}

impl WantedClass {
    pub(crate) fn class(&self) -> Class {
        let entry = |name: &str, path: String| {
            object(
                json!({ "objectName": name, "kv": { "mount": "secret", "path": path }, "secretKey": "value" }),
            )
        };
        let secrets =
            self.secrets.iter().map(|number| entry(&secret(*number), format!("shared/{}", secret(*number))));
        let own = self.own.iter().map(|(namespace, name)| entry("own", format!("own/{namespace}/{name}")));
        let all = secrets.chain(own).chain(self.personal.map(Personal::object)).reduce(Class::and).unwrap();
        let class = all.with("roleName", self.role).with("maxStale", "0s");
        if self.shared { class.with("shareScope", "serviceAccount") } else { class }
    }
}

impl ModelServer {
    /// A server whose policies allow everything to every account that may log in, except the own secrets of other accounts.
    pub(crate) async fn new(service_accounts: &[ServiceAccount]) -> Self {
        let vault = Vault::listening(&Listener { silent: true, ..Listener::default() }).await;
        let root = vault.call(Method::GET, "", "auth/token/lookup-self", &json!({})).await;
        let mounts = vault.call(Method::GET, "", "sys/auth", &json!({})).await;
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let (root, auth) = (text(&root["data"]["accessor"]), text(&mounts["kubernetes/"]["accessor"]));
        let mut server =
            Self { vault, secrets: vec![None; SECRETS], written: 0, denied: BTreeSet::new(), root, auth };
        server.engines().await;
        server.roles(service_accounts).await;
        for service_account in service_accounts {
            let (path, value) =
                (format!("own/{}/{}", service_account.namespace, service_account.name), own(service_account));
            server.vault.put(&path, json!({ "value": value })).await;
        }
        for number in 0..SECRETS {
            server.write(number).await;
        }
        server
    }

    /// Writes a new version of a secret.
    pub(crate) async fn write(&mut self, number: usize) {
        self.written += 1;
        self.secrets[number] = Some(self.written);
        self.vault
            .put(&format!("shared/{}", secret(number)), json!({ "value": value(number, self.written) }))
            .await;
    }

    pub(crate) async fn delete(&mut self, number: usize) {
        self.secrets[number] = None;
        self.vault
            .call(Method::DELETE, "", &format!("secret/metadata/shared/{}", secret(number)), &json!({}))
            .await;
    }

    /// Changes the policy of `role` to deny or to allow `path`.
    pub(crate) async fn deny(&mut self, role: &'static str, path: String, denied: bool) {
        if denied {
            self.denied.insert((role, path))
        } else {
            self.denied.remove(&(role, path))
        };
        self.write_policy(role).await;
    }

    /// Revokes the tokens that `chosen` selects, never the test's own.
    pub(crate) async fn revoke(&self, mut chosen: impl FnMut() -> bool) -> usize {
        let list = self
            .vault
            .call(Method::from_bytes(b"LIST").unwrap(), "", "auth/token/accessors", &json!({}))
            .await;
        let mut count = 0;
        for accessor in list["data"]["keys"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|accessor| **accessor != self.root.as_str())
        {
            if chosen() && self.vault.revoke(accessor).await {
                count += 1;
            }
        }
        count
    }

    /// The expected result of a mount of `wanted` by a pod of `service_account` now.
    pub(crate) fn expected(&self, service_account: &ServiceAccount, wanted: &WantedClass) -> Expected {
        if !admits(wanted.role, service_account) {
            return Expected::Fails(vec!["vault.login_denied"]);
        }
        let (mut files, mut reasons) = (BTreeMap::new(), Vec::new());
        for &number in &wanted.secrets {
            match self.secrets[number] {
                _ if !self.is_allowed(wanted.role, &api_path(number)) => reasons.push("vault.read_denied"),
                None => reasons.push("vault.not_found"),
                Some(version) => drop(files.insert(secret(number), value(number, version))),
            }
        }
        match &wanted.own {
            Some((namespace, name))
                if (namespace, name) == (&service_account.namespace, &service_account.name) =>
            {
                drop(files.insert("own".into(), own(service_account)))
            }
            Some(_) => reasons.push("vault.read_denied"),
            None => {}
        }
        if reasons.is_empty() { Expected::Files(files) } else { Expected::Fails(reasons) }
    }

    /// Whether the policy of `role` allows `path`.
    pub(crate) fn is_allowed(&self, role: &'static str, path: &str) -> bool {
        !self.denied.contains(&(role, path.to_owned()))
    }

    async fn engines(&self) {
        self.vault.enable("pki", "pki", json!({})).await;
        self.vault
            .write("pki/root/generate/internal", json!({ "common_name": "Example Root", "key_type": "ec" }))
            .await;
        let names = json!({ "allowed_domains": ["example.com"], "allow_subdomains": true, "key_type": "ec", "max_ttl": "24h" });
        self.vault.write("pki/roles/web", names).await;
        self.vault.enable("ssh", "ssh", json!({})).await;
        let role = json!({ "key_type": "otp", "default_user": "somebody", "cidr_list": "127.0.0.0/8" });
        self.vault.write("ssh/roles/login", role).await;
    }

    async fn roles(&self, service_accounts: &[ServiceAccount]) {
        let uids: Vec<_> = service_accounts.iter().map(ServiceAccount::first_uid).collect();
        let account = "/kubernetes.io/serviceaccount";
        for (role, bound) in ROLES.into_iter().zip([
            json!({}),
            json!({ "/kubernetes.io/namespace": "team-a" }),
            json!({ format!("{account}/uid"): uids }),
        ]) {
            let changes = json!({
                "bound_subject": "", "bound_claims": bound, "token_policies": [role], "claim_mappings": {
                    "/kubernetes.io/namespace": "service_account_namespace",
                    format!("{account}/name"): "service_account_name", format!("{account}/uid"): "service_account_uid",
                },
            });
            self.vault.role("kubernetes", role, changes).await;
            self.write_policy(role).await;
        }
    }

    /// Writes the policy of `role` from the model to the server.
    async fn write_policy(&self, role: &'static str) {
        let part = |name: &str| {
            format!("{{{{identity.entity.aliases.{}.metadata.service_account_{name}}}}}", self.auth)
        };
        let mut rules =
            vec![rule(&format!("secret/data/own/{}/{}", part("namespace"), part("name")), "read")];
        let secrets = (0..SECRETS).map(|number| (api_path(number), "read"));
        let personal = [Personal::Certificate, Personal::Password]
            .map(|personal| (personal.path().to_owned(), "update"));
        let allowed = secrets.chain(personal).filter(|(path, _)| self.is_allowed(role, path));
        rules.extend(allowed.map(|(path, capability)| rule(&path, capability)));
        self.vault.write(&format!("sys/policies/acl/{role}"), json!({ "policy": rules.concat() })).await;
    }
}

/// Whether `service_account` may log in with `role`.
fn admits(role: &str, service_account: &ServiceAccount) -> bool {
    match role {
        "team-a" => service_account.namespace == "team-a",
        "first" => service_account.made == 0,
        _ => true,
    }
}

pub(crate) fn api_path(number: usize) -> String {
    format!("secret/data/shared/{}", secret(number))
}

fn secret(number: usize) -> String {
    format!("secret-{number}")
}

fn value(number: usize, version: u32) -> String {
    canary(&format!("{number}-of-version-{version}"))
}

fn own(service_account: &ServiceAccount) -> String {
    canary(&format!("own-of-{}-{}", service_account.namespace, service_account.name))
}

fn rule(path: &str, capability: &str) -> String {
    format!("path {path:?} {{ capabilities = [{capability:?}] }}\n")
}
