//! When a volume is polled whose files vaultmount writes.

use std::time::Duration;

use super::UnixMillis;
use crate::limits::Period;

/// Shortest time between two polls, whatever the class says.
const SHORTEST: Duration = Duration::from_secs(1);

/// How much older than wanted a response of another volume may be, so that volumes that are polled at the same moment share it.
pub(crate) const TOGETHER: Duration = Duration::from_millis(500);

/// Shortest pause before something due is tried again, and longest pause after a failed poll.
const PAUSE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// Polls at a fixed period. All volumes of a login are polled at the same moments, and so share its reads. A random phase spreads the logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PollSchedule {
    period: Duration,
    phase: Duration,
}

impl PollSchedule {
    /// A poll every `period`. `chance` (0 to 1) is the part of the period at which it is.
    pub(crate) fn new(period: Duration, chance: f64) -> Self {
        let period = period.max(SHORTEST);
        Self { period, phase: period.mul_f64(chance.clamp(0.0, 1.0)) }
    }

    /// Shortest time after which something due is tried again.
    pub(crate) fn soon(self) -> Duration {
        PAUSE.0.min(self.period)
    }

    /// Time from `now` to the next poll.
    pub(crate) fn until_next(self, now: UnixMillis) -> Duration {
        let since = now.since(UnixMillis::default() + self.phase).as_millis();
        let period = self.period.as_millis();
        self.period.saturating_sub(millis(since % period))
    }

    /// The pause after a poll at `now` that succeeded. `due` is when the volume's next certificate or credential is due.
    pub(crate) fn after_success(self, now: UnixMillis, due: Option<UnixMillis>) -> Duration {
        let due = due.map_or(Duration::MAX, |due| due.since(now).max(self.soon()));
        self.until_next(now).min(due)
    }

    /// The pause after a poll at `now` that failed. `random` (0 to 1) moves it, so that nodes whose polls failed together do not try again together.
    pub(crate) fn after_failure(self, now: UnixMillis, random: f64) -> Duration {
        let longest = Period::of(PAUSE.1).pause(random);
        self.until_next(now).clamp(self.soon(), longest)
    }

    /// How old a response may be for a poll at `now`, if it must not become older than `refresh` before the next poll.
    pub(crate) fn age(self, refresh: Duration, now: UnixMillis) -> Duration {
        refresh.saturating_sub(self.until_next(now)).max(TOGETHER).min(refresh)
    }
}

fn millis(millis: u128) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A poll every ten seconds, at 4, 14, 24 and so on.
    const TEN: PollSchedule = PollSchedule { period: Duration::from_secs(10), phase: Duration::from_secs(4) };

    #[test]
    fn polls_come_at_moments_that_do_not_depend_on_when_a_volume_was_mounted() {
        let next = [4_000, 4_001, 13_999, 14_000, 0].map(|now| TEN.until_next(UnixMillis(now)).as_millis());
        assert_eq!(next, [10_000, 9_999, 1, 10_000, 10_000]);
        let spread = [0.0, 0.25, 1.0, 9.0]
            .map(|chance| PollSchedule::new(seconds(8), chance).until_next(UnixMillis(80_000)).as_secs());
        assert_eq!(spread, [8, 2, 8, 8]);
    }

    #[test]
    fn what_is_due_sooner_is_polled_sooner_but_not_all_the_time() {
        let after = |due| TEN.after_success(UnixMillis(14_000), due).as_secs();
        assert_eq!(
            (after(None), after(Some(UnixMillis(99_000))), after(Some(UnixMillis(21_000)))),
            (10, 10, 7)
        );
        assert_eq!((after(Some(UnixMillis(14_000))), after(Some(UnixMillis(0)))), (5, 5));
        let quick = PollSchedule::new(seconds(2), 0.0);
        assert_eq!(quick.after_success(UnixMillis(1), Some(UnixMillis(0))).as_millis(), 1_999);
    }

    #[test]
    fn a_failed_poll_is_repeated_within_half_a_minute() {
        let failed = |period, now| {
            PollSchedule::new(seconds(period), 0.0).after_failure(UnixMillis(now), 0.5).as_secs()
        };
        let spread = [0.0, 1.0]
            .map(|random| PollSchedule::new(seconds(3600), 0.0).after_failure(UnixMillis(1), random));
        assert_eq!(spread, [Duration::from_millis(22_500), Duration::from_millis(37_500)]);
        assert_eq!((failed(3600, 1), failed(10, 0), failed(10, 8_000), failed(1, 0)), (30, 10, 5, 1));
    }

    #[test]
    fn no_response_becomes_older_than_its_refresh() {
        let age = |refresh, now| TEN.age(Duration::from_millis(refresh), UnixMillis(now)).as_millis();
        assert_eq!(age(10_000, 14_000), 500, "volumes that are polled together share");
        assert_eq!(age(60_000, 14_000), 50_000);
        assert_eq!(age(10_000, 18_000), 4_000, "a request between two polls uses the last poll's response");
        assert_eq!(age(0, 14_000), 0);
    }

    #[test]
    fn no_class_causes_polls_all_the_time() {
        assert_eq!(PollSchedule::new(Duration::ZERO, 0.5).period, SHORTEST);
    }
}
