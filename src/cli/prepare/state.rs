//! The state directory, handed with its files from the user that vaultmount ran as to the one that it runs as now.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat};
use nix::unistd::{Uid, geteuid};

use super::{Access, PrepareError, READABLE, access, at, open, own};

/// Most names that are looked at, four times the records that are ever read: a file beyond them costs its volume what a lost record does.
const MOST: usize = 65_536;

/// Makes `directory` the user's and nobody else's, and its files with it.
///
/// The directory goes last: when it is another user's, so is all that is in it, and a run that was killed is made good by the next one.
pub(crate) fn hand_over(directory: &Path, uid: u32, gid: u32) -> Result<(), PrepareError> {
    let handle = open(directory)?;
    let wanted = Access { owner: uid, group: gid, mode: 0o700 };
    let found = access(&handle).map_err(at(directory, "looking at it"))?;
    let us = geteuid();
    if found == wanted && uid != us.as_raw() {
        return Ok(());
    }
    let change = || {
        // Ours first: root must own what it changes the mode of (FOWNER) or lists (DAC_OVERRIDE).
        if (found.owner, found.group) != (us.as_raw(), gid) {
            own(&handle, Some(us), gid)?;
        }
        let readable = openat(&handle, ".", READABLE, Mode::empty())?;
        if found.mode != wanted.mode {
            fchmod(&readable, Mode::from_bits_truncate(wanted.mode))?;
        }
        give_files(&readable, uid, gid)?;
        if uid == us.as_raw() { Ok(()) } else { own(&handle, Some(Uid::from_raw(uid)), gid) }
    };
    change().map_err(at(directory, "making it vaultmount's own"))
}

fn give_files(directory: &OwnedFd, uid: u32, gid: u32) -> Result<(), Errno> {
    Dir::openat(directory, ".", READABLE, Mode::empty())?
        .into_iter()
        .take(MOST)
        .try_for_each(|entry| give(directory, entry?.file_name(), uid, gid))
}

/// Gives away a regular file of this name. All else is no file of vaultmount's, nor is what has another name too: that may stand anywhere.
/// A file that is the user's is not touched, whatever its group: nobody but its owner may read it.
fn give(directory: &OwnedFd, name: &CStr, uid: u32, gid: u32) -> Result<(), Errno> {
    let file =
        match openat(directory, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty()) {
            Err(Errno::ENOENT) => return Ok(()),
            opened => opened?,
        };
    let stat = fstat(&file)?;
    let is_ours = SFlag::from_bits_truncate(stat.st_mode) == SFlag::S_IFREG && stat.st_nlink == 1;
    if is_ours && stat.st_uid != uid { own(&file, Some(Uid::from_raw(uid)), gid) } else { Ok(()) }
}
