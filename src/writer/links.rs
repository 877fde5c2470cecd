//! The links of a volume, each created or replaced in one step.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::{RenameFlags, renameat, renameat2};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use super::{DATA, WriteError, generation, removal};
use crate::payload::Payload;
use crate::writer::directory::Directory;
use crate::writer::error::at;

/// Limit of names that are listed in a volume: four times the files of the largest volume.
pub(crate) const NAMES: usize = 16_384;

/// Makes `name` a link to `target` in one step: a reader that opens `name` finds the former file or the new link.
///
/// The link is created under a generation's name and renamed. So a killed process leaves no `..data_tmp`, with which the driver's writer would
/// fail for ever. A directory at `name` gets the generation's name instead, and is removed like a stale generation.
pub(crate) fn put(volume: &Directory, name: &str, target: &str) -> Result<(), WriteError> {
    with_temporary(volume, name, target, |temporary| match renameat(volume, temporary, volume, name) {
        Err(Errno::EISDIR) => exchange(volume, temporary, name),
        renamed => renamed,
    })
}

/// Like [`put`], but fails if `name` does not exist: a link that the driver has removed must not come back.
pub(crate) fn replace(volume: &Directory, name: &str, target: &str) -> Result<(), WriteError> {
    with_temporary(volume, name, target, |temporary| {
        renameat2(volume, temporary, volume, name, RenameFlags::RENAME_EXCHANGE)?;
        // Removes the former link. If this fails, it is removed like a stale generation.
        let _ = unlinkat(volume, temporary, UnlinkatFlags::NoRemoveDir);
        Ok(())
    })
}

/// Creates a link under a generation's name, and calls `rename` with that name.
fn with_temporary(
    volume: &Directory,
    name: &str,
    target: &str,
    rename: impl FnOnce(&str) -> Result<(), Errno>,
) -> Result<(), WriteError> {
    let temporary = generation::new_name();
    symlinkat(target, volume, temporary.as_str()).map_err(at("creating a link for", name))?;
    rename(&temporary).map_err(|error| {
        let _ = unlinkat(volume, temporary.as_str(), UnlinkatFlags::NoRemoveDir);
        at("replacing the link", name)(error)
    })
}

fn exchange(volume: &Directory, temporary: &str, name: &str) -> Result<(), Errno> {
    renameat2(volume, temporary, volume, name, RenameFlags::RENAME_EXCHANGE)?;
    volume.touch(temporary);
    Ok(())
}

/// Creates a link for each first part of a path of `payload`, and then removes every other name: the volume is vaultmount's alone. True if
/// anything was changed.
pub(crate) fn fix(volume: &Directory, payload: &Payload) -> Result<bool, WriteError> {
    let wanted: BTreeSet<&str> =
        payload.files().iter().filter_map(|file| file.path.as_str().split('/').next()).collect();
    let mut is_changed = false;
    for name in &wanted {
        let target = format!("{DATA}/{name}");
        if volume.link(name).is_none_or(|current| current.as_bytes() != target.as_bytes()) {
            put(volume, name, &target)?;
            is_changed = true;
        }
    }
    let names = volume.names(NAMES).map_err(at("listing", "the volume"))?;
    let is_stray = |name: &&CString| {
        !name.to_bytes().starts_with(b"..") && !name.to_str().is_ok_and(|name| wanted.contains(name))
    };
    for name in names.iter().filter(is_stray) {
        removal::remove(volume, name)?;
        is_changed = true;
    }
    if names.len() < NAMES { Ok(is_changed) } else { Err(WriteError::TooManyEntries("the volume".into())) }
}
