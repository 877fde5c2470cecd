//! One check of readiness for all readers.

use crate::mutex::Mutex;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::time::Instant;

/// How long one result serves all readers.
const VALID: Duration = Duration::from_secs(1);

/// Whether this process would answer a driver: never depends on Vault, for a provider that is taken out of service
/// cannot even say what is wrong.
pub trait Ready: Send + Sync + 'static {
    /// `Ok`, or what is missing in one line that names no path and no role.
    fn ready(&self) -> impl Future<Output = Result<(), String>> + Send;
}

type Outcome = Shared<BoxFuture<'static, Result<(), String>>>;

/// Checks at most once per [`VALID`] and one at a time, however many readers there are.
pub(crate) struct SharedCheck<R> {
    probe: Arc<R>,
    latest: Mutex<Option<Check>>,
}

struct Check {
    begun: Instant,
    outcome: Outcome,
}

impl Check {
    fn is_current(&self) -> bool {
        self.outcome.peek().is_none() || self.begun.elapsed() < VALID
    }
}

impl<R: Ready> SharedCheck<R> {
    /// Has checked nothing yet.
    pub(crate) fn new(probe: Arc<R>) -> Self {
        Self { probe, latest: Mutex::default() }
    }

    /// The result of the check that is under way, or was begun within the last second; else of a new one.
    pub(crate) async fn result(&self) -> Result<(), String> {
        self.outcome().await
    }

    fn outcome(&self) -> Outcome {
        let mut latest = self.latest.lock();
        if let Some(check) = latest.as_ref().filter(|check| check.is_current()) {
            return check.outcome.clone();
        }
        let outcome = start(Arc::clone(&self.probe));
        *latest = Some(Check { begun: Instant::now(), outcome: outcome.clone() });
        outcome
    }
}

/// In a task of its own: readers that leave do not end it, so that none of them can cause the next one early.
fn start<R: Ready>(probe: Arc<R>) -> Outcome {
    let check = AssertUnwindSafe(async move { probe.ready().await }).catch_unwind();
    let outcome =
        check.map(|result| result.unwrap_or_else(|_| Err("the check itself failed".into()))).boxed().shared();
    tokio::spawn(outcome.clone());
    outcome
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;
    use tokio::time::{advance, pause};

    use super::*;

    /// Counts its checks; each ends with a permit.
    struct Probe {
        begun: AtomicUsize,
        may_end: Semaphore,
    }

    impl Ready for Probe {
        async fn ready(&self) -> Result<(), String> {
            let number = self.begun.fetch_add(1, Ordering::SeqCst);
            let Ok(permit) = self.may_end.acquire().await else { panic!("the check fails") };
            permit.forget();
            Err(number.to_string())
        }
    }

    fn check(permits: usize) -> SharedCheck<Probe> {
        SharedCheck::new(Arc::new(Probe { begun: AtomicUsize::new(0), may_end: Semaphore::new(permits) }))
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
    async fn readers_that_leave_start_no_further_check_and_a_slow_one_serves_all_who_wait() {
        pause();
        let check = check(0);
        for _ in 0..100 {
            assert_eq!(check.result().now_or_never(), None);
            advance(Duration::from_millis(100)).await;
        }
        assert_eq!(check.probe.begun.load(Ordering::SeqCst), 1);
        let readers = futures::future::join_all((0..100).map(|_| check.result()));
        check.probe.may_end.add_permits(1);
        assert!(readers.await.iter().all(|result| *result == Err("0".into())));
    }

    #[tokio::test]
    async fn a_check_that_panics_is_not_ready_and_not_the_last_one() {
        pause();
        let check = check(0);
        check.probe.may_end.close();
        assert_eq!(check.result().await, Err("the check itself failed".into()));
        advance(VALID).await;
        assert_eq!(check.result().await, Err("the check itself failed".into()));
        assert_eq!(check.probe.begun.load(Ordering::SeqCst), 2);
    }
}
