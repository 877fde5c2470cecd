//! The last content of a volume that was whole: what a pod keeps while the server cannot answer.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::payload::Payload;
use crate::renewal::UnixMillis;
use crate::spec::MountSpec;

/// Content, for whom and for what class it was fetched, and when.
pub(crate) struct LastKnownGood {
    pub(crate) payload: Arc<Payload>,
    key: ContentKey,
    pub(crate) at: UnixMillis,
}

/// What the content is an answer to: the class, the role and the account. Nothing stands in for another's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentKey(u64);

impl ContentKey {
    pub(crate) fn of(spec: &MountSpec) -> Self {
        let mut hasher = DefaultHasher::new();
        (&spec.parameters, &spec.server, &spec.auth, &spec.pod).hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl LastKnownGood {
    pub(crate) fn new(spec: &MountSpec, payload: Arc<Payload>, at: UnixMillis) -> Self {
        Self { payload, key: ContentKey::of(spec), at }
    }

    /// Its age, when it may stand in for what `spec` asks for.
    pub(crate) fn stands_in_for(&self, spec: &MountSpec, now: UnixMillis) -> Option<Duration> {
        let age = now.since(self.at);
        (self.key == ContentKey::of(spec) && age <= spec.max_stale).then_some(age)
    }
}
