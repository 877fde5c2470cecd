//! Everything between the driver's unix sockets and the gRPC service.

pub mod authority; // mends what drivers up to 1.5.6 send as :authority
pub mod connection; // who gets a connection, and HTTP/2 on it
pub mod drain; // the end, within a stated time
pub mod endpoint; // where drivers find us
pub mod error; // why the server cannot begin
pub mod guard; // what leaves: no forbidden code, no word of a panic
pub mod listener; // one socket's life
pub mod peers; // who may connect
pub mod readiness; // whether drivers reach us
pub mod socket; // socket files: mode, inode, removal
pub mod timeout; // grpc-timeout -> our own deadline
pub mod watch; // what to do about a socket's name; pure

pub use endpoint::Endpoint;
pub use error::ServerError;
pub use guard::Grpc;
pub use listener::clear_dead;
pub use readiness::{Readiness, SocketState};
pub use watch::NotReadyReason;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::server::connection::ConnectionAcceptor;
use crate::server::drain::Shutdown;
use crate::server::listener::SocketListener;
use crate::server::peers::Peers;

/// What is served where, and to whom.
#[derive(Clone, Debug)]
pub struct Sockets {
    /// Where drivers find us; at least one, none twice.
    pub endpoints: Vec<Endpoint>,
    /// Users that may connect beside root and our own.
    pub allow_peer_uids: Vec<u32>,
    /// Directories in which the driver may look for the same names first: dead sockets of our names are removed there.
    pub shadow_directories: Vec<PathBuf>,
    /// From the begin of the shutdown to the last answer.
    pub shutdown_timeout: Duration,
}

/// Serves every endpoint until `shutdown`, then answers what is open and removes its own sockets.
///
/// Each endpoint has a service of its own, for defaults follow the socket's name. Fails only at the start: a name that
/// another process serves is waited for (`readiness` says so), and taken over when that process has ended.
pub async fn serve<S: Grpc>(
    sockets: Sockets,
    service_for: impl Fn(&Endpoint) -> S,
    readiness: Readiness,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServerError> {
    let life = Shutdown::default();
    let hall =
        ConnectionAcceptor::new(Peers::new(sockets.allow_peer_uids.clone()), readiness.clone(), life.clone());
    for (endpoint, place) in open(&sockets, &readiness)? {
        let (service, hall) = (service_for(&endpoint), hall.clone());
        let admit = move |stream| hall.admit(stream, &service);
        life.tasks.spawn(place.keep(admit, life.draining.clone()));
    }
    shutdown.await;
    life.drain(sockets.shutdown_timeout).await;
    Ok(())
}

/// Opens all places or none: those that were opened before a failure are left again.
fn open(sockets: &Sockets, readiness: &Readiness) -> Result<Vec<(Endpoint, SocketListener)>, ServerError> {
    let mut seen = HashSet::new();
    if sockets.endpoints.is_empty() {
        return Err(ServerError::Endpoints("give at least one"));
    }
    if !sockets.endpoints.iter().all(|endpoint| seen.insert(endpoint)) {
        return Err(ServerError::Endpoints("the same socket is given twice"));
    }
    readiness.begin(&sockets.endpoints);
    let open = |endpoint: &Endpoint| {
        SocketListener::open(endpoint.clone(), &sockets.shadow_directories, readiness.clone())
    };
    sockets.endpoints.iter().map(|endpoint| Ok((endpoint.clone(), open(endpoint)?))).collect()
}
