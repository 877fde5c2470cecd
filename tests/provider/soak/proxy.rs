//! A proxy before the server that can be cut: connections end, and new ones are refused.

use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::support::until;

pub(crate) struct Proxy {
    address: SocketAddr,
    server: u16,
    /// `None` while the proxy is cut.
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Proxy {
    /// A proxy before the server that listens on the port `server`.
    pub(crate) async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, server, task: Mutex::new(Some(tokio::spawn(pass(listener, server)))) }
    }

    /// Its address for a provider's configuration.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn cut(&self) {
        let task = self.task.lock().unwrap().take().unwrap();
        task.abort();
        let _ = task.await;
    }

    pub(crate) async fn restore(&self) {
        let listener =
            until("the proxy's own port", async || TcpListener::bind(self.address).await.ok()).await;
        *self.task.lock().unwrap() = Some(tokio::spawn(pass(listener, self.server)));
    }
}

/// Its connections end with it.
async fn pass(listener: TcpListener, server: u16) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        connections.spawn(async move {
            let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
