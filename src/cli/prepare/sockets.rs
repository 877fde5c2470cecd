//! Other users' sockets: whoever asks for a listener needs the right to write, which root without DAC_OVERRIDE has in what is its own alone.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{Uid, geteuid};

use super::own;

/// Sockets that are ours until this is dropped. A listener does not notice, and the driver is root.
pub(crate) struct Borrowed(Vec<Socket>);

struct Socket {
    /// Of the file itself: what takes its place meanwhile is not given away.
    handle: OwnedFd,
    owner: u32,
    group: u32,
}

impl Borrowed {
    /// Those of `paths` that are other users' sockets. One that cannot be had stays what it is: then nobody can ask it.
    pub(crate) fn of(paths: &[PathBuf]) -> Self {
        Self(paths.iter().filter_map(|path| borrow(path).ok().flatten()).collect())
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        for socket in &self.0 {
            // We were allowed to take it, so we are to give it back; one without a name has no use for it.
            let _ = own(&socket.handle, Some(Uid::from_raw(socket.owner)), socket.group);
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
    own(&socket.handle, Some(us), socket.group).map(|()| Some(socket))
}
