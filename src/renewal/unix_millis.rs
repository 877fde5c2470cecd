//! A time that means the same after a restart.

use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Milliseconds of Unix time. Arithmetic saturates at both ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct UnixMillis(pub u64);

impl UnixMillis {
    /// The time of the system's clock; 1970 for a clock before that.
    pub(crate) fn now() -> Self {
        Self::default() + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// The time of certificates and responses, in Unix seconds; 1970 for a time before that.
    pub(crate) fn of_unix_seconds(seconds: i64) -> Self {
        Self::default() + Duration::from_secs(seconds.max(0).unsigned_abs())
    }

    /// The time since `earlier`; zero when `earlier` is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for UnixMillis {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(millis(time)))
    }
}

impl Sub<Duration> for UnixMillis {
    type Output = Self;

    fn sub(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(millis(time)))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_runs_over_either_end() {
        assert_eq!(UnixMillis(5) - Duration::from_secs(1), UnixMillis(0));
        assert_eq!(UnixMillis(5) + Duration::MAX, UnixMillis(u64::MAX));
        assert_eq!(UnixMillis(5).since(UnixMillis(9)), Duration::ZERO);
        assert_eq!(
            (UnixMillis::of_unix_seconds(-3), UnixMillis::of_unix_seconds(i64::MAX)),
            (UnixMillis(0), UnixMillis(u64::MAX))
        );
    }

    #[test]
    fn a_moment_is_written_as_a_number() {
        let written = serde_json::to_string(&UnixMillis(1_795_000_000_123)).unwrap();
        assert_eq!(
            (written.as_str(), serde_json::from_str(&written).ok()),
            ("1795000000123", Some(UnixMillis(1_795_000_000_123)))
        );
    }
}
