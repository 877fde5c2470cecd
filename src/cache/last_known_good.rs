//! The last content of a volume that was whole: what a pod keeps while the server cannot answer.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::spec::MountSpec;
use crate::renewal::Moment;
use crate::payload::Payload;

/// Content, for whom and for what class it was fetched, and when.
pub(crate) struct Good {
    pub(crate) payload: Arc<Payload>,
    question: Question,
    pub(crate) at: Moment,
}

/// What the content is an answer to: the class, the role and the account. Nothing stands in for another's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question(u64);

impl Question {
    pub(crate) fn of(spec: &MountSpec) -> Self {
        let mut hasher = DefaultHasher::new();
        (&spec.parameters, &spec.server, &spec.auth, &spec.pod).hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl Good {
    pub(crate) fn new(spec: &MountSpec, payload: Arc<Payload>, at: Moment) -> Self {
        Self { payload, question: Question::of(spec), at }
    }

    /// Its age, when it may stand in for what `spec` asks for.
    pub(crate) fn stands_in_for(&self, spec: &MountSpec, now: Moment) -> Option<Duration> {
        let age = now.since(self.at);
        (self.question == Question::of(spec) && age <= spec.max_stale).then_some(age)
    }
}
