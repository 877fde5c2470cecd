//! How often the driver republishes a volume.

use std::time::Duration;

use super::UnixMillis;

/// The interval before enough requests were seen: driver 1.6 with its defaults republishes every 75 seconds.
pub(crate) const USUAL: Duration = Duration::from_secs(75);

/// How long a volume is remembered that is not republished and whose mount is not seen.
const SILENCE: Duration = Duration::from_secs(3600);

/// The republish interval of a volume, learnt from its last three gaps between requests.
///
/// The longest gap counts: the kubelet and the driver's rotation may both send requests, a second apart, and the next request may be the one
/// after the long gap. An interval that is too long has a credential replaced early; one that is too short lets it expire in the pod. Quick
/// retries of a first mount have little effect, for missing gaps count as the usual one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RepublishInterval {
    last: Option<UnixMillis>,
    gaps: [Duration; 3],
}

impl Default for RepublishInterval {
    fn default() -> Self {
        Self { last: None, gaps: [USUAL; 3] }
    }
}

impl RepublishInterval {
    /// Adds a request of the driver at `now`.
    pub(crate) fn add_request(&mut self, now: UnixMillis) {
        if let Some(last) = self.last.replace(now) {
            self.gaps.rotate_left(1);
            self.gaps[2] = now.since(last);
        }
    }

    /// The longest of the last three gaps.
    pub(crate) fn observed(&self) -> Duration {
        self.gaps.into_iter().max().unwrap_or(USUAL)
    }
}

/// Whether a volume whose mount was never seen is forgotten, when its last request was at `requested_at`. It is removed from memory only: a
/// missing request never revokes a token.
pub(crate) fn is_forgotten(requested_at: UnixMillis, now: UnixMillis) -> bool {
    now.since(requested_at) > SILENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: &[u64]) -> u64 {
        let mut interval = RepublishInterval::default();
        seconds.iter().for_each(|at| interval.add_request(UnixMillis(at * 1000)));
        interval.observed().as_secs()
    }

    #[test]
    fn the_interval_is_the_longest_of_the_last_three_gaps() {
        assert_eq!((after(&[]), after(&[9]), after(&[9, 10, 15])), (75, 75, 75), "too few requests");
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
