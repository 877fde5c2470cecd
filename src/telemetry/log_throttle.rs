//! Repeated failures: the same failure or warning is logged three times at its own level, then at debug.

use std::time::Duration;

use tokio::time::Instant;

use crate::bounded_map::BoundedMap;
use crate::mutex::Mutex;

/// Times that a failure of a volume is logged before it counts as known. The driver requests a mount about every 75 s for as long as the pod
/// lives, and hides the failure from the kubelet: without any repetition everybody could miss it.
const REPORTED: u32 = 3;

/// Limit of remembered volumes. Beyond it all are forgotten and logged again: this costs log lines, never memory.
const VOLUMES: usize = 4096;

/// The last failure of each volume, by the volume's path, and how often in a row it occurred.
#[derive(Default)]
pub(crate) struct LogThrottle {
    last: Mutex<BoundedMap<String, (String, u32), VOLUMES>>,
}

impl LogThrottle {
    /// Records the result of one mount of `volume` (or a warning, under its own key); true if the failure was logged often enough and goes to
    /// debug now.
    pub(crate) fn is_known(&self, volume: &str, failure: Option<&str>) -> bool {
        let mut last = self.last.lock();
        let Some(failure) = failure else {
            last.remove(volume);
            return false;
        };
        let (text, times) = last.get_or_default(volume.to_owned());
        *times = if text == failure { times.saturating_add(1) } else { 1 };
        failure.clone_into(text);
        *times > REPORTED
    }
}

/// Time from one line about refused or failed connections to the next: a process that dials without pause must not fill the node's disk.
const CONNECTIONS_LOGGED: Duration = Duration::from_secs(60);

/// Lets one line in [`CONNECTIONS_LOGGED`] into the log.
#[derive(Default)]
pub(crate) struct ConnectionLog(Mutex<Option<Instant>>);

impl ConnectionLog {
    /// Whether a line may be logged now. The time until the next one begins with it.
    pub(crate) fn is_due(&self) -> bool {
        let mut last = self.0.lock();
        let is_due = last.is_none_or(|last| last.elapsed() >= CONNECTIONS_LOGGED);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_connections_is_one_line_a_minute() {
        let log = ConnectionLog::default();
        assert!(log.is_due() && !log.is_due());
        tokio::time::advance(CONNECTIONS_LOGGED).await;
        assert!(log.is_due() && !log.is_due());
    }

    #[test]
    fn a_failure_is_logged_three_times_and_again_when_it_changes_or_comes_back() {
        let throttle = LogThrottle::default();
        let is_logged = |failure: Option<&str>| !throttle.is_known("v", failure);
        assert_eq!([(); 5].map(|()| is_logged(Some("denied"))), [true, true, true, false, false]);
        assert!(is_logged(Some("sealed")), "another failure");
        assert!(is_logged(None) && is_logged(Some("sealed")), "after a success");
    }
}
