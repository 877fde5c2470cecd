//! When a volume is polled whose files vaultmount writes, and when old files are removed from it.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::writer::StaleGeneration;

/// Within this time after a start all volumes are polled that an earlier process wrote.
const RESUMED: Duration = Duration::from_secs(5);

/// Who writes the files of a volume, and what is due in it.
#[derive(Default)]
pub(crate) struct FileSchedule {
    /// Whether vaultmount wrote the files last.
    pub(crate) is_own: bool,
    /// The next poll; none while a poll or mount is running.
    pub(crate) poll: Option<Instant>,
    /// When what a swap left may be removed.
    pub(crate) removal: Option<Instant>,
}

impl FileSchedule {
    /// The schedule of a volume of an earlier process: polled soon, each volume at a time of its own (`spread`, 0 to 1), and cleaned then, whether
    /// the poll succeeds or not.
    pub(crate) fn resumed(is_own: bool, spread: f64) -> Self {
        let soon = is_own.then(|| Instant::now() + RESUMED.mul_f64(spread));
        Self { is_own, poll: soon, removal: soon }
    }

    /// When the next thing is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.poll.into_iter().chain(self.removal).min()
    }

    /// Schedules the removal of what a swap left.
    pub(crate) fn set_removal(&mut self, stale: Option<StaleGeneration>) {
        let due = |stale: StaleGeneration| {
            Instant::now() + stale.due.duration_since(SystemTime::now()).unwrap_or_default()
        };
        self.removal = stale.map(due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_restart_volumes_are_polled_one_after_the_other() {
        let now = Instant::now();
        let soon = [0.0, 0.5, 1.0].map(|spread| {
            FileSchedule::resumed(true, spread).next().unwrap().duration_since(now).as_millis() / 500
        });
        assert!(soon[0] < soon[1] && soon[1] < soon[2] && soon[2] <= 10, "{soon:?}");
        assert!(FileSchedule::resumed(false, 0.5).next().is_none());
    }
}
