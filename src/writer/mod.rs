//! Writes volumes in the layout of Kubernetes' AtomicWriter, only through handles below the volume.
//!
//! ```text
//! ..2026_11_21_09_30_00.1234567890/                  a generation: all files, in their directories
//! ..data -> ..2026_11_21_09_30_00.1234567890
//! db     -> ..data/db                                one link per first part of a path
//! ```
//!
//! If the process is killed at any step, pods see the old files or the new ones:
//! 1. A generation is created under a new name to which no link points. Its mode is 0700 until each file has its content, mode and owner.
//! 2. One rename exchanges `..data` and a new link: before it every name leads to the old files, after it to the new ones. (Without a `..data`
//!    that points to a generation, the rename puts the link there.)
//! 3. Then new names get their links, so that no link ever points to a missing file, and links of removed names are removed. If this step is
//!    interrupted, the next write completes it, even if nothing else has changed.
//! 4. A generation to which no link points any more stays 5 s for its readers. What a killed process leaves also has the name of a generation,
//!    is removed in the same way, and disturbs nothing.
//!
//! Some changes are atomic only per name: plain files and directories are replaced by links one after the other, and none is missing at any
//! time; if only modes or owners differ, they are set file by file, each in one step. Driver 1.6 reads the mtime of the volume's directory as
//! the time of its last write, so the mtime is restored after a change. A driver that reads it in between, or after a kill at that point, waits
//! one interval longer.
//!
//! A volume may end during a write: the driver removes the generations, then `..data`, then the names, and starts `umount`, which fails while a
//! handle below is open. So a write stops before the next file if `..data` has changed, the exchange fails if `..data` is missing, and a poll or
//! a removal of stale generations opens nothing in a volume without `..data`. If the process is preempted in the middle of a write, `umount` can
//! still fail; the kubelet then tries again after 0.5 s.
//!
//! Callers must write a volume from one thread at a time.

mod access; // mode and owner
mod current; // the current generation, compared with a payload
mod directory; // a directory handle
mod error; // WriteError
mod fingerprints; // files that were written and cannot be read back
mod generation; // all files, complete before a link points to them
mod links; // links, each replaced in one step
mod removal; // removes files and directories, within limits
mod stale_generation; // generations to which no link points
mod target; // opens the volume at the path of a request

pub(crate) use error::WriteError;
pub(crate) use fingerprints::Fingerprints;
pub(crate) use stale_generation::StaleGeneration;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::sys::stat::{FileStat, fstat, futimens};
use nix::sys::time::TimeSpec;

use crate::payload::{Payload, VersionKey};
use crate::writer::current::{Current, Difference, Previous};
use crate::writer::directory::{Directory, nanoseconds};
use crate::writer::error::at;

/// The link to the current generation.
const DATA: &str = "..data";

/// Writes the volumes of this node. All methods block, and have closed their handles when they return.
#[derive(Debug)]
pub(crate) struct Writer {
    root: PathBuf,
    /// The key of the versions in [`Fingerprints`].
    key: VersionKey,
}

/// Identifies a volume.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'t> {
    /// The pod's uid, from the kubelet.
    pub(crate) pod_uid: &'t str,
    /// The mount point of the volume, from the driver.
    pub(crate) path: &'t Path,
}

/// What a volume without files is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EmptyVolume {
    /// A new volume: the driver has requested its mount and waits for it.
    IsNew,
    /// A volume that is about to be unmounted: vaultmount has written it before. It gets no files.
    IsEnding,
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// How the volume was changed.
    pub(crate) change: Change,
    /// The stale generations to remove later, if any.
    pub(crate) stale: Option<StaleGeneration>,
}

/// How a write has changed a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Not at all.
    Unchanged,
    /// Links were fixed or other names removed: after a killed write, or after a manual change.
    Names,
    /// Modes or owners were set; the contents are the same.
    Modes,
    /// All files are new.
    Swapped,
}

impl Change {
    /// The value of the label `change` of metrics, and of the log field.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Names => "names",
            Self::Modes => "modes",
            Self::Swapped => "swapped",
        }
    }
}

impl Writer {
    /// Writes volumes below `root`, the kubelet's directory of pods. Fingerprints can be used by a later process only with the same `key`.
    pub(crate) fn new(root: &Path, key: VersionKey) -> Self {
        Self { root: root.to_owned(), key }
    }

    /// Makes `payload` the whole content of a volume. After a failure the volume has the old files or the new ones, and the same call can be
    /// repeated.
    ///
    /// `fingerprints` are those of the volume's last write, or empty; they are updated.
    pub(crate) fn write(
        &self,
        target: &Target<'_>,
        empty: EmptyVolume,
        payload: &Payload,
        fingerprints: &mut Fingerprints,
    ) -> Result<Written, WriteError> {
        let open = if empty == EmptyVolume::IsEnding { target::open_filled } else { target::open };
        let volume = open(&self.root, target)?;
        let old = Current::open(&volume);
        let ending = || WriteError::Ending(target.path.to_owned());
        if empty == EmptyVolume::IsEnding && old.is_none() {
            return Err(ending());
        }
        let written =
            with_times_restored(&volume, |volume| self.fill(volume, old.as_ref(), payload, fingerprints));
        written.map_err(|error| if error.is_concurrent_removal() { ending() } else { error })
    }

