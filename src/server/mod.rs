//! Everything between the driver's unix sockets and the gRPC service.

mod authority; // replaces the `:authority` that drivers up to 1.5.6 send
mod connection; // limits of connections, and HTTP/2 on each of them
mod drain; // shutdown within a timeout
mod endpoint; // the path of a socket
mod error; // why the server cannot start
mod guard; // checks responses: no forbidden status code, no text of a panic
mod listener; // one socket, from its creation to its removal
mod peers; // which users may connect
mod readiness; // whether drivers can reach the sockets
mod socket; // socket files: mode, inode, removal
mod timeout; // grpc-timeout -> Deadline
mod watch; // what to do about a socket's path; pure

pub(crate) use endpoint::Endpoint;
pub(crate) use error::ServerError;
pub(crate) use guard::Grpc;
pub(crate) use listener::remove_dead;
pub(crate) use readiness::Readiness;
pub(crate) use socket::bind_private;
pub(crate) use watch::NotReadyReason;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::server::connection::ConnectionAcceptor;
use crate::server::drain::Shutdown;
use crate::server::listener::SocketListener;
use crate::server::peers::Peers;

/// The sockets to serve, and the users that may connect.
#[derive(Clone, Debug)]
pub(crate) struct Sockets {
    /// Paths at which drivers find this provider; at least one, none twice.
    pub(crate) endpoints: Vec<Endpoint>,
    /// Uids that may connect besides root and our own user.
    pub(crate) allow_peer_uids: Vec<u32>,
    /// Directories in which the driver may look for the same names first. Dead sockets of our names are removed there.
    pub(crate) shadow_directories: Vec<PathBuf>,
    /// Longest time from the start of the shutdown to the last response.
    pub(crate) shutdown_timeout: Duration,
}

/// Serves every endpoint until `stop` ends, then removes its own sockets and responds to the open requests.
///
/// Each endpoint has its own service, because defaults depend on the socket's name. Fails only at the start. When another process
/// serves a socket, the server waits (`readiness` reports it) and takes the path over when that process has ended.
pub(crate) async fn serve<S: Grpc>(
    sockets: Sockets,
    service_for: impl Fn(&Endpoint) -> S,
    readiness: Readiness,
    stop: impl Future<Output = ()>,
) -> Result<(), ServerError> {
    let shutdown = Shutdown::default();
    let acceptor = ConnectionAcceptor::new(Peers::new(sockets.allow_peer_uids.clone()), shutdown.clone());
    for (endpoint, listener) in open(&sockets, &readiness)? {
        let (service, acceptor) = (service_for(&endpoint), acceptor.clone());
        let admit = move |stream| acceptor.admit(stream, &service);
        shutdown.tasks.spawn(listener.run(admit, shutdown.draining.clone()));
    }
    stop.await;
    shutdown.drain(sockets.shutdown_timeout).await;
    Ok(())
}

/// Opens all sockets or none: after a failure the sockets that were opened before it are removed.
fn open(sockets: &Sockets, readiness: &Readiness) -> Result<Vec<(Endpoint, SocketListener)>, ServerError> {
    let mut seen = HashSet::new();
    if sockets.endpoints.is_empty() {
        return Err(ServerError::Endpoints("at least one is needed"));
    }
    if !sockets.endpoints.iter().all(|endpoint| seen.insert(endpoint)) {
        return Err(ServerError::Endpoints("the same socket is named twice"));
    }
    readiness.start(&sockets.endpoints);
    let open = |endpoint: &Endpoint| {
        SocketListener::open(endpoint.clone(), &sockets.shadow_directories, readiness.clone())
    };
    sockets.endpoints.iter().map(|endpoint| Ok((endpoint.clone(), open(endpoint)?))).collect()
}
