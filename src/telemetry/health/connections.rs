//! The open connections of the health port, at most 32.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics::counter;
use tokio::task::JoinHandle;

/// Limit for connections at the same time. The kubelet has two, each Prometheus one.
const CONNECTIONS: usize = 32;

/// The open connections, the oldest first. At the limit one of them is closed for a new one. If the new one were refused instead, clients
/// that hold all connections could keep out the kubelet, which would then restart this process.
#[derive(Default)]
pub(crate) struct Connections(Vec<Connection>);

struct Connection {
    task: JoinHandle<()>,
    progress: Progress,
}

/// Whether the head of the connection's request was read.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<AtomicBool>);

impl Progress {
    /// Records that it was read.
    pub(crate) fn set_request_read(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_request_read(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Connections {
    /// Runs `serve` in a new task. First closes a connection if all are in use.
    pub(crate) async fn admit<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        serve: impl FnOnce(Progress) -> F,
    ) {
        self.0.retain(|connection| !connection.task.is_finished());
        if self.0.len() >= CONNECTIONS {
            self.close_one().await;
        }
        let progress = Progress::default();
        let task = tokio::spawn(serve(progress.clone()));
        self.0.push(Connection { task, progress });
    }

    /// Closes the oldest connection without a complete request head, or else the oldest; returns once its file handle is closed.
    async fn close_one(&mut self) {
        let idle = self.0.iter().position(|connection| !connection.progress.is_request_read());
        let Connection { task, .. } = self.0.remove(idle.unwrap_or(0));
        task.abort();
        // Waiting also lets the other tasks run: a client that sends its request at once is answered before it can be closed.
        if task.await.is_err() {
            counter!("vaultmount_health_connections_closed_total").increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    /// A connection that stays open, and a value with which a test sees that it has ended.
    async fn open(connections: &mut Connections, has_request: bool) -> oneshot::Receiver<()> {
        let (open, ended) = oneshot::channel();
        connections
            .admit(|progress| {
                if has_request {
                    progress.set_request_read();
                }
                async move {
                    let _open = open;
                    pending::<()>().await;
                }
            })
            .await;
        ended
    }

    fn has_ended(connection: &mut oneshot::Receiver<()>) -> bool {
        connection.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[tokio::test]
    async fn the_oldest_without_a_request_ends_first_and_then_the_oldest() {
        let mut connections = Connections::default();
        let mut opened = Vec::new();
        for number in 0..CONNECTIONS {
            opened.push(open(&mut connections, number != 5).await);
        }
        assert!(!opened.iter_mut().any(has_ended));
        for expected in [5, 0, 1] {
            opened.push(open(&mut connections, true).await);
            assert!(has_ended(&mut opened.remove(expected)), "{expected}");
            opened.insert(expected, open_marker());
            assert_eq!(connections.0.len(), CONNECTIONS);
        }
    }

    /// In the place of a connection that has ended.
    fn open_marker() -> oneshot::Receiver<()> {
        oneshot::channel().1
    }

    #[tokio::test]
    async fn connections_that_have_ended_do_not_count() {
        let mut connections = Connections::default();
        let mut oldest = open(&mut connections, false).await;
        for _ in 0..10 * CONNECTIONS {
            connections.admit(|_| async {}).await;
            tokio::task::yield_now().await;
        }
        assert!(!has_ended(&mut oldest));
    }
}
