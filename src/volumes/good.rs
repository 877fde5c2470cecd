//! The last content of a volume that was whole: what a pod keeps while the server cannot answer.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::config::MountSpec;
use crate::rotation::Moment;
use crate::volume::Payload;

/// Content, for whom and for what class it was fetched, and when.
pub(super) struct Good {
    pub(super) payload: Arc<Payload>,
    question: Question,
    pub(super) at: Moment,
}

/// What the content is an answer to: the class, the role and the account. Nothing stands in for another's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Question(u64);

impl Question {
    pub(super) fn of(spec: &MountSpec) -> Self {
        let mut hasher = DefaultHasher::new();
        (&spec.parameters, &spec.server, &spec.auth, &spec.pod).hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl Good {
    pub(super) fn new(spec: &MountSpec, payload: Arc<Payload>, at: Moment) -> Self {
        Self { payload, question: Question::of(spec), at }
    }

    /// Its age, when it may stand in for what `spec` asks for.
    pub(super) fn stands_in_for(&self, spec: &MountSpec, now: Moment) -> Option<Duration> {
        let age = now.since(self.at);
        (self.question == Question::of(spec) && age <= spec.max_stale).then_some(age)
    }
}
