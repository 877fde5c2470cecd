//! Which responses may be shared: by what the server has mounted at the path that is sent, and by whether a response of the path has had a lease.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use crate::bounded_map::BoundedMap;
use crate::mutex::Mutex;
use crate::spec::{Address, Creates, ServerSpec, Source};
use crate::vault::{Effect, Mounts, depends_on_engine, effect};

/// Which token calls a source, and who may use the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SharingClass {
    /// All volumes with the same login share the response.
    SharedRead,
    /// The call creates something that expires by itself. The login that reads makes the call.
    Issue,
    /// The call may create something that lives as long as its token, or reads something of the token. A token of the volume's own, or of its group,
    /// makes the call.
    Lease,
}

/// Paths that are remembered. When there are more, all are found out again, which costs a login each.
const REMEMBERED: usize = 4096;

/// How long after a lookup of a mount that was refused the next mount or poll does not look it up again.
const LOOKUP_PAUSE: Duration = Duration::from_secs(300);

/// Server, namespace, method and path.
type LearnedPath = (Address, Option<String>, String, String);

/// What is known of a path.
#[derive(Clone, Copy, Default)]
struct Learned {
    /// Whether a response has had a lease; `None` before the first response.
    leased: Option<bool>,
    /// When the mount was looked up last.
    looked_up: Option<Instant>,
}

/// What calls of each path have shown.
#[derive(Default)]
pub(crate) struct LearnedPaths {
    learned: Mutex<BoundedMap<LearnedPath, Learned, REMEMBERED>>,
    /// Held during the lookup for a path, so that mounts that begin together make one.
    lookup_locks: Mutex<HashMap<LearnedPath, Weak<AsyncMutex<()>>>>,
}

impl LearnedPaths {
    /// The class of `source`; `mounts` is what is known of the server's mounts.
    pub(crate) fn class(&self, server: &ServerSpec, source: &Source, mounts: &Mounts) -> SharingClass {
        let effect = effect_of(server, source, mounts);
        match (effect, source.request.creates()) {
            (Effect::ReadsOwnToken | Effect::Unclear, _) => SharingClass::Lease,
            (Effect::Reads | Effect::SignsToken | Effect::Creates, Creates::Nothing) => {
                SharingClass::SharedRead
            }
            (Effect::Reads | Effect::SignsToken | Effect::Creates, Creates::Certificate) => {
                SharingClass::Issue
            }
            (effect, Creates::Unknown) => match (self.leased(server, source), effect) {
                (Some(true), _) => SharingClass::Lease,
                (None | Some(false), Effect::Reads) => SharingClass::SharedRead,
                (None | Some(false), Effect::SignsToken) | (Some(false), _) => SharingClass::Issue,
                (None, Effect::Creates | Effect::ReadsOwnToken | Effect::Unclear) => SharingClass::Lease,
            },
        }
    }

    /// True if a lookup of the mount of `source` decides its class: words of the path alone say that it may create something, and neither a lookup nor
    /// a response has shown more.
    pub(crate) fn needs_lookup(&self, server: &ServerSpec, source: &Source, mounts: &Mounts) -> bool {
        let (method, path) = source.request.sent();
        let namespace = source.namespace.as_deref();
        if !depends_on_engine(method, &path) || mounts.engine(server, namespace, &path).is_some() {
            return false;
        }
        let known = self.learned.lock().get(&key(server, source)).copied().unwrap_or_default();
        known.leased.is_none() && known.looked_up.is_none_or(|at| at.elapsed() >= LOOKUP_PAUSE)
    }

    /// The lock of the lookup for `source`.
    pub(crate) fn lookup_lock(&self, server: &ServerSpec, source: &Source) -> Arc<AsyncMutex<()>> {
        let mut locks = self.lookup_locks.lock();
        locks.retain(|_, lock| lock.strong_count() > 0);
        let weak = locks.entry(key(server, source)).or_default();
        weak.upgrade().unwrap_or_else(|| {
            let lock = Arc::default();
            *weak = Arc::downgrade(&lock);
            lock
        })
    }

    /// Remembers that the mount of `source` was looked up now, whatever came of it.
    pub(crate) fn set_looked_up(&self, server: &ServerSpec, source: &Source) {
        self.learned.lock().get_or_default(key(server, source)).looked_up = Some(Instant::now());
    }

    /// Remembers whether a call of `source` has returned a lease. A path that has returned one counts as leasing from then on.
    pub(crate) fn learn(&self, server: &ServerSpec, source: &Source, leased: bool) {
        match source.request.creates() {
            Creates::Certificate => {}
            Creates::Nothing | Creates::Unknown => {
                let mut learned = self.learned.lock();
                let known = learned.get_or_default(key(server, source));
                known.leased = Some(leased || known.leased == Some(true));
            }
        }
    }

    fn leased(&self, server: &ServerSpec, source: &Source) -> Option<bool> {
        self.learned.lock().get(&key(server, source)).and_then(|known| known.leased)
    }
}

