//! One call for all who need its result.

use futures::future::{BoxFuture, FutureExt, Shared};
use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;

use crate::limits::Budget;

/// A call that is under way, or its result. Clones wait for the same call.
pub(crate) struct SingleFlight<T>(Shared<BoxFuture<'static, T>>);

impl<T> Clone for SingleFlight<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone + Send + Sync + 'static> SingleFlight<T> {
    /// Starts `call` as a task of `tasks`; a call that panics has the result `panicked`.
    ///
    /// The call goes on for those who wait when the mount that started it is cancelled, and a shutdown waits for it.
    pub(crate) fn start(
        tasks: &TaskTracker,
        call: impl Future<Output = T> + Send + 'static,
        panicked: T,
    ) -> Self {
        let task = tasks.spawn(call);
        Self(task.map(move |result| result.unwrap_or(panicked)).boxed().shared())
    }

    /// Waits for the result, at most until the end of `budget`; `None` when that comes first.
    pub(crate) async fn wait(&self, budget: &Budget) -> Option<T> {
        timeout_at(budget.end(), self.0.clone()).await.ok()
    }

    /// Whether both are the same call.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }

    /// Whether the call is over, and somebody has seen its result.
    pub(crate) fn is_done(&self) -> bool {
        self.0.peek().is_some()
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
        let flight = SingleFlight::start(
            &TaskTracker::new(),
            async move { counted.fetch_add(1, Ordering::Relaxed) + 7 },
            0,
        );
        let (other, budget) = (flight.clone(), Budget::lasting(Duration::from_secs(10)));
        drop(flight);
        assert_eq!((other.wait(&budget).await, other.wait(&budget).await), (Some(7), Some(7)));
        assert!(other.is_done());
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_panic_is_a_result() {
        let flight = SingleFlight::start(&TaskTracker::new(), async { panic!("in the call") }, "panicked");
        assert_eq!(flight.wait(&Budget::lasting(Duration::from_secs(10))).await, Some("panicked"));
    }
}
