//! Mode and owner of a file, as wanted and as they are.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{FileStat, Mode, fchmod};
use nix::unistd::{Gid, Uid, fchownat, getegid, geteuid};

use crate::payload::File;

/// All bits of a mode that are no type.
const BITS: u32 = 0o7777;

/// Who may do what with a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) mode: u32,
    pub(crate) owner: Owner,
}

/// A uid and a gid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(u32, u32);

impl Access {
    /// As `file` asks for it; what it does not name is ours. The kernel takes the largest number for none.
    pub(crate) fn wanted(file: &File) -> Self {
        let id = |asked: Option<u32>, ours: u32| asked.filter(|id| *id != u32::MAX).unwrap_or(ours);
        let owner = Owner(id(file.owner, geteuid().as_raw()), id(file.group, getegid().as_raw()));
        Self { mode: file.mode & BITS, owner }
    }

    /// As it is.
    pub(crate) fn of(stat: &FileStat) -> Self {
        Self { mode: stat.st_mode & BITS, owner: Owner(stat.st_uid, stat.st_gid) }
    }
}

impl Owner {
    /// Gives it the file of `handle`, which may be one for looking alone.
    pub(crate) fn give(self, handle: &impl AsFd) -> Result<(), Errno> {
        let (uid, gid) = (Uid::from_raw(self.0), Gid::from_raw(self.1));
        fchownat(handle, "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH)
    }
}

/// Sets the mode of the file of `handle`.
pub(crate) fn set_mode(handle: &impl AsFd, mode: u32) -> Result<(), Errno> {
    fchmod(handle, Mode::from_bits_truncate(mode))
}
