//! Connections: which processes may connect, how many at a time, and HTTP/2 on each connection.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use metrics::counter;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, info, warn};

use super::Grpc;
use crate::server::authority::AuthorityRewriter;
use crate::server::drain::Shutdown;
use crate::server::guard::Guard;
use crate::server::peers::{Origin, Peers};
use crate::telemetry::log_throttle::ConnectionLog;

/// Limit for connections of the driver and of other processes of root, over all sockets. A driver opens one for each socket it uses.
const DRIVER_CONNECTIONS: usize = 64;
/// Limit for connections of other processes of our own user.
const OWN_USER_CONNECTIONS: usize = 16;
/// Limit for connections of this process. The readiness check opens one at a time; an earlier one may still be closing.
const OWN_PROCESS_CONNECTIONS: usize = 8;
/// Concurrent requests on one connection; grpc-go makes further ones wait on its side while their deadlines run. A node's
/// pods (110 by default, at most some 500) may all start at once, some with two volumes, some at a server that hangs.
const STREAMS: u32 = 1024;
/// Limit for the headers of one request. A driver sends about 300 bytes.
const HEADER_LIST_BYTES: u32 = 16 * 1024;

/// State shared by all listeners.
#[derive(Clone)]
pub(crate) struct ConnectionAcceptor {
    peers: Arc<Peers>,
    slots: Slots,
    shutdown: Shutdown,
    /// Limits the log lines about refused and failed connections.
    refused_log: Arc<ConnectionLog>,
    failed_log: Arc<ConnectionLog>,
}

impl ConnectionAcceptor {
    /// An acceptor without any connection.
    pub(crate) fn new(peers: Peers, shutdown: Shutdown) -> Self {
        Self {
            peers: Arc::new(peers),
            slots: Slots::default(),
            shutdown,
            refused_log: Arc::default(),
            failed_log: Arc::default(),
        }
    }

    /// Serves `stream` with `service` in a new task, if its peer may connect and a connection slot is free; otherwise closes `stream`.
    pub(crate) fn admit<S: Grpc>(&self, stream: UnixStream, service: &S) {
        let Some(origin) = self.peers.origin_of(&stream) else {
            return count_refused();
        };
        let Some(slot) = self.slots.acquire(origin) else {
            if self.refused_log.is_due() {
                warn!(
                    ?origin,
                    "connection refused: too many connections are open; check which processes hold them (logged once a minute)"
                );
            }
            return count_refused();
        };
        let serving = serve(
            stream,
            Guard::new(service.clone(), self.shutdown.fail_open_requests.clone()),
            self.shutdown.clone(),
            Arc::clone(&self.failed_log),
        );
        self.shutdown.tasks.spawn(async move {
            serving.await;
            drop(slot);
        });
    }
}

fn count_refused() {
    counter!("vaultmount_connections_refused_total").increment(1);
}

/// Connections that may still be opened, per origin.
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

/// Serves one connection until the peer closes it, or until the shutdown: then it sends GOAWAY and the responses that are still open.
///
/// Sends no keepalive pings: the kernel reports a peer that died, and a peer that was only stopped for a while (a frozen node, a
/// debugger) would see its mounts fail with Unavailable.
async fn serve<S: Grpc>(stream: UnixStream, guard: Guard<S>, shutdown: Shutdown, log: Arc<ConnectionLog>) {
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
        () = shutdown.draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        let cause = error.source().and_then(|source| source.source()).map(ToString::to_string);
        if log.is_due() {
            info!(%error, cause, "a connection failed");
        } else {
            debug!(%error, cause, "a connection failed");
        }
    }
}
