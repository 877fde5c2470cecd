//! Mode and owner of a file: those that a payload wants, and those that a file has.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{FileStat, Mode, fchmod};
use nix::unistd::{Gid, Uid, fchownat, getegid, geteuid};

use crate::payload::File;

/// All bits of a mode except the file type.
const BITS: u32 = 0o7777;

/// Mode and owner of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) mode: u32,
    pub(crate) owner: Owner,
}

/// A uid and a gid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(u32, u32);

impl Access {
    /// The access that `file` wants; a missing owner or group is that of this process. So is the largest number, which the kernel reads as none.
    pub(crate) fn wanted(file: &File) -> Self {
        let id = |wanted: Option<u32>, own: u32| wanted.filter(|id| *id != u32::MAX).unwrap_or(own);
        let owner = Owner(id(file.owner, geteuid().as_raw()), id(file.group, getegid().as_raw()));
        Self { mode: file.mode & BITS, owner }
    }

    /// The access of an existing file.
    pub(crate) fn from_stat(stat: &FileStat) -> Self {
        Self { mode: stat.st_mode & BITS, owner: Owner(stat.st_uid, stat.st_gid) }
    }
}

impl Owner {
    /// Makes this the owner of the file of `handle`, which may be an O_PATH handle.
    pub(crate) fn apply(self, handle: &impl AsFd) -> Result<(), Errno> {
        let (uid, gid) = (Uid::from_raw(self.0), Gid::from_raw(self.1));
        fchownat(handle, "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH)
    }
}

/// Sets the mode of the file of `handle`.
pub(crate) fn set_mode(handle: &impl AsFd, mode: u32) -> Result<(), Errno> {
    fchmod(handle, Mode::from_bits_truncate(mode))
}
