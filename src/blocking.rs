//! Long computations, beside the one thread that does all that waits.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// Bytes whose reading or writing as JSON, YAML and the like takes milliseconds.
const LARGE: usize = 256 * 1024;

/// Runs what takes milliseconds of a core without keeping other mounts from theirs.
pub fn run<T>(work: impl FnOnce() -> T) -> T {
    // A runtime of one thread in all, as unit tests have it, has nobody to take over.
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        _ => work(),
    }
}

/// The same for work on so many `bytes`, when they are many.
pub fn run_if_large<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes > LARGE { run(work) } else { work() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_go_on_while_one_computes() {
        let (ask, asked) = std::sync::mpsc::channel();
        let (answer, answered) = oneshot::channel();
        let other = tokio::spawn(async move {
            let _ = answered.await;
            ask.send(()).unwrap();
        });
        // It ends only when the other has had its turn.
        let computing = tokio::spawn(async move {
            run(|| {
                answer.send(()).unwrap();
                asked.recv_timeout(Duration::from_secs(20)).is_ok()
            })
        });
        assert!(timeout(Duration::from_secs(30), computing).await.unwrap().unwrap());
        other.await.unwrap();
    }

    #[tokio::test]
    async fn a_runtime_of_one_thread_computes_too() {
        assert_eq!(run_if_large(LARGE + 1, || 1) + run(|| 1), 2);
    }
}
