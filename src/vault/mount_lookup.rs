//! Asks Vault what is mounted at a path: before the first read of a path that may create something, and after a 403 or a 404 to hint at the right
//! path.

use std::time::Duration;

use http::Method;

use super::{Server, VaultResponse};
use crate::limits::Budget;
use crate::spec::KvEngine;
use crate::vault::credential::Credential;
use crate::vault::effect::EngineType;
use crate::vault::http::HttpRequest;
use crate::vault::mounts::Mount;
use crate::vault::retry::CallKind;

/// The longest time for a lookup: without it vaultmount guesses carefully, and an error message has no hint.
const LOOKUP_TIME: Duration = Duration::from_secs(2);

/// The mount of `path`; `None` if the server does not say. Vault answers only tokens that may see something in the mount.
pub(crate) async fn mount_of(
    server: &Server,
    namespace: Option<&str>,
    credential: &Credential,
    path: &str,
    budget: &Budget,
) -> Option<Mount> {
    let mounts = &server.vaults.mounts;
    if let Some(known) = mounts.current(&server.spec, namespace, path) {
        return Some(known);
    }
    // A refusal is not remembered: it is about this token, not about the mount.
    let mount = lookup(server, namespace, credential, path, budget).await?;
    mounts.insert(&server.spec, namespace, mount.clone());
    Some(mount)
}

async fn lookup(
    server: &Server,
    namespace: Option<&str>,
    credential: &Credential,
    path: &str,
    budget: &Budget,
) -> Option<Mount> {
    let lookup_path = format!("sys/internal/ui/mounts/{path}");
    let request = HttpRequest {
        method: &Method::GET,
        namespace,
        credential: Some(credential),
        ..HttpRequest::post(&lookup_path, "look up the mount")
    };
    let attempt = server.attempt(&request, CallKind::Read, &budget.at_most(LOOKUP_TIME)).await;
    let reply = attempt.ok().filter(|reply| reply.status.code.is_success())?;
    let response = VaultResponse::parse(&reply.body, request.doing).ok()?;
    parse(&response, path)
}

/// The mount that `response` names, if `path` is below it. The server names an auth mount without `auth/`: the path is not below that.
fn parse(response: &VaultResponse, path: &str) -> Option<Mount> {
    let mount = response.text(&["data", "path"]).filter(|mount| mount.ends_with('/'))?;
    let engine = EngineType::of(response.text(&["data", "type"])?);
    let is_v2 = response.text(&["data", "options", "version"]) == Some("2");
    let version = if is_v2 { KvEngine::V2 } else { KvEngine::V1 };
    let kv = (engine == EngineType::Kv).then_some(version);
    format!("{path}/").starts_with(mount).then(|| Mount { path: mount.to_owned(), engine, kv })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mount(data: serde_json::Value, path: &str) -> Option<Mount> {
        let body = json!({"request_id": "r", "lease_id": "", "data": data}).to_string();
        parse(&VaultResponse::parse(body.as_bytes(), "look up").unwrap(), path)
    }

    #[test]
    fn a_mount_is_named_with_its_type_and_its_version() {
        let kv = json!({"path": "secret/", "type": "kv", "options": {"version": "2"}});
        let expected = Mount { path: "secret/".into(), engine: EngineType::Kv, kv: Some(KvEngine::V2) };
        assert_eq!(mount(kv.clone(), "secret/data/token/x"), Some(expected));
        assert_eq!(mount(kv, "secrets/data/token/x"), None, "a mount of another path");
        let old = json!({"path": "old/", "type": "generic", "options": null});
        assert_eq!(mount(old, "old/x").and_then(|mount| mount.kv), Some(KvEngine::V1));
        let database = json!({"path": "ns1/database/", "type": "database", "options": {}});
        let found = mount(database, "ns1/database/creds/app").unwrap();
        assert_eq!((found.engine, found.kv), (EngineType::Issuing, None));
    }

    #[test]
    fn an_auth_mount_is_no_engine_even_if_its_type_has_the_name_of_one() {
        for name in ["token", "kubernetes", "kv"] {
            let auth = json!({"path": "ns1/token/", "type": name, "options": null});
            assert_eq!(mount(auth, "ns1/auth/token/lookup-self"), None, "{name}");
        }
    }
}
