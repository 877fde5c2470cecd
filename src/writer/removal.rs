//! Removes files and directories: through handles, never through a link, and with a limit of entries and depth.

use std::ffi::CStr;

use nix::errno::Errno;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::WriteError;
use crate::writer::directory::{Directory, MAX_DEPTH};
use crate::writer::error::{at, shown};

/// Limit of entries of one removal: four times the files of the largest volume.
const ENTRIES: usize = 16_384;

/// Removes `name` with everything in it. Beyond the limits it fails, after it has removed a part; so a later call gets further.
pub(crate) fn remove(directory: &Directory, name: &CStr) -> Result<(), WriteError> {
    Removal { left: ENTRIES }.entry(directory, name, MAX_DEPTH)
}

struct Removal {
    left: usize,
}

impl Removal {
    fn entry(&mut self, directory: &Directory, name: &CStr, depth: usize) -> Result<(), WriteError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| WriteError::TooManyEntries(shown(name)))?;
        match unlinkat(directory, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(Errno::EISDIR) => self.directory(directory, name, depth),
            Err(error) => Err(at("removing", shown(name))(error)),
        }
    }

    fn directory(&mut self, parent: &Directory, name: &CStr, depth: usize) -> Result<(), WriteError> {
        let below = depth.checked_sub(1).ok_or_else(|| WriteError::TooManyEntries(shown(name)))?;
        let inside = Directory::open(parent, name).map_err(at("opening", shown(name)))?;
        // One name more than is allowed: the last of them then exceeds the limit.
        for entry in inside.names(self.left + 1).map_err(at("listing", shown(name)))? {
            self.entry(&inside, &entry, below)?;
        }
        unlinkat(parent, name, UnlinkatFlags::RemoveDir).map_err(at("removing", shown(name)))
    }
}
