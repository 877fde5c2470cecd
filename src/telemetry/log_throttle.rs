//! The same again: a failure or a warning is told three times, then only to those who ask for everything.

use crate::bounded_map::BoundedMap;
use crate::mutex::Mutex;

/// Times that a volume's failure is told before it is taken as known. The driver asks about every 75 s for as long as
/// the pod lives, and hides the failure from the kubelet: silence at once would hide it from everybody.
const TOLD: u32 = 3;

/// Volumes that are remembered; past that all is forgotten and told anew, which costs lines and never memory.
const VOLUMES: usize = 4096;

/// The last failure of each volume, by what the volume's path is, and how often it came in a row.
#[derive(Default)]
pub(crate) struct LogThrottle {
    last: Mutex<BoundedMap<String, (String, u32), VOLUMES>>,
}

impl LogThrottle {
    /// Takes the outcome of one mount of `volume` (or a warning, under a name of its own); true when its failure has been told
    /// often enough.
    pub(crate) fn known(&self, volume: &str, failure: Option<&str>) -> bool {
        let mut last = self.last.lock();
        let Some(failure) = failure else {
            last.remove(volume);
            return false;
        };
        let (text, times) = last.get_or_default(volume.to_owned());
        *times = if text == failure { times.saturating_add(1) } else { 1 };
        failure.clone_into(text);
        *times > TOLD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_three_times_and_again_when_it_changes_or_comes_back() {
        let repeats = LogThrottle::default();
        let told = |failure: Option<&str>| !repeats.known("v", failure);
        assert_eq!([(); 5].map(|()| told(Some("denied"))), [true, true, true, false, false]);
        assert!(told(Some("sealed")), "another failure");
        assert!(told(None) && told(Some("sealed")), "after a success");
    }
}
