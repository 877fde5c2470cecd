//! How often a volume is asked about.

use std::time::Duration;

use super::UnixMillis;

/// The interval before enough is seen: driver 1.6 with its defaults asks about every 75 seconds.
pub const USUAL: Duration = Duration::from_secs(75);

/// How long a volume is remembered that nobody asks about and whose mount nobody sees.
const SILENCE: Duration = Duration::from_secs(3600);

/// The republish interval of a volume, learnt from its last three gaps.
///
/// The longest of them counts: the kubelet and the driver's own rotation may both ask, a second apart, and the next to come may be the
/// far one. Too long costs an issue that came early, too short a credential that died in the pod. A quick retry of a first mount does
/// not count for much, for the usual gap stands in until three were seen.
#[derive(Clone, Copy, Debug)]
pub struct RepublishInterval {
    last: Option<UnixMillis>,
    gaps: [Duration; 3],
}

impl Default for RepublishInterval {
    fn default() -> Self {
        Self { last: None, gaps: [USUAL; 3] }
    }
}

impl RepublishInterval {
    /// The volume was asked about now.
    pub fn asked(&mut self, now: UnixMillis) {
        if let Some(last) = self.last.replace(now) {
            self.gaps.rotate_left(1);
            self.gaps[2] = now.since(last);
        }
    }

    /// The longest gap that is to be reckoned with.
    pub fn observed(&self) -> Duration {
        self.gaps.into_iter().max().unwrap_or(USUAL)
    }
}

/// Whether a volume that nobody has asked about since `asked`, and of which there is no evidence, is forgotten: in memory only, for
/// silence never revokes.
pub fn is_forgotten(asked: UnixMillis, now: UnixMillis) -> bool {
    now.since(asked) > SILENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: &[u64]) -> u64 {
        let mut interval = RepublishInterval::default();
        seconds.iter().for_each(|at| interval.asked(UnixMillis(at * 1000)));
        interval.observed().as_secs()
    }

    #[test]
    fn the_interval_is_the_longest_of_the_last_three_gaps() {
        assert_eq!((after(&[]), after(&[9]), after(&[9, 10, 15])), (75, 75, 75), "too little is seen");
        assert_eq!(after(&[0, 5, 10, 15]), 5);
        assert_eq!(after(&[0, 120, 240]), 120, "slower than usual is known at once");
        assert_eq!(after(&[0, 1, 75, 76, 150, 151]), 74, "two that ask");
        assert_eq!(
            (after(&[0, 60, 3600, 3660, 3720]), after(&[0, 60, 3600, 3660, 3720, 3780])),
            (3540, 60),
            "a gap is soon forgotten"
        );
        assert_eq!(after(&[100, 50, 40, 30]), 0, "a clock that goes back tells nothing");
    }

    #[test]
    fn a_volume_is_forgotten_after_an_hour_of_silence() {
        let forgotten = |now| is_forgotten(UnixMillis(1000), UnixMillis(now));
        assert_eq!((forgotten(0), forgotten(3_601_000), forgotten(3_601_001)), (false, false, true));
    }
}
