//! Decides what to do about a socket's path from what was observed there; pure.

use nix::errno::Errno;

use crate::server::socket::{FileId, Liveness, Observed};

/// The next step for a socket's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing: the socket is ours.
    Keep,
    /// Bind the path, which is free.
    Bind,
    /// Remove this dead socket, then observe the path again.
    Remove(FileId),
    /// Observe the path again later.
    Wait(NotReadyReason),
}

/// Why a socket is not ours. The texts contain no path, because anybody may read the readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotReadyReason {
    /// The path was not checked yet.
    #[error("not bound yet")]
    NotBound,
    /// Another process listens on the socket. This process takes the path over when that process has ended.
    #[error("another process listens there; stop that provider")]
    Taken,
    /// A socket to which this process may not connect. It stays, because a process may listen on it.
    #[error(
        "a socket of another user is there, and vaultmount may not connect to it to check whether a provider still listens; stop that provider or remove the socket"
    )]
    Unclear,
    /// Something other than a socket exists at the path.
    #[error("a file that is not a socket has its name; remove it")]
    NoSocket,
    /// The directory does not exist.
    #[error("its directory is missing; mount it")]
    NoDirectory,
    /// A system call failed while observing, binding or removing the socket.
    #[error("{}; check owner and mode of its directory", std::io::Error::from(*.0))]
    System(Errno),
    /// The driver looks in another directory first, and another process listens there.
    #[error("another process listens on the same name in the driver's other directory; stop that provider")]
    Shadowed,
    /// The process is shutting down.
    #[error("stopping")]
    Stopping,
}

impl NotReadyReason {
    /// Whether waiting can help. If not, the server refuses to start.
    pub(crate) fn may_pass(self) -> bool {
        match self {
            Self::NotBound
            | Self::Taken
            | Self::Unclear
            | Self::NoSocket
            | Self::Shadowed
            | Self::Stopping => true,
            Self::NoDirectory | Self::System(_) => false,
        }
    }
}

impl From<Errno> for NotReadyReason {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

/// The next step for a path where `observed` exists; `own` is the socket that this process has bound, if any.
///
/// A Go provider that stops unlinks the path that it once bound, even if the socket there is ours by then: so a free path is bound at once.
/// The socket of a process that listens is never removed, a dead socket always. Our own socket cannot be confused with another: its
/// inode stays in use while we hold it, unlinked or not.
pub(crate) fn next(own: Option<FileId>, observed: Observed) -> Action {
    match observed {
        Observed::Socket { file, .. } if own == Some(file) => Action::Keep,
        Observed::Nothing => Action::Bind,
        Observed::Socket { file, liveness: Liveness::Dead } => Action::Remove(file),
        Observed::Socket { liveness: Liveness::Alive, .. } => Action::Wait(NotReadyReason::Taken),
        Observed::Socket { liveness: Liveness::Unknown, .. } => Action::Wait(NotReadyReason::Unclear),
        Observed::NoSocket => Action::Wait(NotReadyReason::NoSocket),
        Observed::NoDirectory => Action::Wait(NotReadyReason::NoDirectory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: FileId = FileId { device: 1, inode: 1 };
    const THEIRS: FileId = FileId { device: 1, inode: 2 };

    fn socket(file: FileId, liveness: Liveness) -> Observed {
        Observed::Socket { file, liveness }
    }

    #[test]
    fn our_own_socket_stays_whatever_a_probe_would_find() {
        assert_eq!(next(Some(OURS), socket(OURS, Liveness::Unknown)), Action::Keep);
    }

    #[test]
    fn a_free_path_is_bound_at_the_start_and_after_another_process_removed_our_socket() {
        assert_eq!(next(None, Observed::Nothing), Action::Bind);
        assert_eq!(next(Some(OURS), Observed::Nothing), Action::Bind);
    }

    #[test]
    fn a_dead_socket_is_removed_and_a_live_one_never() {
        for own in [None, Some(OURS)] {
            assert_eq!(next(own, socket(THEIRS, Liveness::Dead)), Action::Remove(THEIRS));
            assert_eq!(next(own, socket(THEIRS, Liveness::Alive)), Action::Wait(NotReadyReason::Taken));
            assert_eq!(next(own, socket(THEIRS, Liveness::Unknown)), Action::Wait(NotReadyReason::Unclear));
        }
    }

    #[test]
    fn a_file_that_is_not_a_socket_stays() {
        assert_eq!(next(Some(OURS), Observed::NoSocket), Action::Wait(NotReadyReason::NoSocket));
        assert_eq!(next(None, Observed::NoDirectory), Action::Wait(NotReadyReason::NoDirectory));
    }
}
