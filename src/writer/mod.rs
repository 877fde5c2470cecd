//! The volume as we write it ourselves, in the layout of Kubernetes' own AtomicWriter, through handles below the volume alone.
//!
//! ```text
//! ..2026_11_21_09_30_00.1234567890/                  a generation: all files, in their directories
//! ..data -> ..2026_11_21_09_30_00.1234567890
//! db     -> ..data/db                                one link for each first part of a path
//! ```
//!
//! Killed at any step, it leaves the old files or the new:
//! 1. A generation is made under a name that is new and that nothing leads to. It is closed (0700) until each file has bytes, mode and owner.
//! 2. One rename exchanges `..data` and a new link: before it every name leads to the old files, after it to the new. (Where there is no
//!    `..data` of ours, it puts the link there.)
//! 3. Then names that are new get their links, so that none ever leads nowhere, and those that are gone lose theirs. The next write does
//!    what is left of this, whether anything else has changed or not.
//! 4. What nothing leads to any more stays 5 s for its readers. What a kill leaves has the name of a generation too, is removed with them,
//!    and stands in nobody's way.
//!
//! Each of these is whole only by itself: names that were plain files or directories become links one after the other, none missing for a
//! moment; modes and owners that alone have changed are set file by file, each in one step. The time of the volume's directory, by which
//! driver 1.6 tells when it last wrote, is set back after the change: one who looks in between, or after a kill there, waits an interval more.
//!
//! A volume ends while we are at it: the driver removes the generations, then `..data`, then the names, and starts `umount`, which fails while
//! a handle is held below. So a write gives up before the next file once `..data` is not what it was, the exchange fails where it is gone, and
//! a look of our own, or a sweep, opens nothing in a volume without it. Who loses the processor in the middle of a write meets `umount` all
//! the same, and the kubelet has it tried again after 0.5 s.
//!
//! One volume has one writer at a time: that is for the caller to see to.

pub mod access; // mode and owner
pub mod current; // what is there already
pub mod directory; // a directory by its handle
pub mod error; // WriteError
pub mod fingerprints; // what was written and cannot be read back
pub mod generation; // all files, whole before they are shown
pub mod links; // names, each put in its place in one step
pub mod removal; // by handles, and never without end
pub mod stale_generation; // what nothing leads to any more
pub mod target; // from the path of a request to the volume, or a refusal

pub use error::WriteError;
pub use fingerprints::Fingerprints;
pub use stale_generation::StaleGeneration;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::sys::stat::{FileStat, fstat, futimens};
use nix::sys::time::TimeSpec;

use crate::payload::{Payload, VersionKey};
use crate::writer::current::{Current, Difference, Previous};
use crate::writer::directory::{Directory, nanoseconds};
use crate::writer::error::at;

/// The link that leads to all files at once.
const DATA: &str = "..data";

/// Writes into volumes of this node. All its calls block, and hold no handle when they return.
#[derive(Debug)]
pub struct Writer {
    root: PathBuf,
    /// Of [`Fingerprints`].
    key: VersionKey,
}

/// Which volume.
#[derive(Clone, Copy, Debug)]
pub struct Target<'t> {
    /// The pod's uid, as the kubelet vouches for it.
    pub pod_uid: &'t str,
    /// Where the volume is mounted, as the driver tells it.
    pub path: &'t Path,
}

/// Why a volume is written to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The driver asks for it and waits: an empty volume is a new one.
    DriverRequest,
    /// We look by ourselves at a volume that we filled before: one without files is about to be unmounted, and is left alone.
    Poll,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// How the volume differs from before.
    pub change: Change,
    /// What there is to sweep, and when.
    pub leftover: Option<StaleGeneration>,
}

/// How a volume differs from before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing was touched.
    Unchanged,
    /// Links were put right, or names removed that do not belong there: what a kill had left to do, or somebody's hand.
    Names,
    /// Modes or owners were set; the files are the same.
    Modes,
    /// All files are new.
    Swapped,
}

impl Change {
    /// As metrics and logs call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Names => "names",
            Self::Modes => "modes",
            Self::Swapped => "swapped",
        }
    }
}

impl Writer {
    /// For the volumes below `root`, the kubelet's directory of pods. Marks that outlive this process need `key` to do so too.
    pub fn of(root: &Path, key: VersionKey) -> Self {
        Self { root: root.to_owned(), key }
    }

