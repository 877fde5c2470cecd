//! Until when.

use std::time::Duration;

use tokio::time::Instant;

/// Trying again ends this long after a mount began, answers included: then the kubelet's own pauses serve better, and a pod's
/// author reads within 20 s what is wrong.
const TRYING: Duration = Duration::from_secs(18);

/// The time that all calls of one mount share.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    end: Instant,
    trying_ends: Instant,
}

impl Budget {
    /// Begins now and ends at `end`.
    pub fn until(end: Instant) -> Self {
        Self { end, trying_ends: end.min(Instant::now() + TRYING) }
    }

    /// Begins now and ends after `time`.
    pub fn lasting(time: Duration) -> Self {
        Self::until(Instant::now() + time)
    }

    /// The moment it ends.
    pub fn end(self) -> Instant {
        self.end
    }

    /// What is left of it for trying again.
    pub(super) fn for_another_try(self) -> Self {
        Self { end: self.trying_ends, ..self }
    }

    /// The moment after `time` from now, or its own end when that is earlier.
    pub(super) fn within(self, time: Duration) -> Instant {
        self.end.min(Instant::now() + time)
    }
}
