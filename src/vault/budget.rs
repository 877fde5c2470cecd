//! Until when.

use std::time::Duration;

use tokio::time::Instant;

/// The time that all calls of one mount share.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    until: Instant,
}

impl Budget {
    /// Ends at `until`.
    pub fn until(until: Instant) -> Self {
        Self { until }
    }

    /// Ends after `time` from now.
    pub fn lasting(time: Duration) -> Self {
        Self { until: Instant::now() + time }
    }

    /// The moment it ends.
    pub fn end(self) -> Instant {
        self.until
    }

    /// The moment after `time` from now, or its own end when that is earlier.
    pub(super) fn within(self, time: Duration) -> Instant {
        self.until.min(Instant::now() + time)
    }
}
