//! Tasks that run as long as the process. A task that panics is logged, counted and restarted.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use metrics::counter;
use tokio::time::{Instant, sleep};
use tracing::error;

use crate::limits::backoff::Backoff;

/// Pauses before restarts. No jitter: the tasks of one process do not share a server that they could overload.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60), jitter: 0.0 };
/// After a task ran this long without a panic, the next restart has the first pause again.
const STEADY: Duration = Duration::from_secs(300);

/// Runs `start` on `state` until it returns, and returns `state`. After a panic `start` runs again on the same state, after a pause that grows
/// with each panic, and `vaultmount_task_restarts_total` counts a restart of `task`.
///
/// Put into `state` everything that the task must not lose in a panic.
pub(crate) async fn supervise<S: Send>(
    task: &'static str,
    mut state: S,
    start: for<'s> fn(&'s mut S) -> BoxFuture<'s, ()>,
) -> S {
    let mut panics = 0;
    loop {
        let started = Instant::now();
        let ended = AssertUnwindSafe(async { start(&mut state).await }).catch_unwind().await;
        if ended.is_ok() {
            return state;
        }
        panics = if started.elapsed() >= STEADY { 1 } else { u32::saturating_add(panics, 1) };
        let pause = BACKOFF.pause(panics, 0.0);
        // Without the text of the panic, which may hold a value. The panic hook has logged where it happened.
        error!(task, "a task panicked; it restarts in {} s", pause.as_secs());
        counter!("vaultmount_task_restarts_total", "task" => task).increment(1);
        sleep(pause).await;
    }
}

/// Runs one step of a task. `None` if the step panicked; the panic is logged under the name `task`.
pub(crate) async fn caught<T>(task: &'static str, step: impl Future<Output = T>) -> Option<T> {
    let ended = AssertUnwindSafe(step).catch_unwind().await;
    if ended.is_err() {
        error!(task, "one step of a task panicked; the task continues");
    }
    ended.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task that panics in its first `times` runs, and records when each run started.
    struct Panics {
        created: Instant,
        starts: Vec<u64>,
        /// How long each run takes, by its number from 1.
        takes: fn(usize) -> Duration,
        times: usize,
    }

    async fn seconds(times: usize, takes: fn(usize) -> Duration) -> Vec<u64> {
        let task = Panics { created: Instant::now(), starts: Vec::new(), takes, times };
        let run = |task: &mut Panics| {
            task.starts.push(task.created.elapsed().as_secs());
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
    async fn a_task_that_panics_restarts_with_growing_pauses_and_keeps_its_state() {
        assert_eq!(seconds(8, |_| Duration::ZERO).await, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ran_for_long_restarts_after_the_first_pause() {
        let takes = |start| if start == 4 { STEADY } else { Duration::ZERO };
        assert_eq!(seconds(4, takes).await, [0, 1, 3, 7, 7 + 300 + 1]);
    }

    #[tokio::test]
    async fn a_step_that_panics_does_not_end_its_task() {
        assert_eq!(caught("test", async { 7 }).await, Some(7));
        assert_eq!(caught::<()>("test", async { panic!("one step") }).await, None);
    }
}
