//! Waiting on a condition, never on the clock alone.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::{panicking, sleep};
use std::time::{Duration, Instant};

/// Between two looks: each is a process or two, and there are two cores for everything.
const PAUSE: Duration = Duration::from_millis(300);

/// Looks until `look` finds what it looks for; fails with its last complaint after `seconds`.
pub(crate) fn eventually<T>(seconds: u64, what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        match look() {
            Ok(found) => return found,
            Err(complaint) if Instant::now() >= end => panic!("{what}: not within {seconds} s: {complaint}"),
            Err(_) => sleep(PAUSE),
        }
    }
}

/// Looks again and again for `seconds`; fails as soon as `look` complains.
pub(crate) fn holds(seconds: u64, what: &str, mut look: impl FnMut() -> Result<(), String>) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        if let Err(complaint) = look() {
            panic!("{what}: did not hold: {complaint}");
        }
        sleep(PAUSE);
    }
}

/// Puts back what a test changed for all, however the test ends.
pub(crate) struct Restore<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for Restore<F> {
    fn drop(&mut self) {
        let restored = catch_unwind(AssertUnwindSafe(&mut self.0));
        // Of a test that fails already the first complaint is the better one; two at once would end the whole run.
        if let (Err(complaint), false) = (restored, panicking()) {
            resume_unwind(complaint);
        }
    }
}
