//! Who may connect, beside the socket's mode: a directory that was opened too far, or a lent file handle, is no way in.

use crate::bounded_map::BoundedSet;
use crate::mutex::Mutex;

use tokio::net::UnixStream;
use tracing::warn;

/// Uids named in the log, once each; a node has few users, and a flood of others shall not fill memory.
const NAMED_UIDS: usize = 64;

/// Who opened a connection. Each has a limit of its own, so that none can use up the connections of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Root or a listed user: the driver.
    Driver,
    /// Another process of our own user, where that is not root: `vaultmount mount`.
    OwnUser,
    /// This process: the check of readiness calls its own sockets.
    OwnProcess,
}

/// The users that are let in: root (the driver), our own (health, `vaultmount mount`), and those that were listed.
pub(crate) struct Peers {
    own: u32,
    own_process: Option<i32>,
    listed: Vec<u32>,
    named: Mutex<BoundedSet<u32, NAMED_UIDS>>,
}

impl Peers {
    /// Root, the user of this process, and the `listed`.
    pub(crate) fn new(listed: Vec<u32>) -> Self {
        let own_process = std::process::id().try_into().ok();
        Self { own: nix::unistd::geteuid().as_raw(), own_process, listed, named: Mutex::default() }
    }

    /// Who the process at the other end is, as the kernel noted when it connected; `None` where it may not connect.
    pub(crate) fn admit(&self, stream: &UnixStream) -> Option<Origin> {
        let peer = stream.peer_cred().ok()?;
        let origin = self.origin(peer.uid(), peer.pid());
        if origin.is_none() && self.is_first(peer.uid()) {
            warn!(
                uid = peer.uid(),
                "connection refused: only root, our own user and --allow-peer-uid may connect; said once for each uid"
            );
        }
        origin
    }

    /// The driver's process is often in another PID namespace, and then has no id here.
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
        let mut named = self.named.lock();
        !named.is_full() && named.insert(uid, ()).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(own: u32, listed: Vec<u32>) -> Peers {
        Peers { own, own_process: Some(7), listed, named: Mutex::default() }
    }

    #[test]
    fn root_we_and_the_listed_are_let_in() {
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
    fn each_stranger_is_named_once_and_a_flood_of_them_ends() {
        let peers = Peers::new(Vec::new());
        assert!(peers.is_first(1) && !peers.is_first(1));
        assert_eq!((2..10_000).filter(|uid| peers.is_first(*uid)).count(), NAMED_UIDS - 1);
    }
}
