//! "secret/devops is secret/data/devops": which mounts are KV, and of which version; asked only after a 403 or 404.

use crate::bounded_map::BoundedMap;
use crate::mutex::Mutex;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::Hint;
use super::Server;
use super::VaultResponse;
use crate::limits::Budget;
use crate::spec::{KvEngine, ServerSpec};
use crate::vault::credential::Credential;
use crate::vault::http::HttpRequest;
use crate::vault::retry::CallKind;

/// How long a look-up is believed, also one that found nothing.
const BELIEVED: Duration = Duration::from_secs(300);
/// Time for a look-up: it only betters a message.
const LOOK_UP: Duration = Duration::from_secs(2);
/// Paths that are remembered.
const REMEMBERED: usize = 1024;

/// Server, namespace where it is another than the server's, and first parts of a path.
type KvPath = (Arc<ServerSpec>, Option<String>, String);

/// A mount of a KV engine: its path with the `/` at its end.
#[derive(Clone)]
pub(crate) struct KvMount {
    path: String,
    engine: KvEngine,
}

/// What is known of mounts. It is shared between identities and says of a mount no more than which KV it is, which
/// everybody who may name the path is told.
#[derive(Default)]
pub(crate) struct Mounts {
    known: Mutex<BoundedMap<KvPath, (Instant, Option<KvMount>), REMEMBERED>>,
}

impl KvMount {
    /// What `path` should have been, where it is one for the other version of the engine.
    pub(crate) fn hint(&self, path: &str) -> Option<Hint> {
        let rest = path.strip_prefix(self.path.as_str())?;
        match (self.engine, rest.split('/').next()?) {
            (KvEngine::V1, "data") => {
                Some(Hint::Unversioned(format!("{}{}", self.path, rest.strip_prefix("data/")?)))
            }
            (KvEngine::V1, _)
            | (
                KvEngine::V2,
                "data" | "metadata" | "config" | "delete" | "undelete" | "destroy" | "subkeys",
            ) => None,
            (KvEngine::V2, _) => Some(Hint::Versioned(format!("{}data/{rest}", self.path))),
        }
    }
}

impl Mounts {
    /// The KV mount that `path` lies in; the server tells only tokens that may see something in it.
    pub(crate) async fn kv(
        &self,
        server: &Server,
        namespace: Option<&str>,
        credential: &Credential,
        path: &str,
        budget: &Budget,
    ) -> Option<KvMount> {
        let place = (
            server.spec.clone(),
            namespace.map(str::to_owned),
            path.split('/').take(2).collect::<Vec<_>>().join("/"),
        );
        if let Some(known) = self.recall(&place) {
            return known;
        }
        let found = ask(server, namespace, credential, path, budget).await;
        // A refusal is this token's own matter.
        if let Some(mount) = &found {
            self.known.lock().insert(place, (Instant::now() + BELIEVED, mount.clone()));
        }
        found.flatten()
    }

    fn recall(&self, place: &KvPath) -> Option<Option<KvMount>> {
        let known = self.known.lock();
        known.get(place).filter(|(until, _)| Instant::now() < *until).map(|(_, mount)| mount.clone())
    }
}

/// `None` without an answer, `Some(None)` when the mount is no KV.
async fn ask(
    server: &Server,
    namespace: Option<&str>,
    credential: &Credential,
    path: &str,
    budget: &Budget,
) -> Option<Option<KvMount>> {
    let path = format!("sys/internal/ui/mounts/{path}");
    let ask = HttpRequest {
        method: &Method::GET,
        namespace,
        credential: Some(credential),
        ..HttpRequest::post(&path, "look up the mount")
    };
    let budget = &budget.at_most(LOOK_UP);
    let reply = server
        .exchange(&ask, CallKind::Read, budget)
        .await
        .ok()
        .filter(|reply| reply.status.code.is_success())?;
    let answer = VaultResponse::parse(&reply.body, ask.doing).ok()?;
    let is_v2 = answer.text(&["data", "options", "version"]) == Some("2");
    let engine = if is_v2 { KvEngine::V2 } else { KvEngine::V1 };
    let path = answer.text(&["data", "path"]).filter(|_| answer.text(&["data", "type"]) == Some("kv"));
    Some(path.map(|path| KvMount { path: path.to_owned(), engine }))
}
