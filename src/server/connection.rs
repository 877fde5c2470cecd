//! Connections: who gets one, and how HTTP/2 is spoken on it.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{info, warn};

use super::Grpc;
use super::Readiness;
use crate::server::authority::AuthorityRewriter;
use crate::server::drain::Shutdown;
use crate::server::guard::Guard;
use crate::server::peers::{Origin, Peers};

/// The driver's connections over all sockets, and root's people's. A driver has one for each name it uses.
const DRIVER_CONNECTIONS: usize = 64;
/// Those of other processes of our own user.
const OWN_USER_CONNECTIONS: usize = 16;
/// Those of this process. Readiness opens one at a time; an earlier one may not have ended yet.
const OWN_PROCESS_CONNECTIONS: usize = 8;
/// Requests at a time on one connection; grpc-go keeps further ones waiting on its side while their deadlines run. A node's
/// pods (110 by default, at most some 500) may all start at once, some with two volumes, some at a server that hangs.
const STREAMS: u32 = 1024;
/// A driver sends some 300 bytes.
const HEADER_LIST_BYTES: u32 = 16 * 1024;

/// What all doors share.
#[derive(Clone)]
pub(crate) struct ConnectionAcceptor {
    peers: Arc<Peers>,
    slots: Slots,
    readiness: Readiness,
    life: Shutdown,
}

impl ConnectionAcceptor {
    /// An empty one.
    pub(crate) fn new(peers: Peers, readiness: Readiness, life: Shutdown) -> Self {
        Self { peers: Arc::new(peers), slots: Slots::default(), readiness, life }
    }

    /// Serves `stream` by `service` in a task of its own, if its peer may come in and there is room.
    pub(crate) fn admit<S: Grpc>(&self, stream: UnixStream, service: &S) {
        let Some(origin) = self.peers.admit(&stream) else {
            return self.readiness.count_refused();
        };
        let Some(slot) = self.slots.acquire(origin) else {
            warn!(?origin, "connection refused: too many are open; find out who holds them");
            return self.readiness.count_refused();
        };
        let serving =
            serve(stream, Guard::new(service.clone(), self.life.last_call.clone()), self.life.clone());
        self.life.tasks.spawn(async move {
            serving.await;
            drop(slot);
        });
    }
}

/// Connections that may still be opened, for each origin.
#[derive(Clone)]
struct Slots {
    driver: Arc<Semaphore>,
    own_user: Arc<Semaphore>,
    own_process: Arc<Semaphore>,
}

impl Default for Slots {
    fn default() -> Self {
        let slots = |limit| Arc::new(Semaphore::new(limit));
        Self {
            driver: slots(DRIVER_CONNECTIONS),
            own_user: slots(OWN_USER_CONNECTIONS),
            own_process: slots(OWN_PROCESS_CONNECTIONS),
        }
    }
}

impl Slots {
    fn acquire(&self, origin: Origin) -> Option<OwnedSemaphorePermit> {
        let slots = match origin {
            Origin::Driver => &self.driver,
            Origin::OwnUser => &self.own_user,
            Origin::OwnProcess => &self.own_process,
        };
        Arc::clone(slots).try_acquire_owned().ok()
    }
}

/// Serves one connection to its end: of itself, or by GOAWAY and the answers that are still due.
///
/// No keepalive pings: the kernel tells of a peer that died, and one that was only stopped for a while (a frozen node, a
/// debugger) would lose its mounts as Unavailable.
async fn serve<S: Grpc>(stream: UnixStream, guard: Guard<S>, life: Shutdown) {
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_LIST_BYTES)
        .auto_date_header(false);
    let service = service_fn(move |request| guard.clone().answer(request));
    let mut connection = pin!(http2.serve_connection(TokioIo::new(AuthorityRewriter::new(stream)), service));
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
