//! Changes the owner of the state directory and its files, from the user that vaultmount ran as to the user that it runs as now.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat};
use nix::unistd::{Uid, geteuid};

use super::{Access, PrepareError, READABLE, access, at, chown, open};

/// Limit of changed files, four times the records that are ever read. For its volume, a file beyond the limit is a lost record.
const FILES: usize = 65_536;

/// Makes user `uid` the owner of `directory` and its files, and the only user with permissions.
///
/// The directory itself is changed last. So if the directory has the right owner all files have it too, and the next run completes a run
/// that was killed.
pub(crate) fn change_owner(directory: &Path, uid: u32, gid: u32) -> Result<(), PrepareError> {
    let handle = open(directory)?;
    let wanted = Access { owner: uid, group: gid, mode: 0o700 };
    let found = access(&handle).map_err(at(directory, "reading its mode"))?;
    let us = geteuid();
    if found == wanted && uid != us.as_raw() {
        return Ok(());
    }
    let change = || {
        // Root must own the directory to change its mode (no FOWNER) and to list it (no DAC_OVERRIDE).
        if (found.owner, found.group) != (us.as_raw(), gid) {
            chown(&handle, Some(us), gid)?;
        }
        let readable = openat(&handle, ".", READABLE, Mode::empty())?;
        if found.mode != wanted.mode {
            fchmod(&readable, Mode::from_bits_truncate(wanted.mode))?;
        }
        change_files(&readable, uid, gid)?;
        if uid == us.as_raw() { Ok(()) } else { chown(&handle, Some(Uid::from_raw(uid)), gid) }
    };
    change().map_err(at(directory, "changing its owner"))
}

fn change_files(directory: &OwnedFd, uid: u32, gid: u32) -> Result<(), Errno> {
    Dir::openat(directory, ".", READABLE, Mode::empty())?
        .into_iter()
        .take(FILES)
        .try_for_each(|entry| change_file(directory, entry?.file_name(), uid, gid))
}

/// Changes the owner of the regular file `name`. Other kinds of files are not vaultmount's, and a file with a second link may belong to any
/// other directory: neither is changed. A file that the user owns already is not changed, whatever its group: only its owner may read it.
fn change_file(directory: &OwnedFd, name: &CStr, uid: u32, gid: u32) -> Result<(), Errno> {
    let file =
        match openat(directory, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty()) {
            Err(Errno::ENOENT) => return Ok(()),
            opened => opened?,
        };
    let stat = fstat(&file)?;
    let is_ours = SFlag::from_bits_truncate(stat.st_mode) == SFlag::S_IFREG && stat.st_nlink == 1;
    if is_ours && stat.st_uid != uid { chown(&file, Some(Uid::from_raw(uid)), gid) } else { Ok(()) }
}
