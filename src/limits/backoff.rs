//! How long a task waits before it repeats something that failed.

use std::time::Duration;

/// Pauses that double from `first` to `longest`. Jitter shortens them at random, so that the nodes and tokens that lost the same server do not
/// come back at the same moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    /// The pause after the first failure, before jitter.
    pub(crate) first: Duration,
    /// The longest pause.
    pub(crate) longest: Duration,
    /// The part of a pause that is random, from 0 (none of it) to 1 (all of it).
    pub(crate) jitter: f64,
}

impl Backoff {
    /// The pause after `failures` failures in a row, counted from 1. `random` is uniform in 0..1: 0 gives the shortest pause, 1 the longest.
    pub(crate) fn pause(&self, failures: u32, random: f64) -> Duration {
        let doubled = self.doubled(failures);
        let jitter = self.jitter.clamp(0.0, 1.0);
        doubled.mul_f64(1.0 - jitter + jitter * random.clamp(0.0, 1.0))
    }

    /// [`Self::pause`] for something that must succeed within `left`: at most a third of `left`, so that the last minutes see more than one
    /// attempt, and never less than `first`, so that a server that comes back does not meet a storm.
    pub(crate) fn pause_within(&self, failures: u32, left: Duration, random: f64) -> Duration {
        self.pause(failures, random).min(left / 3).max(self.first)
    }

    fn doubled(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(factor).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn backoff(jitter: f64) -> Backoff {
        Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(300), jitter }
    }

    #[test]
    fn pauses_double_to_the_longest() {
        let seconds = |failures| backoff(0.0).pause(failures, 0.5).as_secs();
        assert_eq!([1, 2, 3, 6, 9, 10, u32::MAX].map(seconds), [1, 2, 4, 32, 256, 300, 300]);
    }

    #[test]
    fn jitter_shortens_a_pause_by_at_most_its_own_part() {
        let seconds = |jitter, random| backoff(jitter).pause(4, random).as_secs_f64();
        assert_eq!([0.0, 0.5, 1.0].map(|random| seconds(1.0, random)), [0.0, 4.0, 8.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|random| seconds(0.5, random)), [4.0, 6.0, 8.0]);
    }

    #[test]
    fn the_time_left_shortens_a_pause_but_not_below_the_first() {
        let seconds = |failures, left, random| backoff(1.0).pause_within(failures, left, random).as_secs();
        let pauses = |random| [1, 2, 3, 6, 9, 10, u32::MAX].map(|failures| seconds(failures, DAY, random));
        assert_eq!(pauses(1.0), [1, 2, 4, 32, 256, 300, 300]);
        assert_eq!(pauses(0.5), [1, 1, 2, 16, 128, 150, 150]);
        assert_eq!(pauses(0.0), [1; 7]);
        assert_eq!([60, 9, 3, 0].map(|left| seconds(10, Duration::from_secs(left), 1.0)), [20, 3, 1, 1]);
    }
}
