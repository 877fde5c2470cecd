//! Which way a source goes: whether what it gives may be shared, and whether its path hands out leases, which nobody tells before the first
//! answer.

use crate::mutex::Mutex;
use std::collections::HashMap;

use crate::spec::{Address, EngineRequest, MountSpec, ServerSpec, Source};
use crate::vault;

/// How a source is asked, and whose its answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SharingClass {
    /// Shared with all who use the login.
    SharedRead,
    /// Makes something that ends by itself, by the login that reads.
    Issue,
    /// May make something that lives as long as the login that asks: by one of the volume's own, or of its group's.
    Lease,
}

/// Paths that are remembered; past that all are found out anew, which costs a login each.
const REMEMBERED: usize = 4096;

/// Server, namespace, method and path.
type LearnedPath = (Address, Option<String>, String, String);

/// What was learnt of paths.
#[derive(Default)]
pub(crate) struct LearnedPaths(Mutex<HashMap<LearnedPath, bool>>);

impl LearnedPaths {
    /// The way of `source`.
    pub(crate) fn way(&self, spec: &MountSpec, source: &Source) -> SharingClass {
        let request = match &source.request {
            EngineRequest::Certificate(_) => return SharingClass::Issue,
            EngineRequest::Request(request) => request,
            _ => return SharingClass::SharedRead,
        };
        let path = request.path.as_str();
        // What is a token's own, or ends it, must not reach a login that others use.
        let personal = ["auth/", "sys/", "cubbyhole/"].iter().any(|mount| path.starts_with(mount));
        match self.is_known(&spec.server, source) {
            _ if personal => SharingClass::Lease,
            Some(true) => SharingClass::Lease,
            Some(false) => SharingClass::Issue,
            // A GET of `creds` and the like counts as one that creates.
            None if vault::creates(&request.method, path) => SharingClass::Lease,
            None => SharingClass::SharedRead,
        }
    }

    /// Whether the call of `source` was seen to lease.
    fn is_known(&self, server: &ServerSpec, source: &Source) -> Option<bool> {
        self.0.lock().get(&path(server, source)?).copied()
    }

    /// Remembers whether the call of `source` leases; one that did once is taken to do so again.
    pub(crate) fn learn(&self, server: &ServerSpec, source: &Source, leases: bool) {
        let Some(path) = path(server, source) else { return };
        let mut known = self.0.lock();
        if known.len() >= REMEMBERED && !known.contains_key(&path) {
            known.clear();
        }
        *known.entry(path).or_default() |= leases;
    }
}

fn path(server: &ServerSpec, source: &Source) -> Option<LearnedPath> {
    let EngineRequest::Request(request) = &source.request else { return None };
    let namespace = source.namespace.as_ref().or(server.namespace.as_ref()).cloned();
    Some((server.address.clone(), namespace, request.method.to_string(), request.path.to_string()))
}
