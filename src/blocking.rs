//! Long computations, moved off the one thread that runs the async tasks.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// From this size on, parsing or writing JSON, YAML and the like takes milliseconds.
const LARGE: usize = 256 * 1024;

/// Runs `work`, which takes milliseconds of a core, without delaying other mounts.
pub(crate) fn run<T>(work: impl FnOnce() -> T) -> T {
    // A runtime with a single thread, as in unit tests, has no other thread to continue the async tasks on.
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        _ => work(),
    }
}

/// [`run`] if `work` processes more than 256 KiB; otherwise runs `work` in place.
pub(crate) fn run_if_large<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes > LARGE { run(work) } else { work() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn other_tasks_continue_during_a_computation() {
        let (reply, replied) = std::sync::mpsc::channel();
        let (start, started) = oneshot::channel();
        let other = tokio::spawn(async move {
            let _ = started.await;
            reply.send(()).unwrap();
        });
        // Ends only after the other task has run.
        let computing = tokio::spawn(async move {
            run(|| {
                start.send(()).unwrap();
                replied.recv_timeout(Duration::from_secs(20)).is_ok()
            })
        });
        assert!(timeout(Duration::from_secs(30), computing).await.unwrap().unwrap());
        other.await.unwrap();
    }

    #[tokio::test]
    async fn a_computation_runs_on_a_runtime_of_one_thread_too() {
        assert_eq!(run_if_large(LARGE + 1, || 1) + run(|| 1), 2);
    }
}
