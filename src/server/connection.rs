//! Connections: who gets one, and how HTTP/2 is spoken on it.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tracing::{info, warn};

use super::authority::Mended;
use super::drain::Life;
use super::guard::{Grpc, Guard};
use super::peers::Peers;
use super::readiness::Readiness;

/// Connections over all sockets. A driver has one for each name it uses; the rest is health and people.
const CONNECTIONS: usize = 64;
/// Requests at a time on one connection; grpc-go keeps further ones waiting on its side while their deadlines run. A node's
/// pods (110 by default, at most some 500) may all start at once, some with two volumes, some at a server that hangs.
const STREAMS: u32 = 1024;
/// A driver sends some 300 bytes.
const HEADER_LIST_BYTES: u32 = 16 * 1024;

/// What all doors share.
#[derive(Clone)]
pub(super) struct Hall {
    peers: Arc<Peers>,
    slots: Arc<Semaphore>,
    readiness: Readiness,
    life: Life,
}

impl Hall {
    /// An empty one.
    pub(super) fn new(peers: Peers, readiness: Readiness, life: Life) -> Self {
        Self { peers: Arc::new(peers), slots: Arc::new(Semaphore::new(CONNECTIONS)), readiness, life }
    }

    /// Serves `stream` by `service` in a task of its own, if its peer may come in and there is room.
    pub(super) fn admit<S: Grpc>(&self, stream: UnixStream, service: &S) {
        if !self.peers.admit(&stream) {
            return self.readiness.count_refused();
        }
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            warn!(limit = CONNECTIONS, "connection refused: too many are open; find out who holds them");
            return self.readiness.count_refused();
        };
        let serving = serve(stream, Guard::new(service.clone(), self.life.last_call.clone()), self.life.clone());
        self.life.tasks.spawn(async move {
            serving.await;
            drop(slot);
        });
    }
}

/// Serves one connection to its end: of itself, or by GOAWAY and the answers that are still due.
///
/// No keepalive pings: the kernel tells of a peer that died, and one that was only stopped for a while (a frozen node, a
/// debugger) would lose its mounts as Unavailable.
async fn serve<S: Grpc>(stream: UnixStream, guard: Guard<S>, life: Life) {
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    http2.timer(TokioTimer::new()).max_concurrent_streams(STREAMS).max_header_list_size(HEADER_LIST_BYTES).auto_date_header(false);
    let service = service_fn(move |request| guard.clone().answer(request));
    let mut connection = pin!(http2.serve_connection(TokioIo::new(Mended::new(stream)), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = life.draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        let cause = error.source().and_then(|source| source.source()).map(ToString::to_string);
        info!(%error, cause, "a connection broke");
    }
}
