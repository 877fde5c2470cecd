//! Tasks that last as long as the process: one that panics is logged, counted and started again.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use metrics::counter;
use tokio::time::{Instant, sleep};
use tracing::error;

/// Pause before the first restart; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause before a restart.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A task that ran this long without a panic starts with the first pause again.
const STEADY: Duration = Duration::from_secs(300);

/// Runs `start` on `state` until it returns, and returns `state`. After a panic `start` runs again on the same state, with growing pauses in
/// between, and `vaultmount_task_restarts_total` counts one more restart of `task`.
///
/// What the task must not lose over a panic belongs into `state`.
pub(crate) async fn supervise<S: Send>(
    task: &'static str,
    mut state: S,
    start: for<'s> fn(&'s mut S) -> BoxFuture<'s, ()>,
) -> S {
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        let ended = AssertUnwindSafe(async { start(&mut state).await }).catch_unwind().await;
        if ended.is_ok() {
            return state;
        }
        if begun.elapsed() >= STEADY {
            pause = FIRST_PAUSE;
        }
        // Not the text of the panic: it may hold a value. The panic hook has logged where it happened.
        error!(task, "a task ended in a panic; it is started again after {} s", pause.as_secs());
        counter!("vaultmount_task_restarts_total", "task" => task).increment(1);
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Runs one step of a task; `None` when it ended in a panic, which is logged as one of `task`.
pub(crate) async fn caught<T>(task: &'static str, step: impl Future<Output = T>) -> Option<T> {
    let ended = AssertUnwindSafe(step).catch_unwind().await;
    if ended.is_err() {
        error!(task, "one step of a task ended in a panic; the task goes on");
    }
    ended.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task that panics at its first starts, and the seconds at which it was started.
    struct Panics {
        begun: Instant,
        starts: Vec<u64>,
        /// How long each start takes.
        takes: fn(usize) -> Duration,
        times: usize,
    }

    async fn seconds(times: usize, takes: fn(usize) -> Duration) -> Vec<u64> {
        let task = Panics { begun: Instant::now(), starts: Vec::new(), takes, times };
        let run = |task: &mut Panics| {
            task.starts.push(task.begun.elapsed().as_secs());
            let (start, times) = (task.starts.len(), task.times);
            let takes = (task.takes)(start);
            async move {
                sleep(takes).await;
                assert!(start > times, "a panic");
            }
            .boxed()
        };
        supervise("test", task, run).await.starts
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_started_again_with_growing_pauses_and_keeps_its_state() {
        assert_eq!(seconds(8, |_| Duration::ZERO).await, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ran_well_for_long_is_started_again_soon() {
        let takes = |start| if start == 4 { STEADY } else { Duration::ZERO };
        assert_eq!(seconds(4, takes).await, [0, 1, 3, 7, 7 + 300 + 1]);
    }

    #[tokio::test]
    async fn a_step_that_panics_ends_alone() {
        assert_eq!(caught("test", async { 7 }).await, Some(7));
        assert_eq!(caught::<()>("test", async { panic!("one step") }).await, None);
    }
}
