//! When what nobody can extend is made anew: certificates, answers of writes, and terms that have come to their last.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::UnixMillis;

/// Part of a life after which its successor is made: early enough for some failures in a row, late enough for few issues.
const PART: f64 = 0.7;

/// Longest time that anything is kept unless its bounds say otherwise; what lives longer is asked about once a day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How much earlier chance makes a successor, at most: the volumes of a node that started together come apart.
const SPREAD: f64 = 0.1;

/// How long what an answer holds is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiry {
    /// It does not say.
    #[serde(rename = "Untold")]
    Unknown,
    /// To this moment, in Unix seconds.
    #[serde(rename = "Until")]
    Until(i64),
}

/// By what a volume judges what was made for it.
#[derive(Clone, Copy)]
pub struct RenewalInputs {
    /// How often it is asked about.
    pub interval: Duration,
    /// How old an answer may grow that tells no end.
    pub refresh: Duration,
    /// The ages between which a certificate is replaced.
    pub bounds: Bounds,
    /// 0 to 1: the same each time for one volume.
    pub chance: f64,
}

impl Expiry {
    /// When the successor is made of what was made at `made`: by its end as `renew_at` says, else after the volume's `refresh`.
    pub fn due_at(self, made: UnixMillis, pace: RenewalInputs) -> UnixMillis {
        match self {
            Self::Unknown => made + pace.refresh.min(LONGEST),
            Self::Until(end) => {
                renew_at(made, UnixMillis::of_unix_seconds(end), pace.interval, pace.bounds, pace.chance)
            }
        }
    }
}

/// The least and the most that passes from an issue to the next; the end goes before the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What is younger is not made anew, however short it lives.
    pub least: Duration,
    /// What is older is made anew, however long it lives.
    pub most: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { least: Duration::ZERO, most: LONGEST }
    }
}

/// When the successor is made of what was issued at `issued`: see `succeed_at`, kept within `bounds`.
///
/// `chance` (0 to 1) takes up to a tenth off; a volume that hands in the same one each time gets the same moment each time.
fn renew_at(
    issued: UnixMillis,
    ends: UnixMillis,
    interval: Duration,
    bounds: Bounds,
    chance: f64,
) -> UnixMillis {
    let age = succeed_at(issued, ends, interval).since(issued).mul_f64(1.0 - SPREAD * chance.clamp(0.0, 1.0));
    let age = age.max(bounds.least).min(bounds.most).min(ends.since(issued));
    issued + age
}

/// Whether `life` is too short for one that is asked about every `interval`: a successor two republishes before the end would come
/// before a third of it has passed. The pod then runs with little in hand.
pub fn too_short(life: Duration, interval: Duration) -> bool {
    life < interval.saturating_mul(3)
}

/// When the successor is made of what was issued at `issued` and nobody can extend: as `before_the_end` says, but not in the first third
/// of its life, or a life shorter than the interval would be made anew each time anybody asks.
pub(crate) fn succeed_at(issued: UnixMillis, ends: UnixMillis, interval: Duration) -> UnixMillis {
    before_the_end(issued, ends, interval).max(issued + ends.since(issued) / 3)
}

/// After 70 % of what is left at `known`, or two republishes before the end, whichever is earlier.
pub(crate) fn before_the_end(known: UnixMillis, ends: UnixMillis, interval: Duration) -> UnixMillis {
    (known + ends.since(known).mul_f64(PART)).min(ends - interval.saturating_mul(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFRESH: Duration = Duration::from_secs(30);

    /// How long an answer of `now`, in Unix seconds, is kept by a volume that is asked about all the time.
    fn kept_for(life: Expiry, now: i64, refresh: Duration) -> Duration {
        let (made, pace) = (
            UnixMillis::of_unix_seconds(now),
            RenewalInputs { interval: Duration::ZERO, refresh, bounds: Bounds::default(), chance: 0.0 },
        );
        life.due_at(made, pace).since(made)
    }

    #[test]
    fn a_certificate_is_kept_for_seven_tenths_of_its_life() {
        let kept = |end, now| kept_for(Expiry::Until(end), now, REFRESH).as_secs();
        assert_eq!((kept(2000, 1000), kept(1000, 1000), kept(1000, 5000)), (700, 0, 0));
    }

    #[test]
    fn what_tells_no_end_is_kept_for_the_refresh_and_what_never_ends_for_a_day() {
        assert_eq!(kept_for(Expiry::Unknown, 1000, REFRESH), REFRESH);
        assert_eq!(kept_for(Expiry::Unknown, 1000, Duration::MAX), Duration::from_secs(24 * 3600));
        assert_eq!(kept_for(Expiry::Until(i64::MAX), 1000, REFRESH), Duration::from_secs(24 * 3600));
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
        assert_eq!(ages, [2520, 2394, 2268, 2268]);
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
