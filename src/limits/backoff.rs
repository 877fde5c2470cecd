//! How long a renewal that got no answer waits for its next try.

use std::time::Duration;

/// Shortest pause, whatever the chance: a server that comes back is not met by a storm.
const SHORTEST: Duration = Duration::from_secs(1);

/// Longest pause: an end that is a day away is no reason to look away for hours.
const LONGEST: Duration = Duration::from_secs(300);

/// The pause after so many failures in a row, of which `left` remains to the end.
///
/// It doubles from one second to five minutes and is drawn from all of that by `chance` (0 to 1), so that a node's tokens spread out; it
/// takes at most a third of what is left, so that the last minutes see more than one try.
pub(crate) fn pause(failures: u32, left: Duration, chance: f64) -> Duration {
    let doubled = SHORTEST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(LONGEST);
    doubled.mul_f64(chance.clamp(0.0, 1.0)).min(left / 3).max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn pauses_double_to_five_minutes() {
        let pauses =
            |chance| [1, 2, 3, 6, 9, 10, u32::MAX].map(|failures| pause(failures, DAY, chance).as_secs());
        assert_eq!(pauses(1.0), [1, 2, 4, 32, 256, 300, 300]);
        assert_eq!(pauses(0.5), [1, 1, 2, 16, 128, 150, 150]);
        assert_eq!(pauses(0.0), [1; 7]);
    }

    #[test]
    fn the_end_in_sight_shortens_them_but_not_below_a_second() {
        let pauses = [60, 9, 3, 0].map(|left| pause(10, Duration::from_secs(left), 1.0).as_secs());
        assert_eq!(pauses, [20, 3, 1, 1]);
    }
}
