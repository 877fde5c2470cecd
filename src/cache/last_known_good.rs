//! The last complete content of a volume, which its pod keeps while Vault is unreachable.

use std::sync::Arc;
use std::time::Duration;

use crate::digest::Digest;
use crate::payload::Payload;
use crate::renewal::UnixMillis;
use crate::spec::MountSpec;

/// Content, what it was fetched for, and when.
pub(crate) struct LastKnownGood {
    pub(crate) payload: Arc<Payload>,
    key: ContentKey,
    pub(crate) at: UnixMillis,
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
    pub(crate) fn new(spec: &MountSpec, payload: Arc<Payload>, at: UnixMillis) -> Self {
        Self { payload, key: ContentKey::of(spec), at }
    }

    /// The age of the content; `None` when it was fetched for something else than `spec`, or is older than `maxStale`.
    pub(crate) fn age_for(&self, spec: &MountSpec, now: UnixMillis) -> Option<Duration> {
        let age = now.since(self.at);
        (self.key == ContentKey::of(spec) && age <= spec.max_stale).then_some(age)
    }
}
