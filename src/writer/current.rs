//! Compares the current generation of a volume with a payload.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::sys::stat::{FileStat, SFlag, fstat};
use zeroize::Zeroizing;

use super::{DATA, Fingerprints, WriteError, generation};
use crate::payload::{File, Payload, VersionKey};
use crate::secret::Secret;
use crate::writer::access::{Access, set_mode};
use crate::writer::directory::Directory;
use crate::writer::error::at;
use crate::writer::generation::DIRECTORY_MODE;

/// Bytes that are read at a time.
const CHUNK: usize = 16 * 1024;

/// The generation to which `..data` points.
pub(crate) struct Current {
    pub(crate) name: String,
    directory: Directory,
}

/// A file with the right content, and the mode and owner that it has now.
struct AccessFix<'p> {
    file: &'p File,
    found: Access,
}

/// How a generation differs from a payload.
pub(crate) enum Difference<'p> {
    Nothing,
    /// Only modes and owners differ, and in no file both.
    Access(AccessFixes<'p>),
    Content,
}

/// The files whose mode or owner differs.
pub(crate) struct AccessFixes<'p>(Vec<AccessFix<'p>>);

impl Current {
    /// The current generation of `volume`; `None` if `..data` is missing, or does not point to a generation of this volume.
    pub(crate) fn open(volume: &Directory) -> Option<Self> {
        let name =
            volume.link(DATA)?.into_string().ok().filter(|name| generation::is_name(name.as_bytes()))?;
        let directory = Directory::open(volume, name.as_str()).ok()?;
        Some(Self { name, directory })
    }

    /// Fails if `..data` no longer points here. If the driver has removed the link, the write must end before the driver calls `umount`.
    pub(crate) fn check(&self, volume: &Directory) -> Result<(), WriteError> {
        let is_current = volume.link(DATA).is_some_and(|to| to.as_bytes() == self.name.as_bytes());
        if is_current { Ok(()) } else { Err(at("finding", DATA)(Errno::ENOENT)) }
    }

    /// Compares with `payload`, up to the first difference in content and while `..data` points here. A file that cannot be examined differs.
    pub(crate) fn compare<'p>(
        &self,
        volume: &Directory,
        payload: &'p Payload,
        previous: &Previous<'_>,
    ) -> Difference<'p> {
        let Some(true) = self.has_names(payload) else { return Difference::Content };
        let mut fixes = Vec::new();
        for file in payload.files() {
            let access = self.check(volume).ok().and_then(|()| self.access(file, previous));
            match access.map(|found| AccessFix { file, found }) {
                Some(fix) if fix.found == Access::wanted(file) => {}
                Some(fix) if fix.is_one_step() => fixes.push(fix),
                Some(_) | None => return Difference::Content,
            }
        }
        if fixes.is_empty() { Difference::Nothing } else { Difference::Access(AccessFixes(fixes)) }
    }

    /// Whether exactly the files of `payload` exist, with their directories.
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

    /// The paths in `path`; `None` if it is not a directory with mode 0755.
    fn list(&self, path: &str, most: usize) -> Option<Vec<String>> {
        let directory = Directory::open(&self.directory, if path.is_empty() { "." } else { path }).ok()?;
        if Access::from_stat(&fstat(&directory).ok()?).mode != DIRECTORY_MODE {
            return None;
        }
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        directory.names(most).ok()?.iter().map(|name| name.to_str().ok().map(below)).collect()
    }

    /// Mode and owner of `file` in this generation if it has the right content; `None` otherwise.
    fn access(&self, file: &File, previous: &Previous<'_>) -> Option<Access> {
        let stat = fstat(self.directory.open_path(file.path.as_str()).ok()?).ok()?;
        if SFlag::from_bits_truncate(stat.st_mode) != SFlag::S_IFREG {
            return None;
        }
        let is_same = match self.directory.read(file.path.as_str()) {
            Ok(handle) => has_contents(&handle, &file.contents),
            Err(Errno::EACCES) => previous.fingerprints.matches(file, &stat, previous.key),
            Err(_) => false,
        };
        is_same.then(|| Access::from_stat(&stat))
    }

    /// The stat of each file of `payload`, for the fingerprints.
    pub(crate) fn stats<'p>(&self, payload: &'p Payload) -> impl Iterator<Item = (&'p File, FileStat)> {
        payload.files().iter().filter_map(|file| {
            let handle = self.directory.open_path(file.path.as_str()).ok()?;
            Some((file, fstat(handle).ok()?))
        })
    }

    /// Fixes modes and owners, each file in one step. Fails for a file whose mode this process may not change: then a new generation is needed.
    pub(crate) fn fix_access(&self, fixes: &AccessFixes<'_>) -> Result<(), Errno> {
        fixes.0.iter().try_for_each(|fix| {
            let (path, wanted) = (fix.file.path.as_str(), Access::wanted(fix.file));
            match fix.found.mode == wanted.mode {
                true => wanted.owner.apply(&self.directory.open_path(path)?),
                false => set_mode(&self.directory.read(path)?, wanted.mode),
            }
        })
    }
}

impl AccessFix<'_> {
    /// False if mode and owner differ: between the two changes a reader could lose its access.
    fn is_one_step(&self) -> bool {
        let wanted = Access::wanted(self.file);
        self.found.mode == wanted.mode || self.found.owner == wanted.owner
    }
}

/// What this process knows of the files that it cannot read.
pub(crate) struct Previous<'f> {
    pub(crate) fingerprints: &'f Fingerprints,
    pub(crate) key: &'f VersionKey,
}

/// Whether an open file has exactly `contents`.
fn has_contents(handle: &OwnedFd, contents: &Secret) -> bool {
    let mut chunk = Zeroizing::new([0_u8; CHUNK]);
    let mut rest = contents.expose(); // compared with the file in the volume
    loop {
        match nix::unistd::read(handle, &mut chunk[..]) {
            Ok(0) => return rest.is_empty(),
            Ok(read) => match rest.strip_prefix(&chunk[..read]) {
                Some(after) => rest = after,
                None => return false,
            },
            Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}
