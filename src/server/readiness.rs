//! Whether drivers reach us, for whoever asks.

use crate::mutex::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};

use metrics::counter;

use super::Endpoint;
use super::NotReadyReason;

/// The state of all sockets, shared between the server and its readers. Not ready before the server has begun.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Shared>);

#[derive(Default)]
struct Shared {
    sockets: Mutex<Vec<SocketState>>,
    refused: AtomicU64,
}

/// One socket as it was seen last, at most a second ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketState {
    /// Where it belongs.
    pub endpoint: Endpoint,
    /// Why drivers do not reach us there; `None` when they do: it is bound, and its inode is ours.
    pub obstacle: Option<NotReadyReason>,
}

impl Readiness {
    /// `Ok` when every socket is bound and ours; else names (no paths) and reasons in one line.
    pub fn check(&self) -> Result<(), String> {
        let sockets = self.lock();
        if sockets.is_empty() {
            return Err("the server has not begun".into());
        }
        let missing =
            |socket: &SocketState| Some(format!("{}.sock: {}", socket.endpoint.provider(), socket.obstacle?));
        let missing: Vec<_> = sockets.iter().filter_map(missing).collect();
        if missing.is_empty() { Ok(()) } else { Err(missing.join("; ")) }
    }

    /// All sockets, in the order of the settings.
    pub fn sockets(&self) -> Vec<SocketState> {
        self.lock().clone()
    }

    /// Connections refused so far: of a foreign user, or beyond the limit.
    pub fn refused_connections(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn begin(&self, endpoints: &[Endpoint]) {
        let begun = |endpoint: &Endpoint| SocketState {
            endpoint: endpoint.clone(),
            obstacle: Some(NotReadyReason::NotYet),
        };
        *self.lock() = endpoints.iter().map(begun).collect();
    }

    /// Notes the state of `endpoint`; true when that is news.
    pub(crate) fn note(&self, endpoint: &Endpoint, obstacle: Option<NotReadyReason>) -> bool {
        let mut sockets = self.lock();
        let Some(socket) = sockets.iter_mut().find(|socket| socket.endpoint == *endpoint) else {
            return false;
        };
        std::mem::replace(&mut socket.obstacle, obstacle) != obstacle
    }

    pub(crate) fn count_refused(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        counter!("vaultmount_connections_refused_total").increment(1);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SocketState>> {
        self.0.sockets.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_every_socket_is_ours() {
        let readiness = Readiness::default();
        assert!(readiness.check().is_err());
        let endpoints: Vec<Endpoint> =
            ["/p/vault.sock", "/p/openbao.sock"].map(|path| path.parse().unwrap()).into();
        readiness.begin(&endpoints);
        assert!(readiness.note(&endpoints[0], None));
        assert!(!readiness.note(&endpoints[0], None));
        assert!(readiness.note(&endpoints[1], Some(NotReadyReason::Taken)));
        assert_eq!(
            readiness.check().unwrap_err(),
            "openbao.sock: another process listens there; stop that provider"
        );
        readiness.note(&endpoints[1], None);
        assert_eq!(readiness.check(), Ok(()));
    }
}
