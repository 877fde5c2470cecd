//! The names of a volume: links, each put in its place in one step.

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

/// Names of a volume that are looked at in one go: four times the files of the largest.
pub(crate) const MOST: usize = 16_384;

/// Makes `name` a link to `to`: whoever opens it finds what was there, or this.
///
/// It is made under a generation's name and moved: a kill leaves no `..data_tmp`, after which the driver's writer stops for ever. A
/// directory in its place takes that name instead, and is swept like any generation.
pub(crate) fn put(volume: &Directory, name: &str, to: &str) -> Result<(), WriteError> {
    beside(volume, name, to, |beside| match renameat(volume, beside, volume, name) {
        Err(Errno::EISDIR) => exchange(volume, beside, name),
        moved => moved,
    })
}

/// The same where `name` has to be there: what the driver removes meanwhile does not come back.
pub(crate) fn replace(volume: &Directory, name: &str, to: &str) -> Result<(), WriteError> {
    beside(volume, name, to, |beside| {
        renameat2(volume, beside, volume, name, RenameFlags::RENAME_EXCHANGE)?;
        // What it was before; where that cannot be removed, it is swept.
        let _ = unlinkat(volume, beside, UnlinkatFlags::NoRemoveDir);
        Ok(())
    })
}

/// Makes a link under a generation's name, and moves it.
fn beside(
    volume: &Directory,
    name: &str,
    to: &str,
    moving: impl FnOnce(&str) -> Result<(), Errno>,
) -> Result<(), WriteError> {
    let beside = generation::new_name();
    symlinkat(to, volume, beside.as_str()).map_err(at("making a link beside", name))?;
    moving(&beside).map_err(|error| {
        let _ = unlinkat(volume, beside.as_str(), UnlinkatFlags::NoRemoveDir);
        at("putting a link in the place of", name)(error)
    })
}

fn exchange(volume: &Directory, beside: &str, name: &str) -> Result<(), Errno> {
    renameat2(volume, beside, volume, name, RenameFlags::RENAME_EXCHANGE)?;
    volume.touch(beside);
    Ok(())
}

/// Gives each first part of a path of `payload` its link, and then removes every other name: the volume is ours alone. Says whether
/// there was anything to do.
pub(crate) fn mend(volume: &Directory, payload: &Payload) -> Result<bool, WriteError> {
    let wanted: BTreeSet<&str> =
        payload.files().iter().filter_map(|file| file.path.as_str().split('/').next()).collect();
    let mut is_mended = false;
    for name in &wanted {
        let to = format!("{DATA}/{name}");
        if volume.link(name).is_none_or(|now| now.as_bytes() != to.as_bytes()) {
            put(volume, name, &to)?;
            is_mended = true;
        }
    }
    let names = volume.names(MOST).map_err(at("listing", "the volume"))?;
    let is_stray = |name: &&CString| {
        !name.to_bytes().starts_with(b"..") && !name.to_str().is_ok_and(|name| wanted.contains(name))
    };
    for name in names.iter().filter(is_stray) {
        removal::remove(volume, name)?;
        is_mended = true;
    }
    if names.len() < MOST { Ok(is_mended) } else { Err(WriteError::Crowded("the volume".into())) }
}
