//! When the successor of something that cannot be extended is issued: certificates, responses of writes, and terms at their max TTL.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::UnixMillis;

/// Part of a lifetime after which the successor is issued: early enough for some failures in a row, late enough for few calls.
const PART: f64 = 0.7;

/// Longest time that a response is used unless the bounds say otherwise. What lives longer is requested once a day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Largest part of the time by which a random number makes a renewal or a successor earlier: it spreads what was issued together.
pub(crate) const EARLIER: f64 = 0.25;

/// How long the content of a response is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Expiry {
    /// The response does not say.
    #[serde(rename = "Untold")]
    Unknown,
    /// The response to a read does not say. After `refresh` it may be old: if the next read fails, this response takes no part in it.
    #[serde(rename = "Read")]
    Read,
    /// To this moment, in Unix seconds.
    #[serde(rename = "Until")]
    Until(i64),
    /// To this moment, in Unix seconds, but for `refresh` at most: the response to a read.
    #[serde(rename = "ReadUntil")]
    ReadUntil(i64),
}

/// What decides when a volume replaces a response.
#[derive(Clone, Copy)]
pub(crate) struct RenewalInputs {
    /// How often the volume is republished or polled.
    pub(crate) interval: Duration,
    /// How old a response without an end may become.
    pub(crate) refresh: Duration,
    /// The ages between which a certificate is replaced.
    pub(crate) bounds: Bounds,
    /// A number of 0 to 1 that is always the same for one volume.
    pub(crate) chance: f64,
}

impl Expiry {
    /// Whether the content has not expired at `now`, as far as is known.
    pub(crate) fn is_valid(self, now: UnixMillis) -> bool {
        self.end().is_none_or(|end| now < end)
    }

    /// When the successor of a response of the time `at` is due: by its end as in `renew_at`, otherwise after the volume's `refresh`.
    pub(crate) fn due_at(self, at: UnixMillis, inputs: RenewalInputs) -> UnixMillis {
        let refreshed = at + inputs.refresh.min(LONGEST);
        let renewed = |end| {
            renew_at(at, UnixMillis::of_unix_seconds(end), inputs.interval, inputs.bounds, inputs.chance)
        };
        match self {
            Self::Unknown | Self::Read => refreshed,
            Self::Until(end) => renewed(end),
            Self::ReadUntil(end) => renewed(end).min(refreshed),
        }
    }

    /// The end, if the response says when it is.
    pub(crate) fn end(self) -> Option<UnixMillis> {
        match self {
            Self::Unknown | Self::Read => None,
            Self::Until(end) | Self::ReadUntil(end) => Some(UnixMillis::of_unix_seconds(end)),
        }
    }
}

/// The shortest and longest time from one certificate to the next. The end of a certificate overrides the shortest time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// A younger certificate is not replaced, however short its lifetime.
    pub(crate) least: Duration,
    /// An older certificate is replaced, however long its lifetime.
    pub(crate) most: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { least: Duration::ZERO, most: LONGEST }
    }
}

/// When the successor of what was issued at `issued` is due: as in `succeed_at`, within `bounds`.
///
/// `chance` (0 to 1) takes up to a quarter off. The same `chance` always has the same time.
fn renew_at(
    issued: UnixMillis,
    ends: UnixMillis,
    interval: Duration,
    bounds: Bounds,
    chance: f64,
) -> UnixMillis {
    let (age, life) = (succeed_at(issued, ends, interval).since(issued), ends.since(issued));
    let age = age.mul_f64(1.0 - EARLIER * chance.clamp(0.0, 1.0)).max(life / 3).min(age);
    let age = age.max(bounds.least).min(bounds.most).min(ends.since(issued));
    issued + age
}

/// Whether `life` is too short for a volume that is republished every `interval`: a successor two republishes before the end would be due before
/// a third of the lifetime. Then a few failed republishes let it expire.
pub(crate) fn too_short(life: Duration, interval: Duration) -> bool {
    life < interval.saturating_mul(3)
}

/// When the successor of something is due that was issued at `issued` and cannot be extended: as in `before_the_end`, but not in the first third of
/// its lifetime. Otherwise something that lives shorter than the interval would be issued again at every request.
pub(crate) fn succeed_at(issued: UnixMillis, ends: UnixMillis, interval: Duration) -> UnixMillis {
    before_the_end(issued, ends, interval).max(issued + ends.since(issued) / 3)
}