    /// Makes `payload` the whole content of a volume. After a failure it holds the old files or the new, and the same call goes on from there.
    ///
    /// `marks` are the volume's, from the last write, or empty.
    pub fn write(
        &self,
        target: &Target<'_>,
        occasion: Trigger,
        payload: &Payload,
        marks: &mut Fingerprints,
    ) -> Result<Written, WriteError> {
        let open = if occasion == Trigger::Poll { target::open_filled } else { target::open };
        let volume = open(&self.root, target)?;
        let old = Current::of(&volume);
        let ending = || WriteError::Ending(target.path.to_owned());
        if occasion == Trigger::Poll && old.is_none() {
            return Err(ending());
        }
        let written = in_time(&volume, |volume| self.fill(volume, old.as_ref(), payload, marks));
        written.map_err(|error| if error.is_of_what_is_gone() { ending() } else { error })
    }

    /// Removes what nothing leads to and what has been so for 5 s; says what remains, for a later sweep.
    ///
    /// Of a volume whose `..data` is not ours nothing is removed: the next write puts it right.
    pub fn sweep(&self, target: &Target<'_>, now: SystemTime) -> Result<Option<StaleGeneration>, WriteError> {
        let volume = match target::open_filled(&self.root, target) {
            Err(WriteError::Ending(_)) => return Ok(None),
            volume => volume?,
        };
        in_time(&volume, |volume| {
            let Some(current) = Current::of(volume) else { return Ok(None) };
            stale_generation::sweep(volume, &current.name, now)
        })
    }

    /// Puts the files in their place, and then the names.
    fn fill(
        &self,
        volume: &Directory,
        old: Option<&Current>,
        payload: &Payload,
        marks: &mut Fingerprints,
    ) -> Result<Written, WriteError> {
        let change = self.change(volume, old, payload, marks)?;
        let behind = |error: WriteError| {
            let is_shown = change == Change::Swapped && !error.is_of_what_is_gone();
            if is_shown { WriteError::Behind(Box::new(error)) } else { error }
        };
        let is_mended = links::mend(volume, payload).map_err(behind)?;
        let current = Current::of(volume).map(|current| current.name).unwrap_or_default();
        let leftover = stale_generation::find(volume, &current, SystemTime::now()).map_err(behind)?;
        Ok(Written {
            change: if is_mended && change == Change::Unchanged { Change::Names } else { change },
            leftover,
        })
    }

    fn change(
        &self,
        volume: &Directory,
        old: Option<&Current>,
        payload: &Payload,
        marks: &mut Fingerprints,
    ) -> Result<Change, WriteError> {
        let known = Previous { marks, key: &self.key };
        let change = match old.map(|old| (old, old.compare(volume, payload, &known))) {
            // Of a volume that somebody else has filled, or of very many files, nothing is known yet.
            Some((_, Difference::Nothing)) if marks.are_of(payload) => return Ok(Change::Unchanged),
            Some((_, Difference::Nothing)) => Change::Unchanged,
            Some((old, Difference::Rights(rights))) if old.set(&rights).is_ok() => Change::Modes,
            _ => swap(volume, old, payload)?,
        };
        marks.clear();
        for (file, stat) in Current::of(volume).iter().flat_map(|current| current.stats(payload)) {
            marks.put(file, &stat, &self.key);
        }
        Ok(change)
    }
}

/// Shows `payload` in one step.
fn swap(volume: &Directory, old: Option<&Current>, payload: &Payload) -> Result<Change, WriteError> {
    if let Some(old) = old {
        old.check(volume)?;
        // What is due goes first, for its room. What cannot be removed stops nothing here, and is told by a sweep.
        let _ = stale_generation::sweep(volume, &old.name, SystemTime::now());
    }
    let new = generation::make(volume, payload, old)?;
    // Before it is replaced: a kill behind that would leave it with the time of its making, and its readers with less than 5 s.
    old.inspect(|old| volume.touch(&old.name));
    let put = if old.is_some() { links::replace } else { links::put };
    put(volume, DATA, &new).inspect_err(|why| generation::discard(volume, &new, why))?;
    Ok(Change::Swapped)
}

/// Does something to the volume, and sets the times of its directory back when that has changed them.
fn in_time<T>(
    volume: &Directory,
    change: impl FnOnce(&Directory) -> Result<T, WriteError>,
) -> Result<T, WriteError> {
    let look = || fstat(volume).map_err(at("looking at", "the volume"));
    let before = look()?;
    let done = change(volume);
    let after = look()?;
    let changed = |of: &FileStat| nanoseconds(of.st_mtime, of.st_mtime_nsec);
    if changed(&before) == changed(&after) {
        return done;
    }
    let last_access = TimeSpec::new(before.st_atime, before.st_atime_nsec);
    let last_modification = TimeSpec::new(before.st_mtime, before.st_mtime_nsec);
    let restored = futimens(volume, &last_access, &last_modification);
    done.and_then(|done| restored.map(|()| done).map_err(at("setting back the time of", "the volume")))
}
