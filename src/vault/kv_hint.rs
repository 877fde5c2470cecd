//! Remembers which mounts are KV mounts, and of which version, to hint at the right path: "the mount is KV v2: use secret/data/devops".

use crate::bounded_map::BoundedMap;
use crate::mutex::Mutex;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Hint;
use crate::spec::{KvEngine, ServerSpec};

/// How long a lookup is valid, also one of a mount that is not KV.
const VALID_FOR: Duration = Duration::from_secs(300);
/// The most paths that are remembered.
const CAPACITY: usize = 1024;

/// A server, the namespace if it is not the server's own, and the first two segments of a path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct KvPath {
    server: Arc<ServerSpec>,
    namespace: Option<String>,
    prefix: String,
}

impl KvPath {
    /// The key under which the mount of `path` is remembered.
    pub(crate) fn new(server: Arc<ServerSpec>, namespace: Option<&str>, path: &str) -> Self {
        let prefix = path.split('/').take(2).collect::<Vec<_>>().join("/");
        Self { server, namespace: namespace.map(str::to_owned), prefix }
    }
}

/// A mount of a KV engine.
#[derive(Clone)]
pub(crate) struct KvMount {
    /// Ends in `/`.
    pub(crate) path: String,
    pub(crate) engine: KvEngine,
}

/// The results of lookups; `None` for a mount that is not KV. Shared between all logins: it says of a mount only which KV version it is, which
/// everybody may know who may name the path.
#[derive(Default)]
pub(crate) struct KvMounts {
    known: Mutex<BoundedMap<KvPath, (Instant, Option<KvMount>), CAPACITY>>,
}

impl KvMount {
    /// The path for this version of the engine, if `path` is one for the other version.
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

impl KvMounts {
    /// The remembered lookup of `path`; `None` if there is none, or it is too old.
    pub(crate) fn get(&self, path: &KvPath) -> Option<Option<KvMount>> {
        let known = self.known.lock();
        known.get(path).filter(|(until, _)| Instant::now() < *until).map(|(_, mount)| mount.clone())
    }

    /// Remembers the lookup of `path`.
    pub(crate) fn insert(&self, path: KvPath, mount: Option<KvMount>) {
        self.known.lock().insert(path, (Instant::now() + VALID_FOR, mount));
    }
}
