//! Asks Vault which KV version a mount is. Only after a 403 or a 404, to hint at the right path.

use std::time::Duration;

use http::Method;

use super::{Server, VaultResponse};
use crate::limits::Budget;
use crate::spec::KvEngine;
use crate::vault::credential::Credential;
use crate::vault::http::HttpRequest;
use crate::vault::kv_hint::{KvMount, KvPath};
use crate::vault::retry::CallKind;

/// The longest time for a lookup: it only improves an error message.
const LOOKUP_TIME: Duration = Duration::from_secs(2);

/// The KV mount of `path`; `None` if the mount is not KV, or if the server does not say. Vault answers only tokens that may see something in the
/// mount.
pub(crate) async fn kv_mount(
    server: &Server,
    namespace: Option<&str>,
    credential: &Credential,
    path: &str,
    budget: &Budget,
) -> Option<KvMount> {
    let key = KvPath::new(server.spec.clone(), namespace, path);
    let mounts = &server.vaults.mounts;
    if let Some(known) = mounts.get(&key) {
        return known;
    }
    // A refusal is not remembered: it is about this token, not about the mount.
    let mount = lookup(server, namespace, credential, path, budget).await?;
    mounts.insert(key, mount.clone());
    mount
}

/// `None` if the lookup failed, `Some(None)` if the mount is not KV.
async fn lookup(
    server: &Server,
    namespace: Option<&str>,
    credential: &Credential,
    path: &str,
    budget: &Budget,
) -> Option<Option<KvMount>> {
    let path = format!("sys/internal/ui/mounts/{path}");
    let request = HttpRequest {
        method: &Method::GET,
        namespace,
        credential: Some(credential),
        ..HttpRequest::post(&path, "look up the mount")
    };
    let attempt = server.attempt(&request, CallKind::Read, &budget.at_most(LOOKUP_TIME)).await;
    let reply = attempt.ok().filter(|reply| reply.status.code.is_success())?;
    let response = VaultResponse::parse(&reply.body, request.doing).ok()?;
    let is_v2 = response.text(&["data", "options", "version"]) == Some("2");
    let engine = if is_v2 { KvEngine::V2 } else { KvEngine::V1 };
    let path = response.text(&["data", "path"]).filter(|_| response.text(&["data", "type"]) == Some("kv"));
    Some(path.map(|path| KvMount { path: path.to_owned(), engine }))
}
