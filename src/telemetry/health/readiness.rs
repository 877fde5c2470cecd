//! One readiness check for all readers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::time::Instant;

use crate::mutex::Mutex;

/// Time, from the start of a check, for which its result is used for all readers.
const VALID: Duration = Duration::from_secs(1);

/// Whether this process would answer a driver. Must not depend on Vault: a provider that is not ready gets no mounts, and so could not
/// report what is wrong.
pub(crate) trait Ready: Send + Sync + 'static {
    /// `Ok`, or one line with what is missing, without paths and roles.
    fn ready(&self) -> impl Future<Output = Result<(), String>> + Send;
}

type SharedResult = Shared<BoxFuture<'static, Result<(), String>>>;

/// Runs at most one check per [`VALID`], and one at a time, for any number of readers.
pub(crate) struct SharedCheck<R> {
    probe: Arc<R>,
    latest: Mutex<Option<Check>>,
}

struct Check {
    started: Instant,
    result: SharedResult,
}

impl Check {
    fn is_current(&self) -> bool {
        self.result.peek().is_none() || self.started.elapsed() < VALID
    }
}

impl<R: Ready> SharedCheck<R> {
    /// No check has run yet.
    pub(crate) fn new(probe: Arc<R>) -> Self {
        Self { probe, latest: Mutex::default() }
    }

    /// The result of the check that is running, or of one that was started within the last second, or else of a new one.
    pub(crate) async fn result(&self) -> Result<(), String> {
        self.shared_result().await
    }

    fn shared_result(&self) -> SharedResult {
        let mut latest = self.latest.lock();
        if let Some(check) = latest.as_ref().filter(|check| check.is_current()) {
            return check.result.clone();
        }
        let result = start(Arc::clone(&self.probe));
        *latest = Some(Check { started: Instant::now(), result: result.clone() });
        result
    }
}

/// Starts a check in its own task, so that it also ends if all readers leave, and none of them can cause an earlier next check.
fn start<R: Ready>(probe: Arc<R>) -> SharedResult {
    let check = AssertUnwindSafe(async move { probe.ready().await }).catch_unwind();
    let result = check
        .map(|result| result.unwrap_or_else(|_| Err("the readiness check panicked".into())))
        .boxed()
        .shared();
    tokio::spawn(result.clone());
    result
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;
    use tokio::time::{advance, pause};

    use super::*;

    /// Counts its checks. Each check ends when it gets a permit.
    struct Probe {
        started: AtomicUsize,
        may_end: Semaphore,
    }

    impl Ready for Probe {
        async fn ready(&self) -> Result<(), String> {
            let number = self.started.fetch_add(1, Ordering::SeqCst);
            let Ok(permit) = self.may_end.acquire().await else { panic!("the check panics") };
            permit.forget();
            Err(number.to_string())
        }
    }

    fn check(permits: usize) -> SharedCheck<Probe> {
        SharedCheck::new(Arc::new(Probe { started: AtomicUsize::new(0), may_end: Semaphore::new(permits) }))
    }

    #[tokio::test]
    async fn all_readers_of_one_second_get_one_result() {
        pause();
        let check = check(2);
        for (step, expected) in [(0, "0"), (0, "0"), (999, "0"), (1, "1"), (999, "1")] {
            advance(Duration::from_millis(step)).await;
            assert_eq!(check.result().await, Err(expected.into()));
        }
    }

    #[tokio::test]
    async fn readers_that_leave_start_no_further_check_and_a_slow_check_answers_all_who_wait() {
        pause();
        let check = check(0);
        for _ in 0..100 {
            assert_eq!(check.result().now_or_never(), None);
            advance(Duration::from_millis(100)).await;
        }
        assert_eq!(check.probe.started.load(Ordering::SeqCst), 1);
        let mut readers = Box::pin(futures::future::join_all((0..100).map(|_| check.result())));
        assert_eq!(readers.as_mut().now_or_never(), None, "the check has not ended");
        check.probe.may_end.add_permits(1);
        assert!(readers.await.iter().all(|result| *result == Err("0".into())));
    }

    #[tokio::test]
    async fn after_a_check_that_panics_the_provider_is_not_ready_and_is_checked_again() {
        pause();
        let check = check(0);
        check.probe.may_end.close();
        assert_eq!(check.result().await, Err("the readiness check panicked".into()));
        advance(VALID).await;
        assert_eq!(check.result().await, Err("the readiness check panicked".into()));
        assert_eq!(check.probe.started.load(Ordering::SeqCst), 2);
    }
}