/// What a call of `source` does, by the path that is sent.
fn effect_of(server: &ServerSpec, source: &Source, mounts: &Mounts) -> Effect {
    let (method, path) = source.request.sent();
    let namespace = source.namespace.as_deref();
    let engine = depends_on_engine(method, &path).then(|| mounts.engine(server, namespace, &path)).flatten();
    effect(method, &path, engine)
}

fn key(server: &ServerSpec, source: &Source) -> LearnedPath {
    let namespace = source.namespace.as_ref().or(server.namespace.as_ref()).cloned();
    let (method, path) = source.request.sent();
    (server.address.clone(), namespace, method.to_string(), path.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{EngineRequest, KvEngine, KvRead, Request, ShareScope, TlsSpec};
    use crate::vault::{EngineType, Mount};

    fn server() -> ServerSpec {
        let address = "https://vault:8200".parse().unwrap();
        ServerSpec { address, configured: true, namespace: None, tls: TlsSpec::default() }
    }

    fn read(request: EngineRequest) -> Source {
        Source { namespace: None, request, share: ShareScope::Pod }
    }

    fn path(path: &str) -> Source {
        read(EngineRequest::Request(Request::new("GET", path, None).unwrap()))
    }

    fn kv(mount: &str, path: &str, engine: KvEngine) -> Source {
        let read_of =
            KvRead { mount: mount.into(), path: path.into(), version: None, previous: false, engine };
        read(EngineRequest::Kv(read_of))
    }

    #[test]
    fn what_belongs_to_a_token_is_judged_by_the_path_that_is_sent_whatever_field_made_it() {
        let (paths, mounts) = (LearnedPaths::default(), Mounts::default());
        for source in [
            kv("auth", "token/lookup-self", KvEngine::V1),
            kv("auth/token", "lookup-self", KvEngine::V1),
            kv("cubbyhole", "x", KvEngine::V1),
            kv("cubbyhole", "x", KvEngine::V2),
            kv("sys", "mounts", KvEngine::V1),
            kv("ns1/auth/token", "lookup-self", KvEngine::V1),
            kv("ns1", "auth/token/lookup-self", KvEngine::V1),
            kv("a/b/cubbyhole", "x", KvEngine::V1),
            path("auth/token/lookup-self"),
            path("ns1/auth/token/lookup-self"),
            path("ns1/sys/mounts"),
            read(EngineRequest::Authorities { mount: "auth/token".into() }),
        ] {
            assert_eq!(paths.class(&server(), &source, &mounts), SharingClass::Lease, "{source}");
            paths.learn(&server(), &source, false);
            assert_eq!(
                paths.class(&server(), &source, &mounts),
                SharingClass::Lease,
                "{source}, without a lease"
            );
        }
        assert_eq!(
            paths.class(&server(), &kv("secret", "a", KvEngine::V2), &mounts),
            SharingClass::SharedRead
        );
        assert_eq!(paths.class(&server(), &path("sys/health"), &mounts), SharingClass::SharedRead);
    }

    #[test]
    fn the_type_of_the_mount_decides_and_a_lease_corrects_it() {
        let (paths, mounts, server) = (LearnedPaths::default(), Mounts::default(), server());
        let class = |source: &Source| paths.class(&server, source, &mounts);
        let (token, sys) = (path("secret/data/token/x"), kv("secret", "sys/x", KvEngine::V2));
        assert_eq!((class(&token), class(&sys)), (SharingClass::Lease, SharingClass::Lease));
        assert!(paths.needs_lookup(&server, &token, &mounts) && paths.needs_lookup(&server, &sys, &mounts));
        mounts.insert(&server, None, Mount { path: "secret/".into(), engine: EngineType::Kv, kv: None });
        assert_eq!((class(&token), class(&sys)), (SharingClass::SharedRead, SharingClass::SharedRead));
        assert!(!paths.needs_lookup(&server, &token, &mounts));
        paths.learn(&server, &token, true);
        assert_eq!((class(&token), class(&sys)), (SharingClass::Lease, SharingClass::SharedRead));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_lookup_is_repeated_after_minutes_and_never_after_a_response() {
        let (paths, mounts, server) = (LearnedPaths::default(), Mounts::default(), server());
        let source = path("my-plugin/creds/x");
        paths.set_looked_up(&server, &source);
        assert!(!paths.needs_lookup(&server, &source, &mounts));
        tokio::time::advance(LOOKUP_PAUSE).await;
        assert!(paths.needs_lookup(&server, &source, &mounts));
        paths.learn(&server, &source, false);
        assert!(!paths.needs_lookup(&server, &source, &mounts));
        assert_eq!(paths.class(&server, &source, &mounts), SharingClass::Issue);
        assert!(!paths.needs_lookup(&server, &path("secret/data/db"), &mounts), "it has no such word");
    }
}
