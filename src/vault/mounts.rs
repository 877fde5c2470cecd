//! Remembers what is mounted where: the type of an engine decides what a read may create, and its KV version makes the hint "the mount is KV v2:
//! use secret/data/devops".

use std::time::Duration;

use tokio::time::Instant;

use super::Hint;
use crate::bounded_map::BoundedMap;
use crate::mutex::Mutex;
use crate::spec::{KvEngine, ServerSpec};
use crate::vault::effect::EngineType;

/// How long a lookup of a mount counts as current. After that the next hint looks it up again.
const VALID_FOR: Duration = Duration::from_secs(300);
/// The most mounts that are remembered.
const CAPACITY: usize = 1024;

/// A server, the namespace if it is not the server's own, and the path of a mount, or a whole path whose mount is not known. Ends in `/`.
type MountKey = (ServerSpec, Option<String>, String);

/// The engine of a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Ends in `/`.
    pub(crate) path: String,
    pub(crate) engine: EngineType,
    /// The version of a KV engine.
    pub(crate) kv: Option<KvEngine>,
}

/// What is known about mounts. Shared between all logins: of a mount it says only the type and the version of the engine, which everybody may know
/// who may name the path.
#[derive(Default)]
pub(crate) struct Mounts {
    known: Mutex<BoundedMap<MountKey, (Instant, Mount), CAPACITY>>,
}

impl Mount {
    /// The path for this version of the engine, if `path` is one for the other version.
    pub(crate) fn hint(&self, path: &str) -> Option<Hint> {
        let rest = path.strip_prefix(self.path.as_str())?;
        match (self.kv?, rest.split('/').next()?) {
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
    /// The mount of `path`, if it was looked up within the last minutes.
    pub(crate) fn current(&self, server: &ServerSpec, namespace: Option<&str>, path: &str) -> Option<Mount> {
        self.find(server, namespace, path).filter(|(at, _)| at.elapsed() < VALID_FOR).map(|(_, mount)| mount)
    }

    /// The type of the engine at `path`, from a lookup of any age or from a response. A mount that is replaced by one of another type is noticed
    /// by the first response that names the new type, or that has a lease.
    pub(crate) fn engine(
        &self,
        server: &ServerSpec,
        namespace: Option<&str>,
        path: &str,
    ) -> Option<EngineType> {
        self.find(server, namespace, path).map(|(_, mount)| mount.engine)
    }

    /// Remembers the result of a lookup.
    pub(crate) fn insert(&self, server: &ServerSpec, namespace: Option<&str>, mount: Mount) {
        let key = (server.clone(), namespace.map(str::to_owned), mount.path.clone());
        self.known.lock().insert(key, (Instant::now(), mount));
    }

    /// Remembers the type of the engine that responded to a call of `path`.
    pub(crate) fn learn(&self, server: &ServerSpec, namespace: Option<&str>, path: &str, engine: EngineType) {
        if self.engine(server, namespace, path) != Some(engine) {
            self.insert(server, namespace, Mount { path: format!("{path}/"), engine, kv: None });
        }
    }

    /// The entry with the longest path. No mount is below another one, so only an entry for a whole path can be below the entry of its mount.
    fn find(&self, server: &ServerSpec, namespace: Option<&str>, path: &str) -> Option<(Instant, Mount)> {
        let path = format!("{path}/");
        let mut key = (server.clone(), namespace.map(str::to_owned), String::new());
        let known = self.known.lock();
        path.rmatch_indices('/').find_map(|(end, _)| {
            path.get(..=end)?.clone_into(&mut key.2);
            known.get(&key).cloned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(namespace: Option<&str>) -> ServerSpec {
        ServerSpec {
            address: "https://vault:8200".parse().unwrap(),
            configured: true,
            namespace: namespace.map(str::to_owned),
            tls: crate::spec::TlsSpec::default(),
        }
    }

    fn mount(path: &str, engine: EngineType) -> Mount {
        Mount { path: path.into(), engine, kv: None }
    }

    #[test]
    fn one_lookup_is_for_all_paths_of_a_mount_and_for_no_other_server_or_namespace() {
        let (mounts, root) = (Mounts::default(), server(None));
        mounts.insert(&root, None, mount("team/secret/", EngineType::Kv));
        let engine = |server: &ServerSpec, namespace, path| mounts.engine(server, namespace, path);
        assert_eq!(engine(&root, None, "team/secret/token/x"), Some(EngineType::Kv));
        assert_eq!(engine(&root, None, "team/secret"), Some(EngineType::Kv));
        assert_eq!(engine(&root, None, "team/secrets/token/x"), None);
        assert_eq!(engine(&root, Some("ns"), "team/secret/token/x"), None);
        assert_eq!(engine(&server(Some("ns")), None, "team/secret/token/x"), None);
    }

    #[test]
    fn a_response_corrects_what_a_lookup_said_long_ago() {
        let (mounts, root) = (Mounts::default(), server(None));
        mounts.insert(&root, None, mount("a/", EngineType::Kv));
        mounts.learn(&root, None, "a/creds/x", EngineType::Issuing);
        assert_eq!(mounts.engine(&root, None, "a/creds/x"), Some(EngineType::Issuing));
        assert_eq!(mounts.engine(&root, None, "a/creds/y"), Some(EngineType::Kv));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hint_needs_a_lookup_of_the_last_minutes() {
        let (mounts, root) = (Mounts::default(), server(None));
        mounts.insert(&root, None, mount("a/", EngineType::Kv));
        assert!(mounts.current(&root, None, "a/x").is_some());
        tokio::time::advance(VALID_FOR).await;
        assert!(mounts.current(&root, None, "a/x").is_none());
        assert_eq!(mounts.engine(&root, None, "a/x"), Some(EngineType::Kv));
    }
}
