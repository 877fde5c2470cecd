//! Which paths hand out leases: nobody tells before the first answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::config::{Address, MountSpec, Question, Source};

/// Paths that are remembered; past that all are found out anew, which costs a login each.
const REMEMBERED: usize = 4096;

/// Server, namespace, method and path.
type Path = (Address, Option<String>, String, String);

/// What was learnt of paths.
#[derive(Default)]
pub(super) struct Paths(Mutex<HashMap<Path, bool>>);

impl Paths {
    /// Whether the call of `source` was seen to lease.
    pub(super) fn is_known(&self, spec: &MountSpec, source: &Source) -> Option<bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&path(spec, source)?).copied()
    }

    /// Remembers whether the call of `source` leases; one that did once is taken to do so again.
    pub(super) fn learn(&self, spec: &MountSpec, source: &Source, leases: bool) {
        let Some(path) = path(spec, source) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED && !known.contains_key(&path) {
            known.clear();
        }
        *known.entry(path).or_default() |= leases;
    }
}

fn path(spec: &MountSpec, source: &Source) -> Option<Path> {
    let Question::Request(request) = &source.question else { return None };
    let namespace = source.namespace.as_ref().or(spec.server.namespace.as_ref()).cloned();
    Some((spec.server.address.clone(), namespace, request.method.to_string(), request.path.to_string()))
}
