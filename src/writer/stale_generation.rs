//! Stale generations: no link points to them any more. They stay for a while for their readers, and are then removed.

use std::ffi::{CStr, CString};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{WriteError, generation, removal};
use crate::writer::directory::{Directory, nanoseconds};
use crate::writer::error::at;
use crate::writer::links::NAMES;

/// Time for which a generation stays after it was replaced, so that a reader which has opened its directory can still read the files.
const GRACE: Duration = Duration::from_secs(5);
/// The link that a killed driver leaves, and with which its writer fails for ever.
const DATA_TMP: &[u8] = b"..data_tmp";

/// Generations and temporary links to which no link points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StaleGeneration {
    /// The time at which all of them may be removed.
    pub(crate) due: SystemTime,
}

impl StaleGeneration {
    /// For a write that ends now with an error and so did not report what it replaced.
    pub(crate) fn since_now() -> Self {
        Self { due: SystemTime::now() + GRACE }
    }
}

/// The stale generations of `volume`, whose current generation is `current`; `None` if there are none.
pub(crate) fn find(
    volume: &Directory,
    current: &str,
    now: SystemTime,
) -> Result<Option<StaleGeneration>, WriteError> {
    Ok(names(volume, current)?
        .iter()
        .filter_map(|name| due(volume, name, now))
        .max()
        .map(|due| StaleGeneration { due }))
}

/// Removes the stale generations that are due, and returns the others. A failure to remove one does not prevent the removal of the others.
pub(crate) fn remove(
    volume: &Directory,
    current: &str,
    now: SystemTime,
) -> Result<Option<StaleGeneration>, WriteError> {
    let mut failed = None;
    for name in names(volume, current)? {
        let is_early = due(volume, &name, now).is_some_and(|due| now < due);
        if !is_early && let Err(error) = removal::remove(volume, &name) {
            failed.get_or_insert(error);
        }
    }
    failed.map_or_else(|| find(volume, current, now), Err)
}

fn names(volume: &Directory, current: &str) -> Result<Vec<CString>, WriteError> {
    let mut names = volume.names(NAMES).map_err(at("listing", "the volume"))?;
    names.retain(|name| {
        name.to_bytes() != current.as_bytes()
            && (generation::is_name(name.to_bytes()) || name.to_bytes() == DATA_TMP)
    });
    Ok(names)
}

/// The time at which `name` may be removed: `GRACE` after its mtime, which is set when it is replaced. `None` if it does not exist.
fn due(volume: &Directory, name: &CStr, now: SystemTime) -> Option<SystemTime> {
    let stat = volume.stat(name).ok()?;
    let age = u64::try_from(nanoseconds(stat.st_mtime, stat.st_mtime_nsec)).unwrap_or_default();
    let due = UNIX_EPOCH + Duration::from_nanos(age) + GRACE;
    // A time in the future means that the clock was set back: then it is due now.
    if due > now + 2 * GRACE { Some(now) } else { Some(due) }
}