/// After 70 % of the time left at `known`, or two republishes before the end, whichever is earlier.
pub(crate) fn before_the_end(known: UnixMillis, ends: UnixMillis, interval: Duration) -> UnixMillis {
    (known + ends.since(known).mul_f64(PART)).min(ends - interval.saturating_mul(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFRESH: Duration = Duration::from_secs(30);

    /// How long a volume that is republished all the time uses a response of `now`, in Unix seconds.
    fn used_for(life: Expiry, now: i64, refresh: Duration) -> Duration {
        let (at, inputs) = (
            UnixMillis::of_unix_seconds(now),
            RenewalInputs { interval: Duration::ZERO, refresh, bounds: Bounds::default(), chance: 0.0 },
        );
        life.due_at(at, inputs).since(at)
    }

    #[test]
    fn a_certificate_is_used_for_seven_tenths_of_its_lifetime() {
        let used = |end, now| used_for(Expiry::Until(end), now, REFRESH).as_secs();
        assert_eq!((used(2000, 1000), used(1000, 1000), used(1000, 5000)), (700, 0, 0));
    }

    #[test]
    fn a_response_without_an_end_is_used_for_the_refresh_and_one_that_never_ends_for_a_day() {
        assert_eq!(used_for(Expiry::Unknown, 1000, REFRESH), REFRESH);
        assert_eq!(used_for(Expiry::Unknown, 1000, Duration::MAX), Duration::from_secs(24 * 3600));
        assert_eq!(used_for(Expiry::Until(i64::MAX), 1000, REFRESH), Duration::from_secs(24 * 3600));
    }

    #[test]
    fn a_read_that_names_its_end_is_used_until_then_and_refresh_only_makes_it_earlier() {
        let used =
            |end, refresh| used_for(Expiry::ReadUntil(end), 1000, Duration::from_secs(refresh)).as_secs();
        assert_eq!((used(2000, 60), used(2000, 3600), used(1100, 3600)), (60, 700, 70));
    }

    const ISSUED: UnixMillis = UnixMillis(1_000_000);

    /// Seconds from the issue to the successor, for one that lives so many seconds.
    fn age(life: u64, interval: u64, bounds: Bounds, chance: f64) -> u64 {
        let ends = ISSUED + Duration::from_secs(life);
        renew_at(ISSUED, ends, Duration::from_secs(interval), bounds, chance).since(ISSUED).as_secs()
    }

    #[test]
    fn a_successor_is_made_at_seven_tenths_or_two_republishes_before_the_end() {
        let table = [
            // life, interval, successor after
            (3600, 75, 2520),
            (600, 75, 420),
            (400, 75, 250), // two republishes are more than three tenths
            (225, 75, 75),
            (150, 75, 50), // too short: a third
            (30, 5, 20),
            (30, 75, 10),
            (0, 75, 0),
            (30 * 24 * 3600, 75, 24 * 3600), // within the bounds
        ];
        for (life, interval, expected) in table {
            assert_eq!(
                age(life, interval, Bounds::default(), 0.0),
                expected,
                "life {life}, interval {interval}"
            );
        }
    }

    #[test]
    fn chance_makes_a_successor_earlier_and_never_later() {
        let ages = [0.0, 0.5, 1.0, 7.0].map(|chance| age(3600, 75, Bounds::default(), chance));
        assert_eq!(ages, [2520, 2205, 1890, 1890]);
    }

    #[test]
    fn bounds_hold_but_for_the_end() {
        let bounds = Bounds { least: Duration::from_secs(300), most: Duration::from_secs(1000) };
        let ages = [100, 350, 1200, 1500, 9000].map(|life| age(life, 10, bounds, 0.0));
        assert_eq!(ages, [100, 300, 840, 1000, 1000]);
    }

    #[test]
    fn a_life_below_three_republishes_is_too_short() {
        let short = |life, interval| too_short(Duration::from_secs(life), Duration::from_secs(interval));
        assert_eq!((short(224, 75), short(225, 75), short(30, 5), short(9, 5)), (true, false, false, true));
    }
}
