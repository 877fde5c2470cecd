//! A proxy before the server that blocks every connection until it is opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::openbao::Vault;
use super::wait::until;

/// A proxy before a server, closed at first.
pub(crate) struct BlockingProxy {
    port: u16,
    waiting: Arc<AtomicUsize>,
    open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl BlockingProxy {
    pub(crate) async fn before(vault: &Vault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, server) = (listener.local_addr().unwrap().port(), vault.port());
        let (waiting, open) = (Arc::new(AtomicUsize::new(0)), watch::Sender::new(false));
        let (seen, opened) = (Arc::clone(&waiting), open.subscribe());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                seen.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(pass(client, server, opened.clone()));
            }
        });
        Self { port, waiting, open, task }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until a connection is blocked.
    pub(crate) async fn reached(&self) {
        until("a connection at the proxy", async || (self.waiting.load(Ordering::SeqCst) > 0).then_some(()))
            .await;
    }

    /// Forwards all connections from now on.
    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for BlockingProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut client: TcpStream, port: u16, mut open: watch::Receiver<bool>) {
    if open.wait_for(|open| *open).await.is_ok() {
        let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}
