//! What a volume holds already, beside what it is to hold.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::sys::stat::{FileStat, SFlag, fstat};
use zeroize::Zeroizing;

use super::Fingerprints;
use super::generation;
use super::{DATA, WriteError};
use crate::payload::{File, Payload, VersionKey};
use crate::secret::Secret;
use crate::writer::access::{Access, set_mode};
use crate::writer::directory::Directory;
use crate::writer::error::at;
use crate::writer::generation::OPEN;

/// Bytes that are read back at once.
const PIECE: usize = 16 * 1024;

/// The generation that `..data` leads to.
pub(crate) struct Current {
    pub(crate) name: String,
    directory: Directory,
}

/// A file with the right content, and how its mode and owner differ.
struct PartialFix<'p> {
    file: &'p File,
    was: Access,
}

/// How a generation differs from a payload.
pub(crate) enum Difference<'p> {
    Nothing,
    /// Each file by its mode alone, or its owner alone.
    Rights(Rights<'p>),
    Content,
}

/// Files that are not as they should be, but for their content.
pub(crate) struct Rights<'p>(Vec<PartialFix<'p>>);

impl Current {
    /// `None` where `..data` is missing, or leads to anything but a generation of this volume.
    pub(crate) fn of(volume: &Directory) -> Option<Self> {
        let name =
            volume.link(DATA)?.into_string().ok().filter(|name| generation::is_name(name.as_bytes()))?;
        let directory = Directory::of(volume, name.as_str()).ok()?;
        Some(Self { name, directory })
    }

    /// Fails once `..data` leads here no more. Where the driver has removed it, what goes on here is to end before `umount` comes.
    pub(crate) fn check(&self, volume: &Directory) -> Result<(), WriteError> {
        let is_there = volume.link(DATA).is_some_and(|to| to.as_bytes() == self.name.as_bytes());
        if is_there { Ok(()) } else { Err(at("finding", DATA)(Errno::ENOENT)) }
    }

    /// Compares until the first difference, and as long as it is there. What cannot be looked at is not the same.
    pub(crate) fn compare<'p>(
        &self,
        volume: &Directory,
        payload: &'p Payload,
        known: &Previous<'_>,
    ) -> Difference<'p> {
        let Some(true) = self.has_names(payload) else { return Difference::Content };
        let mut rights = Vec::new();
        for file in payload.files() {
            match self
                .check(volume)
                .ok()
                .and_then(|()| self.look(file, known))
                .map(|was| PartialFix { file, was })
            {
                Some(found) if found.was == Access::wanted(file) => {}
                Some(found) if found.is_one_step() => rights.push(found),
                _ => return Difference::Content,
            }
        }
        if rights.is_empty() { Difference::Nothing } else { Difference::Rights(Rights(rights)) }
    }

    /// Whether exactly the files of `payload` are there, with their directories.
    fn has_names(&self, payload: &Payload) -> Option<bool> {
        let directories = generation::directories(payload).ok()?;
        let wanted: HashSet<&str> = payload
            .files()
            .iter()
            .map(|file| file.path.as_str())
            .chain(directories.iter().copied())
            .collect();
        let mut found = 0;
        for directory in [""].iter().chain(&directories) {
            let names = self.list(directory, wanted.len() + 1)?;
            if !names.iter().all(|name| wanted.contains(name.as_str())) {
                return Some(false);
            }
            found += names.len();
        }
        Some(found == wanted.len())
    }

    /// The paths in `path`; `None` when that is no directory that everybody may open.
    fn list(&self, path: &str, most: usize) -> Option<Vec<String>> {
        let directory = Directory::of(&self.directory, if path.is_empty() { "." } else { path }).ok()?;
        if Access::of(&fstat(&directory).ok()?).mode != OPEN {
            return None;
        }
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        directory.names(most).ok()?.iter().map(|name| name.to_str().ok().map(below)).collect()
    }

    /// Mode and owner of a file that has the content it should have; `None` for any other.
    fn look(&self, file: &File, known: &Previous<'_>) -> Option<Access> {
        let stat = fstat(self.directory.glance(file.path.as_str()).ok()?).ok()?;
        if SFlag::from_bits_truncate(stat.st_mode) != SFlag::S_IFREG {
            return None;
        }
        let is_same = match self.directory.read(file.path.as_str()) {
            Ok(handle) => holds(&handle, &file.contents),
            Err(Errno::EACCES) => known.marks.is(file, &stat, known.key),
            Err(_) => false,
        };
        is_same.then(|| Access::of(&stat))
    }

    /// What every file of `payload` is now, for those that nobody lets us read.
    pub(crate) fn stats<'p>(&self, payload: &'p Payload) -> impl Iterator<Item = (&'p File, FileStat)> {
        payload.files().iter().filter_map(|file| {
            let handle = self.directory.glance(file.path.as_str()).ok()?;
            Some((file, fstat(handle).ok()?))
        })
    }

    /// Sets what differs, each file in one step. A file whose mode is not ours to change is refused: it takes a new generation.
    pub(crate) fn set(&self, rights: &Rights<'_>) -> Result<(), Errno> {
        rights.0.iter().try_for_each(|mended| {
            let (path, wanted) = (mended.file.path.as_str(), Access::wanted(mended.file));
            match mended.was.mode == wanted.mode {
                true => wanted.owner.give(&self.directory.glance(path)?),
                false => set_mode(&self.directory.read(path)?, wanted.mode),
            }
        })
    }
}

impl PartialFix<'_> {
    /// With both to change, its reader would be shut out between the two.
    fn is_one_step(&self) -> bool {
        let wanted = Access::wanted(self.file);
        self.was.mode == wanted.mode || self.was.owner == wanted.owner
    }
}

/// What this process knows beside what it can read.
pub(crate) struct Previous<'m> {
    pub(crate) marks: &'m Fingerprints,
    pub(crate) key: &'m VersionKey,
}

/// Whether an open file holds exactly `contents`.
fn holds(handle: &OwnedFd, contents: &Secret) -> bool {
    let mut piece = Zeroizing::new([0_u8; PIECE]);
    let mut rest = contents.expose(); // compared with what the volume holds
    loop {
        match nix::unistd::read(handle, &mut piece[..]) {
            Ok(0) => return rest.is_empty(),
            Ok(read) => match rest.strip_prefix(&piece[..read]) {
                Some(behind) => rest = behind,
                None => return false,
            },
            Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}
