//! Waiting for a condition, never for a fixed time.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::{panicking, sleep};
use std::time::{Duration, Instant};

/// Pause between two polls. A poll starts kubectl, a tenth of a second of one core, and up to thirty tests poll at the same time on two cores.
const PAUSE: Duration = Duration::from_millis(600);

/// Polls until `poll` succeeds. Fails with its last error after `seconds`.
pub(crate) fn eventually<T>(seconds: u64, what: &str, mut poll: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        match poll() {
            Ok(found) => return found,
            Err(complaint) if Instant::now() >= end => panic!("{what}: not within {seconds} s: {complaint}"),
            Err(_) => sleep(PAUSE),
        }
    }
}

/// Polls for `seconds`. Fails as soon as `poll` returns an error.
pub(crate) fn holds(seconds: u64, what: &str, mut poll: impl FnMut() -> Result<(), String>) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        if let Err(complaint) = poll() {
            panic!("{what}: did not hold: {complaint}");
        }
        sleep(PAUSE);
    }
}

/// Restores what a test changed for the whole cluster, however the test ends.
pub(crate) struct Restore<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for Restore<F> {
    fn drop(&mut self) {
        let restored = catch_unwind(AssertUnwindSafe(&mut self.0));
        // The first panic of a failing test is the useful one, and a second panic would abort the whole run.
        if let (Err(complaint), false) = (restored, panicking()) {
            resume_unwind(complaint);
        }
    }
}
