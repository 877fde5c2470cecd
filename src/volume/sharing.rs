//! Which way a source goes: whether what it gives may be shared, and whether its path hands out leases, which nobody tells before the first
//! answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::spec::{Address, MountSpec, Question, ServerSpec, Source};
use crate::vault;

/// How a source is asked, and whose its answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Shared with all who use the login.
    Read,
    /// Makes something that ends by itself, by the login that reads.
    Make,
    /// May make something that lives as long as the login that asks: by one of the volume's own, or of its group's.
    Lease,
}

/// Paths that are remembered; past that all are found out anew, which costs a login each.
const REMEMBERED: usize = 4096;

/// Server, namespace, method and path.
type Path = (Address, Option<String>, String, String);

/// What was learnt of paths.
#[derive(Default)]
pub(crate) struct Paths(Mutex<HashMap<Path, bool>>);

impl Paths {
    /// The way of `source`.
    pub(crate) fn way(&self, spec: &MountSpec, source: &Source) -> Way {
        let request = match &source.question {
            Question::Certificate(_) => return Way::Make,
            Question::Request(request) => request,
            _ => return Way::Read,
        };
        let path = request.path.as_str();
        // What is a token's own, or ends it, must not reach a login that others use.
        let personal = ["auth/", "sys/", "cubbyhole/"].iter().any(|mount| path.starts_with(mount));
        match self.is_known(&spec.server, source) {
            _ if personal => Way::Lease,
            Some(true) => Way::Lease,
            Some(false) => Way::Make,
            // A GET of `creds` and the like counts as one that creates.
            None if vault::creates(&request.method, path) => Way::Lease,
            None => Way::Read,
        }
    }

    /// Whether the call of `source` was seen to lease.
    fn is_known(&self, server: &ServerSpec, source: &Source) -> Option<bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&path(server, source)?).copied()
    }

    /// Remembers whether the call of `source` leases; one that did once is taken to do so again.
    pub(crate) fn learn(&self, server: &ServerSpec, source: &Source, leases: bool) {
        let Some(path) = path(server, source) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED && !known.contains_key(&path) {
            known.clear();
        }
        *known.entry(path).or_default() |= leases;
    }
}

fn path(server: &ServerSpec, source: &Source) -> Option<Path> {
    let Question::Request(request) = &source.question else { return None };
    let namespace = source.namespace.as_ref().or(server.namespace.as_ref()).cloned();
    Some((server.address.clone(), namespace, request.method.to_string(), request.path.to_string()))
}
