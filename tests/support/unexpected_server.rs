//! A listener that should never be called: it counts connections and never responds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Another server on loopback.
pub(crate) struct UnexpectedServer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl UnexpectedServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                seen.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, connections, task }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Connections since the last call. The test's own connection comes after all earlier ones, so none is missed.
    pub(crate) async fn connections(&self) -> usize {
        tokio::net::TcpStream::connect(self.address).await.unwrap();
        let own = super::until("our own connection", async || {
            (self.connections.load(Ordering::SeqCst) > 0).then_some(1)
        })
        .await;
        self.connections.swap(0, Ordering::SeqCst) - own
    }
}

impl Drop for UnexpectedServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
