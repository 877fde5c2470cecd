//! The time between two runs of something that is repeated for ever.

use std::time::Duration;

/// How far a random number moves each run of a periodic rule, either way, as a part of its time. Processes that began together, or that saw the same
/// outage end, drift apart within a few runs.
pub(crate) const SPREAD: f64 = 0.25;

/// The mean time between two runs. Each pause is another one, up to a quarter shorter or longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period(Duration);

impl Period {
    /// Runs `mean` apart on average.
    pub(crate) const fn of(mean: Duration) -> Self {
        Self(mean)
    }

    /// The next pause. `random` is uniform in 0..1.
    pub(crate) fn pause(self, random: f64) -> Duration {
        self.0.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_up_to_a_quarter_shorter_or_longer() {
        let pauses = [0.0, 0.5, 1.0].map(|random| Period::of(Duration::from_secs(8)).pause(random).as_secs());
        assert_eq!(pauses, [6, 8, 10]);
    }
}
