//! Removing what is no longer needed, or was never ours: by handles, through no link, and never without end.

use std::ffi::CStr;

use nix::errno::Errno;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::WriteError;
use crate::writer::directory::Directory;
use crate::writer::error::{at, shown};

/// Directories within each other, of a payload and of what is removed: each takes a handle.
pub(crate) const DEEPEST: usize = 64;
/// Entries that one removal takes at most: four times the files of the largest volume.
const MOST: usize = 16_384;

/// Removes `name` with all that is in it. What is more than one go allows fails, and is less the next time.
pub(crate) fn remove(directory: &Directory, name: &CStr) -> Result<(), WriteError> {
    Removal { left: MOST }.entry(directory, name, DEEPEST)
}

struct Removal {
    left: usize,
}

impl Removal {
    fn entry(&mut self, directory: &Directory, name: &CStr, depth: usize) -> Result<(), WriteError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| WriteError::Crowded(shown(name)))?;
        match unlinkat(directory, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(Errno::EISDIR) => self.directory(directory, name, depth),
            Err(error) => Err(at("removing", shown(name))(error)),
        }
    }

    fn directory(&mut self, parent: &Directory, name: &CStr, depth: usize) -> Result<(), WriteError> {
        let below = depth.checked_sub(1).ok_or_else(|| WriteError::Crowded(shown(name)))?;
        let inside = Directory::of(parent, name).map_err(at("opening", shown(name)))?;
        // One more than is allowed: the last of them says that it is too much.
        for entry in inside.names(self.left + 1).map_err(at("listing", shown(name)))? {
            self.entry(&inside, &entry, below)?;
        }
        unlinkat(parent, name, UnlinkatFlags::RemoveDir).map_err(at("removing", shown(name)))
    }
}
