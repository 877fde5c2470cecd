//! "secret/devops is secret/data/devops": which mounts are KV v2, asked only after a 403 or 404.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::answer::Answer;
use super::budget::Budget;
use super::exchange::{Ask, room};
use super::server::Server;
use crate::config::ServerSpec;
use crate::secret::Secret;

/// How long a look-up is believed, also one that found nothing.
const BELIEVED: Duration = Duration::from_secs(300);
/// Time for a look-up: it only betters a message.
const LOOK_UP: Duration = Duration::from_secs(2);
/// Paths that are remembered.
const REMEMBERED: usize = 1024;

/// Server, namespace where it is another than the server's, and first parts of a path.
type Place = (ServerSpec, Option<String>, String);

/// What is known of mounts. It is shared between identities and says of a mount no more than that it is KV v2, which
/// everybody who may name the path is told.
#[derive(Default)]
pub(super) struct Mounts {
    known: Mutex<HashMap<Place, (Instant, Option<String>)>>,
}

impl Mounts {
    /// The KV v2 mount that `path` lies in, with its `/`; the server tells only tokens that may see something in it.
    pub(super) async fn kv_v2(
        &self,
        server: &Server,
        namespace: Option<&str>,
        token: &Secret,
        path: &str,
        budget: Budget,
    ) -> Option<String> {
        let place = (server.spec.clone(), namespace.map(str::to_owned), path.split('/').take(2).collect::<Vec<_>>().join("/"));
        if let Some(known) = self.recall(&place) {
            return known;
        }
        let found = ask(server, namespace, token, path, budget).await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        // A refusal is this token's own matter.
        if let Some(mount) = &found {
            known.insert(place, (Instant::now() + BELIEVED, mount.clone()));
        }
        found.flatten()
    }

    fn recall(&self, place: &Place) -> Option<Option<String>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(place).filter(|(until, _)| Instant::now() < *until).map(|(_, mount)| mount.clone())
    }
}

/// `None` without an answer, `Some(None)` when the mount is no KV v2.
async fn ask(server: &Server, namespace: Option<&str>, token: &Secret, path: &str, budget: Budget) -> Option<Option<String>> {
    let path = format!("sys/internal/ui/mounts/{path}");
    let ask = Ask {
        method: &Method::GET,
        path: &path,
        namespace,
        query: &[],
        body: None,
        token: Some(token),
        room: &room(),
        doing: "look up the mount",
    };
    let budget = Budget::until(budget.end().min(Instant::now() + LOOK_UP));
    let reply = server.exchange(&ask, budget).await.ok().filter(|reply| reply.status.code.is_success())?;
    let answer = Answer::parse(&reply.body, ask.doing).ok()?;
    let is_v2 = answer.text(&["data", "type"]) == Some("kv") && answer.text(&["data", "options", "version"]) == Some("2");
    Some(answer.text(&["data", "path"]).filter(|_| is_v2).map(str::to_owned))
}
