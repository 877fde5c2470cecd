//! What to do about a socket's name, decided from what is seen there; pure.

use crate::server::socket::Identity;

/// What stands at a socket's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Observed {
    /// The directory exists, the name does not.
    Nothing,
    /// A socket.
    Socket {
        /// Which one.
        identity: Identity,
        /// Whether somebody answers there; never asked of our own.
        listener: Listener,
    },
    /// Something that is no socket.
    NoSocket,
    /// Not even the directory.
    NoDirectory,
}

/// Whether somebody listens behind a socket file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    Alive,
    Dead,
    /// Connecting is not allowed, so nobody can say.
    Unknown,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It is ours.
    Keep,
    /// Take the free name.
    Bind,
    /// Remove this dead socket, then look again.
    Clear(Identity),
    /// Look again later.
    Wait(NotReadyReason),
}

/// Why a socket is not ours. The texts name no path: readiness is told to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReadyReason {
    /// No look yet.
    #[error("not bound yet")]
    NotYet,
    /// Another provider serves it; it is taken over once that one has ended.
    #[error("another process listens there; stop that provider")]
    Taken,
    /// A socket that may not be asked: dead or alive, it stays.
    #[error(
        "a socket of another user is there and may not be asked whether it lives; stop that provider or remove the socket"
    )]
    Unclear,
    /// A file or directory.
    #[error("something that is no socket has its name; remove it")]
    NoSocket,
    /// The directory is missing.
    #[error("its directory is missing; mount it")]
    NoDirectory,
    /// The system refused to look, bind or remove.
    #[error("{}; check owner and mode of its directory", std::io::Error::from(*.0))]
    System(nix::errno::Errno),
    /// The driver looks in the other directory first, and somebody else answers there.
    #[error("another process listens on the same name in the driver's other directory; stop that provider")]
    Shadowed,
    /// The process is about to leave.
    #[error("stopping")]
    Stopping,
}

/// Decides about a name at which we `held` a socket, if we did.
///
/// A Go provider that stops unlinks the path it once bound, even if it is ours by then: so a free name is taken at
/// once. A live listener of somebody else is never displaced, a dead one always. Our own socket cannot be mistaken: as
/// long as we hold it its inode stays in use, unlinked or not.
pub(crate) fn next(held: Option<Identity>, seen: Observed) -> Action {
    match seen {
        Observed::Socket { identity, .. } if held == Some(identity) => Action::Keep,
        Observed::Nothing => Action::Bind,
        Observed::Socket { identity, listener: Listener::Dead } => Action::Clear(identity),
        Observed::Socket { listener: Listener::Alive, .. } => Action::Wait(NotReadyReason::Taken),
        Observed::Socket { listener: Listener::Unknown, .. } => Action::Wait(NotReadyReason::Unclear),
        Observed::NoSocket => Action::Wait(NotReadyReason::NoSocket),
        Observed::NoDirectory => Action::Wait(NotReadyReason::NoDirectory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Identity = Identity { device: 1, inode: 1 };
    const THEIRS: Identity = Identity { device: 1, inode: 2 };

    fn socket(identity: Identity, listener: Listener) -> Observed {
        Observed::Socket { identity, listener }
    }

    #[test]
    fn our_socket_is_kept_whatever_a_probe_would_say() {
        assert_eq!(next(Some(OURS), socket(OURS, Listener::Unknown)), Action::Keep);
    }

    #[test]
    fn a_free_name_is_taken_at_the_start_and_after_a_theft() {
        assert_eq!(next(None, Observed::Nothing), Action::Bind);
        assert_eq!(next(Some(OURS), Observed::Nothing), Action::Bind);
    }

    #[test]
    fn a_dead_socket_gives_way_and_a_live_one_never() {
        for held in [None, Some(OURS)] {
            assert_eq!(next(held, socket(THEIRS, Listener::Dead)), Action::Clear(THEIRS));
            assert_eq!(next(held, socket(THEIRS, Listener::Alive)), Action::Wait(NotReadyReason::Taken));
            assert_eq!(next(held, socket(THEIRS, Listener::Unknown)), Action::Wait(NotReadyReason::Unclear));
        }
    }

    #[test]
    fn what_is_no_socket_stays() {
        assert_eq!(next(Some(OURS), Observed::NoSocket), Action::Wait(NotReadyReason::NoSocket));
        assert_eq!(next(None, Observed::NoDirectory), Action::Wait(NotReadyReason::NoDirectory));
    }
}
