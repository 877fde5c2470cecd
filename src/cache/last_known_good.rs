//! The last complete content of a volume, which its pod keeps while Vault is unreachable.

use std::sync::Arc;
use std::time::Duration;

use super::issued::IssuedEnd;
use crate::digest::Digest;
use crate::payload::Payload;
use crate::renewal::UnixMillis;
use crate::spec::MountSpec;

/// Content, what it was fetched for, when, and how long it can be used.
pub(crate) struct LastKnownGood {
    pub(crate) payload: Arc<Payload>,
    key: ContentKey,
    pub(crate) at: UnixMillis,
    /// The ends of the certificates and credentials in it.
    ends: Vec<IssuedEnd>,
}

/// A digest of class, server, role and pod: content is used again only for the same four.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentKey([u8; 32]);

impl ContentKey {
    pub(crate) fn of(spec: &MountSpec) -> Self {
        let parts = (&spec.parameters, &spec.server, &spec.auth, &spec.pod);
        Self(Digest::new().hashed(&parts).finish())
    }
}

impl LastKnownGood {
    pub(crate) fn new(spec: &MountSpec, payload: Arc<Payload>, at: UnixMillis, ends: Vec<IssuedEnd>) -> Self {
        Self { payload, key: ContentKey::of(spec), at, ends }
    }

    /// The age of the content; `None` when it was fetched for something else than `spec`, is older than `maxStale`, or has expired.
    pub(crate) fn age_for(&self, spec: &MountSpec, now: UnixMillis) -> Option<Duration> {
        let age = now.since(self.at);
        let is_usable = self.key == ContentKey::of(spec) && age <= spec.max_stale && !self.has_expired(now);
        is_usable.then_some(age)
    }

    /// Whether a certificate or a credential in it has expired: a pod must not be told that such content is fine.
    pub(crate) fn has_expired(&self, now: UnixMillis) -> bool {
        !self.ends.iter().all(|end| end.is_valid(now))
    }
}
