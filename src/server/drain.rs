//! The end: what is begun is finished, within a stated time.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

/// Longest time that is kept for failures to reach their callers at the end of a drain.
const FLUSH: Duration = Duration::from_secs(1);
/// Of a short drain, this share is kept.
const FLUSH_SHARE: u32 = 4;

/// The server's tasks, and the two signals that end them.
#[derive(Clone, Default)]
pub(crate) struct Shutdown {
    /// Sockets go, connections say GOAWAY, open requests go on.
    pub(crate) draining: CancellationToken,
    /// Requests that are still open are answered with a failure.
    pub(crate) last_call: CancellationToken,
    /// One for each socket and each connection.
    pub(crate) tasks: TaskTracker,
}

impl Shutdown {
    /// Ends all tasks within `time`. Whatever is left by then breaks off: that is a peer that reads no more.
    pub(crate) async fn drain(&self, time: Duration) {
        info!(seconds = time.as_secs_f64(), "stopping: finishing the mounts that have begun");
        self.draining.cancel();
        self.tasks.close();
        let flush = FLUSH.min(time / FLUSH_SHARE);
        if timeout(time - flush, self.tasks.wait()).await.is_ok() {
            return;
        }
        self.last_call.cancel();
        if timeout(flush, self.tasks.wait()).await.is_err() {
            warn!(connections = self.tasks.len(), "stopped with open connections");
        }
    }
}
