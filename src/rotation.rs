//! When what was made for a volume is made anew; pure: the clock is handed in.

use std::time::Duration;

/// Part of a life after which its successor is made: early enough for some failures in a row, late enough for few issues.
const PART: f64 = 0.7;

/// Longest time that anything is kept; what lives longer is asked about once a day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How long what an answer holds is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It does not say.
    Untold,
    /// To this moment, in Unix seconds.
    Until(i64),
}

/// How long an answer of `now` (Unix seconds) is kept: for 70 % of the time to the end of what it holds, else for `refresh`.
///
/// What has ended already is kept for no time.
pub fn kept_for(life: Life, now: i64, refresh: Duration) -> Duration {
    match life {
        Life::Untold => refresh.min(LONGEST),
        Life::Until(end) => Duration::from_secs(end.saturating_sub(now).max(0).unsigned_abs()).mul_f64(PART).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFRESH: Duration = Duration::from_secs(30);

    #[test]
    fn a_certificate_is_kept_for_seven_tenths_of_its_life() {
        let kept = |end, now| kept_for(Life::Until(end), now, REFRESH).as_secs();
        assert_eq!((kept(2000, 1000), kept(1000, 1000), kept(1000, 5000)), (700, 0, 0));
    }

    #[test]
    fn what_tells_no_end_is_kept_for_the_refresh_and_what_never_ends_for_a_day() {
        assert_eq!(kept_for(Life::Untold, 1000, REFRESH), REFRESH);
        assert_eq!(kept_for(Life::Untold, 1000, Duration::MAX), Duration::from_secs(24 * 3600));
        assert_eq!(kept_for(Life::Until(i64::MAX), 1000, REFRESH), Duration::from_secs(24 * 3600));
    }
}
