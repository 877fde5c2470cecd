//! Sockets of other users, owned by root while they are probed: without DAC_OVERRIDE root may connect only to its own sockets.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{Uid, geteuid};

use super::chown;

/// Sockets that this process owns until the value is dropped. The listeners do not notice, and the driver is root.
pub(crate) struct Borrowed(Vec<Socket>);

struct Socket {
    /// A handle of the file itself: a file that replaces it meanwhile is not changed.
    handle: OwnedFd,
    owner: u32,
    group: u32,
}

impl Borrowed {
    /// Becomes the owner of those of `paths` that are sockets of other users, except where the system refuses it.
    pub(crate) fn new(paths: &[PathBuf]) -> Self {
        Self(paths.iter().filter_map(|path| borrow(path).ok().flatten()).collect())
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        for socket in &self.0 {
            // Cannot fail if becoming the owner did not; and if the socket was unlinked meanwhile, a failure has no effect.
            let _ = chown(&socket.handle, Some(Uid::from_raw(socket.owner)), socket.group);
        }
    }
}

fn borrow(path: &Path) -> Result<Option<Socket>, Errno> {
    let handle = open(path, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
    let stat = fstat(&handle)?;
    let us = geteuid();
    if SFlag::from_bits_truncate(stat.st_mode) != SFlag::S_IFSOCK || stat.st_uid == us.as_raw() {
        return Ok(None);
    }
    let socket = Socket { handle, owner: stat.st_uid, group: stat.st_gid };
    chown(&socket.handle, Some(us), socket.group).map(|()| Some(socket))
}
