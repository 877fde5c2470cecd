//! One readiness check for all readers.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::mutex::Mutex;
use crate::single_flight::SingleFlight;

/// Time, from the start of a check, for which its result is used for all readers.
const VALID: Duration = Duration::from_secs(1);

/// Whether this process would respond to a driver. Must not depend on Vault: a provider that is not ready gets no mounts, and so could not
/// report what is wrong.
pub(crate) trait Ready: Send + Sync + 'static {
    /// `Ok`, or one line with what is missing, without paths and roles.
    fn ready(&self) -> impl Future<Output = Result<(), String>> + Send;
}

/// Runs at most one check per [`VALID`], and one at a time, for any number of readers.
pub(crate) struct SharedCheck<R> {
    probe: Arc<R>,
    latest: Mutex<Option<Check>>,
}

struct Check {
    started: Instant,
    flight: SingleFlight<Result<(), String>>,
}

impl Check {
    fn is_current(&self) -> bool {
        !self.flight.is_done() || self.started.elapsed() < VALID
    }
}

impl<R: Ready> SharedCheck<R> {
    /// No check has run yet.
    pub(crate) fn new(probe: Arc<R>) -> Self {
        Self { probe, latest: Mutex::default() }
    }

    /// The result of the check that is running, or of one that was started within the last second, or else of a new one.
    pub(crate) async fn result(&self) -> Result<(), String> {
        self.join_or_start().result().await
    }

    /// A check that has begun also ends if all readers leave, so none of them can cause an earlier next check.
    fn join_or_start(&self) -> SingleFlight<Result<(), String>> {
        let mut latest = self.latest.lock();
        if let Some(check) = latest.as_ref().filter(|check| check.is_current()) {
            return check.flight.clone();
        }
        let probe = Arc::clone(&self.probe);
        let panicked = Err("the readiness check panicked".into());
        let flight = SingleFlight::start(async move { probe.ready().await }, panicked);
        *latest = Some(Check { started: Instant::now(), flight: flight.clone() });
        flight
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt;
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
