//! One call for all who need its result.

use std::future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::sync::watch;
use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;

use crate::limits::Budget;

/// A call that is under way, or its result. Clones wait for the same call.
pub(crate) struct SingleFlight<T>(watch::Receiver<Option<T>>);

impl<T> Clone for SingleFlight<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone + Send + Sync + 'static> SingleFlight<T> {
    /// Starts `call`; a call that panics has the result `panicked`.
    ///
    /// The call runs in its own task: it goes on, and ends, whether or not anybody waits for it.
    pub(crate) fn start(call: impl Future<Output = T> + Send + 'static, panicked: T) -> Self {
        let (task, flight) = Self::new(call, panicked);
        tokio::spawn(task);
        flight
    }

    /// The same as a task of `tasks`: a shutdown waits for the end of the call.
    pub(crate) fn start_in(
        tasks: &TaskTracker,
        call: impl Future<Output = T> + Send + 'static,
        panicked: T,
    ) -> Self {
        let (task, flight) = Self::new(call, panicked);
        tasks.spawn(task);
        flight
    }

    fn new(
        call: impl Future<Output = T> + Send + 'static,
        panicked: T,
    ) -> (impl Future<Output = ()> + Send + 'static, Self) {
        let (done, result) = watch::channel(None);
        let task = async move {
            let outcome = AssertUnwindSafe(call).catch_unwind().await.unwrap_or(panicked);
            // Fails if nobody needs the result any more: what was created ends with it.
            let _ = done.send(Some(outcome));
        };
        (task, Self(result))
    }

    /// Whether both are the same call.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.same_channel(&other.0)
    }

    /// Waits for the result.
    pub(crate) async fn result(mut self) -> T {
        let done = self.0.wait_for(Option::is_some).await.ok().and_then(|result| result.clone());
        match done {
            Some(result) => result,
            // The task is dropped without a result only when the runtime ends, and with it all who wait.
            None => future::pending().await,
        }
    }

    /// Waits for the result, at most until the end of `budget`; `None` when that comes first.
    pub(crate) async fn wait(&self, budget: &Budget) -> Option<T> {
        timeout_at(budget.end(), self.clone().result()).await.ok()
    }

    /// Whether the call is over.
    pub(crate) fn is_done(&self) -> bool {
        self.0.borrow().is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn all_who_wait_have_the_result_of_one_call_that_outlives_its_starter() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let flight = SingleFlight::start(async move { counted.fetch_add(1, Ordering::Relaxed) + 7 }, 0);
        let (other, budget) = (flight.clone(), Budget::lasting(Duration::from_secs(10)));
        drop(flight);
        assert_eq!((other.wait(&budget).await, other.wait(&budget).await), (Some(7), Some(7)));
        assert!(other.is_done());
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_call_ends_although_nobody_waits() {
        let flight = SingleFlight::start(async {}, ());
        while !flight.is_done() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_result() {
        let flight = SingleFlight::start(async { panic!("in the call") }, "panicked");
        assert_eq!(flight.wait(&Budget::lasting(Duration::from_secs(10))).await, Some("panicked"));
    }
}
