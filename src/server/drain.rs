//! Shutdown: requests that have started are answered within the shutdown timeout.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

/// Longest time at the end of a drain that is reserved for sending failures to their callers.
const FLUSH: Duration = Duration::from_secs(1);
/// Of a short drain, one part in this many is reserved.
const FLUSH_SHARE: u32 = 4;

/// The server's tasks, and the two tokens that end them.
#[derive(Clone, Default)]
pub(crate) struct Shutdown {
    /// Cancelled first: sockets are removed, connections send GOAWAY, open requests go on.
    pub(crate) draining: CancellationToken,
    /// Cancelled last: each request that is still open is answered with a failure.
    pub(crate) fail_open_requests: CancellationToken,
    /// One task for each socket and each connection.
    pub(crate) tasks: TaskTracker,
}

impl Shutdown {
    /// Ends all tasks within `time`. A connection that is still open then is dropped: its peer has stopped reading.
    pub(crate) async fn drain(&self, time: Duration) {
        info!(seconds = time.as_secs_f64(), "stopping: finishing the mounts that have started");
        self.draining.cancel();
        self.tasks.close();
        let flush = FLUSH.min(time / FLUSH_SHARE);
        if timeout(time - flush, self.tasks.wait()).await.is_ok() {
            return;
        }
        self.fail_open_requests.cancel();
        if timeout(flush, self.tasks.wait()).await.is_err() {
            warn!(connections = self.tasks.len(), "stopped with open connections");
        }
    }
}
