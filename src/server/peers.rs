//! Who may connect, beside the socket's mode: a directory that was opened too far, or a lent file handle, is no way in.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tokio::net::UnixStream;
use tracing::warn;

/// Uids named in the log, once each; a node has few users, and a flood of others shall not fill memory.
const NAMED_UIDS: usize = 64;

/// The users that are let in: root (the driver), our own (health, `vaultmount mount`), and those that were listed.
pub(super) struct Peers {
    own: u32,
    listed: Vec<u32>,
    named: Mutex<HashSet<u32>>,
}

impl Peers {
    /// Root, the user of this process, and the `listed`.
    pub(super) fn new(listed: Vec<u32>) -> Self {
        Self { own: nix::unistd::geteuid().as_raw(), listed, named: Mutex::default() }
    }

    /// Whether the process at the other end runs as one of them, as the kernel noted when it connected.
    pub(super) fn admit(&self, stream: &UnixStream) -> bool {
        let Ok(peer) = stream.peer_cred() else { return false };
        let known = self.knows(peer.uid());
        if !known && self.is_first(peer.uid()) {
            warn!(uid = peer.uid(), "connection refused: only root, our own user and --allow-peer-uid may connect; said once for each uid");
        }
        known
    }

    fn knows(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own || self.listed.contains(&uid)
    }

    fn is_first(&self, uid: u32) -> bool {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.len() < NAMED_UIDS && named.insert(uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_we_and_the_listed_are_let_in() {
        let peers = Peers { own: 65532, listed: vec![1000], named: Mutex::default() };
        let decisions = [0, 65532, 1000, 1001, 65534, u32::MAX].map(|uid| peers.knows(uid));
        assert_eq!(decisions, [true, true, true, false, false, false]);
    }

    #[test]
    fn each_stranger_is_named_once_and_a_flood_of_them_ends() {
        let peers = Peers::new(Vec::new());
        assert!(peers.is_first(1) && !peers.is_first(1));
        assert_eq!((2..10_000).filter(|uid| peers.is_first(*uid)).count(), NAMED_UIDS - 1);
    }
}
