//! Remembers per path whether its responses may be shared and whether they carry leases. Leases are only known after the first response.

use crate::bounded_map::BoundedMap;
use crate::mutex::Mutex;
use crate::spec::{Address, Creates, MountSpec, Request, ServerSpec, Source};
use crate::vault;

/// Which token calls a source, and who may use the response.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SharingClass {
    /// All volumes with the same login share the response.
    SharedRead,
    /// The call creates something that expires by itself. The login that reads makes the call.
    Issue,
    /// The call may create something that lives as long as its token. A token of the volume's own, or of its group, makes the call.
    Lease,
}

/// Paths that are remembered. When there are more, all are found out again, which costs a login each.
const REMEMBERED: usize = 4096;

/// Mounts whose paths act on the token that calls them, so that a shared token must not call them.
const OF_THE_TOKEN: [&str; 3] = ["auth/", "sys/", "cubbyhole/"];

/// Server, namespace, method and path.
type LearnedPath = (Address, Option<String>, String, String);

/// For each path, whether a call of it has returned a lease.
#[derive(Default)]
pub(crate) struct LearnedPaths(Mutex<BoundedMap<LearnedPath, bool, REMEMBERED>>);

impl LearnedPaths {
    /// The class of `source`.
    pub(crate) fn class(&self, spec: &MountSpec, source: &Source) -> SharingClass {
        let request = match source.request.creates() {
            Creates::Nothing => return SharingClass::SharedRead,
            Creates::Certificate => return SharingClass::Issue,
            Creates::Unknown(request) => request,
        };
        let path = request.path.as_str();
        if OF_THE_TOKEN.iter().any(|mount| path.starts_with(mount)) {
            return SharingClass::Lease;
        }
        match self.0.lock().get(&key(&spec.server, source, request)).copied() {
            Some(true) => SharingClass::Lease,
            Some(false) => SharingClass::Issue,
            // A GET of `creds` and the like counts as one that creates.
            None if vault::creates(&request.method, path) => SharingClass::Lease,
            None => SharingClass::SharedRead,
        }
    }

    /// Remembers whether a call of `source` has returned a lease. A path that has returned one counts as leasing from then on.
    pub(crate) fn learn(&self, server: &ServerSpec, source: &Source, leased: bool) {
        match source.request.creates() {
            Creates::Nothing | Creates::Certificate => {}
            Creates::Unknown(request) => {
                *self.0.lock().get_or_default(key(server, source, request)) |= leased;
            }
        }
    }
}

fn key(server: &ServerSpec, source: &Source, request: &Request) -> LearnedPath {
    let namespace = source.namespace.as_ref().or(server.namespace.as_ref()).cloned();
    (server.address.clone(), namespace, request.method.to_string(), request.path.to_string())
}
