//! Which users may connect, besides the socket's mode: a directory with a mode that is too open, or a file handle that was passed on, does not

use crate::bounded_map::BoundedSet;
use crate::mutex::Mutex;

use tokio::net::UnixStream;
use tracing::warn;

/// Uids that are logged, once each; a node has few users, and a flood of other uids must not fill memory.
const LOGGED_UIDS: usize = 64;

/// Who opened a connection. Each origin has its own limit, so that none can use up the connections of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Root or a listed user: the driver.
    Driver,
    /// Another process of our own user, if that is not root: `vaultmount mount`.
    OwnUser,
    /// This process: the readiness check calls its own sockets.
    OwnProcess,
}

/// The users that may connect: root (the driver), our own user (readiness, `vaultmount mount`), and those of `--allow-peer-uid`.
pub(crate) struct Peers {
    own: u32,
    own_process: Option<i32>,
    listed: Vec<u32>,
    logged: Mutex<BoundedSet<u32, LOGGED_UIDS>>,
}

impl Peers {
    /// Root, the user of this process, and the `listed` uids.
    pub(crate) fn new(listed: Vec<u32>) -> Self {
        let own_process = std::process::id().try_into().ok();
        Self { own: nix::unistd::geteuid().as_raw(), own_process, listed, logged: Mutex::default() }
    }

    /// Who the peer is, by the credentials that the kernel recorded when it connected; `None` if it may not connect.
    pub(crate) fn origin_of(&self, stream: &UnixStream) -> Option<Origin> {
        let peer = stream.peer_cred().ok()?;
        let origin = self.origin(peer.uid(), peer.pid());
        if origin.is_none() && self.is_first(peer.uid()) {
            warn!(
                uid = peer.uid(),
                "connection refused: only root, our own user and --allow-peer-uid may connect (logged once per uid)"
            );
        }
        origin
    }

    /// `process` is `None` or 0 for a driver in another PID namespace, which is usual.
    fn origin(&self, uid: u32, process: Option<i32>) -> Option<Origin> {
        if uid == self.own && process.is_some() && process == self.own_process {
            return Some(Origin::OwnProcess);
        }
        if uid == 0 || self.listed.contains(&uid) {
            return Some(Origin::Driver);
        }
        (uid == self.own).then_some(Origin::OwnUser)
    }

    fn is_first(&self, uid: u32) -> bool {
        let mut logged = self.logged.lock();
        !logged.is_full() && logged.insert(uid, ()).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(own: u32, listed: Vec<u32>) -> Peers {
        Peers { own, own_process: Some(7), listed, logged: Mutex::default() }
    }

    #[test]
    fn only_root_our_own_user_and_listed_users_may_connect() {
        let peers = peers(65532, vec![1000]);
        let origins = [0, 65532, 1000, 1001, 65534, u32::MAX].map(|uid| peers.origin(uid, Some(8)));
        assert_eq!(
            origins,
            [Some(Origin::Driver), Some(Origin::OwnUser), Some(Origin::Driver), None, None, None]
        );
    }

    #[test]
    fn our_own_process_is_not_taken_for_the_driver_even_as_root() {
        for own in [0, 65532] {
            let peers = peers(own, vec![65532]);
            let origins = [Some(7), Some(8), Some(0), None].map(|process| peers.origin(own, process));
            assert_eq!(
                origins,
                [Origin::OwnProcess, Origin::Driver, Origin::Driver, Origin::Driver].map(Some),
                "{own}"
            );
        }
        assert_eq!(peers(65532, vec![]).origin(0, Some(7)), Some(Origin::Driver));
    }

    #[test]
    fn each_refused_uid_is_logged_once_and_a_flood_of_them_costs_bounded_memory() {
        let peers = Peers::new(Vec::new());
        assert!(peers.is_first(1) && !peers.is_first(1));
        assert_eq!((2..10_000).filter(|uid| peers.is_first(*uid)).count(), LOGGED_UIDS - 1);
    }
}
