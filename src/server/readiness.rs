//! Whether drivers can reach the sockets.

use std::sync::{Arc, MutexGuard};

use super::{Endpoint, NotReadyReason};
use crate::mutex::Mutex;

/// The state of all sockets, shared between the server and its readers. Not ready before the server has started.
#[derive(Clone, Default)]
pub(crate) struct Readiness(Arc<Mutex<Vec<SocketState>>>);

/// The state of one socket at its last check, at most a second ago.
struct SocketState {
    endpoint: Endpoint,
    /// Why drivers cannot reach this provider there; `None` when the socket is bound and its inode is ours.
    not_ready: Option<NotReadyReason>,
}

impl Readiness {
    /// `Ok` when every socket is bound and ours; otherwise socket names (no paths) and reasons in one line.
    pub(crate) fn check(&self) -> Result<(), String> {
        let sockets = self.lock();
        if sockets.is_empty() {
            return Err("the server has not started".into());
        }
        let not_ready = |socket: &SocketState| {
            Some(format!("{}.sock: {}", socket.endpoint.provider(), socket.not_ready?))
        };
        let not_ready: Vec<_> = sockets.iter().filter_map(not_ready).collect();
        if not_ready.is_empty() { Ok(()) } else { Err(not_ready.join("; ")) }
    }

    /// Adds all `endpoints`, each as not bound yet.
    pub(crate) fn start(&self, endpoints: &[Endpoint]) {
        let not_bound = |endpoint: &Endpoint| SocketState {
            endpoint: endpoint.clone(),
            not_ready: Some(NotReadyReason::NotBound),
        };
        *self.lock() = endpoints.iter().map(not_bound).collect();
    }

    /// Sets the state of `endpoint`; true when it differs from the state before.
    pub(crate) fn set(&self, endpoint: &Endpoint, not_ready: Option<NotReadyReason>) -> bool {
        let mut sockets = self.lock();
        let Some(socket) = sockets.iter_mut().find(|socket| socket.endpoint == *endpoint) else {
            return false;
        };
        std::mem::replace(&mut socket.not_ready, not_ready) != not_ready
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SocketState>> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_ready_only_when_every_socket_is_its_own() {
        let readiness = Readiness::default();
        assert!(readiness.check().is_err());
        let endpoints: Vec<Endpoint> =
            ["/p/vault.sock", "/p/openbao.sock"].map(|path| path.parse().unwrap()).into();
        readiness.start(&endpoints);
        assert!(readiness.set(&endpoints[0], None));
        assert!(!readiness.set(&endpoints[0], None));
        assert!(readiness.set(&endpoints[1], Some(NotReadyReason::Taken)));
        assert_eq!(
            readiness.check().unwrap_err(),
            "openbao.sock: another process listens there; stop that provider"
        );
        readiness.set(&endpoints[1], None);
        assert_eq!(readiness.check(), Ok(()));
    }
}