    /// Removes stale generations that are due at `now`; returns those that remain for a later call.
    ///
    /// Removes nothing from a volume whose `..data` does not point to a generation: the next write fixes that.
    pub(crate) fn remove_stale(
        &self,
        target: &Target<'_>,
        now: SystemTime,
    ) -> Result<Option<StaleGeneration>, WriteError> {
        let volume = match target::open_filled(&self.root, target) {
            Err(WriteError::Ending(_)) => return Ok(None),
            volume => volume?,
        };
        with_times_restored(&volume, |volume| {
            let Some(current) = Current::open(volume) else { return Ok(None) };
            stale_generation::remove(volume, &current.name, now)
        })
    }

    /// Writes the files, then the links.
    fn fill(
        &self,
        volume: &Directory,
        old: Option<&Current>,
        payload: &Payload,
        fingerprints: &mut Fingerprints,
    ) -> Result<Written, WriteError> {
        let change = self.change(volume, old, payload, fingerprints)?;
        let after_change = |error: WriteError| {
            let is_swapped = change == Change::Swapped && !error.is_concurrent_removal();
            if is_swapped { WriteError::AfterSwap(Box::new(error)) } else { error }
        };
        let are_links_fixed = links::fix(volume, payload).map_err(after_change)?;
        let current = Current::open(volume).map(|current| current.name).unwrap_or_default();
        let stale = stale_generation::find(volume, &current, SystemTime::now()).map_err(after_change)?;
        let change = match change {
            Change::Unchanged if are_links_fixed => Change::Names,
            Change::Unchanged | Change::Names | Change::Modes | Change::Swapped => change,
        };
        Ok(Written { change, stale })
    }

    /// Writes the files if they differ, and updates `fingerprints`.
    fn change(
        &self,
        volume: &Directory,
        old: Option<&Current>,
        payload: &Payload,
        fingerprints: &mut Fingerprints,
    ) -> Result<Change, WriteError> {
        let previous = Previous { fingerprints, key: &self.key };
        let change = match old.map(|old| (old, old.compare(volume, payload, &previous))) {
            // There are no fingerprints yet if the driver has written the volume, or if it has very many files.
            Some((_, Difference::Nothing)) if fingerprints.cover(payload) => return Ok(Change::Unchanged),
            Some((_, Difference::Nothing)) => Change::Unchanged,
            Some((old, Difference::Access(fixes))) if old.fix_access(&fixes).is_ok() => Change::Modes,
            Some((_, Difference::Access(_) | Difference::Content)) | None => swap(volume, old, payload)?,
        };
        fingerprints.clear();
        for (file, stat) in Current::open(volume).iter().flat_map(|current| current.stats(payload)) {
            fingerprints.insert(file, &stat, &self.key);
        }
        Ok(change)
    }
}

/// Replaces the current generation by a new one with `payload`.
fn swap(volume: &Directory, old: Option<&Current>, payload: &Payload) -> Result<Change, WriteError> {
    if let Some(old) = old {
        old.check(volume)?;
        // Frees space first. A failure is not an error of the write; a later removal reports it.
        let _ = stale_generation::remove(volume, &old.name, SystemTime::now());
    }
    let check = || old.map_or(Ok(()), |old| old.check(volume));
    let new = generation::create(volume, payload, check)?;
    // Before the replacement: a kill after it would leave the old generation with the time of its creation, and its readers less than 5 s.
    old.inspect(|old| volume.touch(&old.name));
    let put = if old.is_some() { links::replace } else { links::put };
    put(volume, DATA, &new).inspect_err(|why| generation::discard(volume, &new, why))?;
    Ok(Change::Swapped)
}

/// Calls `change`, and then restores the times of the volume's directory if they have changed.
fn with_times_restored<T>(
    volume: &Directory,
    change: impl FnOnce(&Directory) -> Result<T, WriteError>,
) -> Result<T, WriteError> {
    let stat = || fstat(volume).map_err(at("reading the status of", "the volume"));
    let before = stat()?;
    let done = change(volume);
    let after = stat()?;
    let mtime = |stat: &FileStat| nanoseconds(stat.st_mtime, stat.st_mtime_nsec);
    if mtime(&before) == mtime(&after) {
        return done;
    }
    let last_access = TimeSpec::new(before.st_atime, before.st_atime_nsec);
    let last_modification = TimeSpec::new(before.st_mtime, before.st_mtime_nsec);
    let restored = futimens(volume, &last_access, &last_modification);
    done.and_then(|done| restored.map(|()| done).map_err(at("restoring the times of", "the volume")))
}
