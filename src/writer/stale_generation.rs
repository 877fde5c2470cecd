//! What nothing leads to any more: kept for the readers that hold it, then removed.

use std::ffi::{CStr, CString};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{WriteError, generation, removal};
use crate::writer::directory::{Directory, nanoseconds};
use crate::writer::error::at;
use crate::writer::links::MOST;

/// For how long a generation stays once it is replaced: a reader that holds it reads on.
const KEPT: Duration = Duration::from_secs(5);
/// What a killed driver leaves, and stops at for ever.
const DRIVERS: &[u8] = b"..data_tmp";

/// Generations and links that nothing leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaleGeneration {
    /// When all of them may go.
    pub due: SystemTime,
}

impl StaleGeneration {
    /// Of a write that ends now, and has not said what it left.
    pub fn of_now() -> Self {
        Self { due: SystemTime::now() + KEPT }
    }
}

/// Those of the volume beside the generation `current`.
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

/// Removes those that are due, and tells of the others. One that cannot be removed keeps no other from it.
pub(crate) fn sweep(
    volume: &Directory,
    current: &str,
    now: SystemTime,
) -> Result<Option<StaleGeneration>, WriteError> {
    let mut failed = None;
    for name in names(volume, current)? {
        let is_kept = due(volume, &name, now).is_some_and(|due| now < due);
        if !is_kept && let Err(error) = removal::remove(volume, &name) {
            failed.get_or_insert(error);
        }
    }
    failed.map_or_else(|| find(volume, current, now), Err)
}

fn names(volume: &Directory, current: &str) -> Result<Vec<CString>, WriteError> {
    let mut names = volume.names(MOST).map_err(at("listing", "the volume"))?;
    names.retain(|name| {
        name.to_bytes() != current.as_bytes()
            && (generation::is_name(name.to_bytes()) || name.to_bytes() == DRIVERS)
    });
    Ok(names)
}

/// `KEPT` after its time, which is set when it is replaced; `None` when it is gone.
fn due(volume: &Directory, name: &CStr, now: SystemTime) -> Option<SystemTime> {
    let stat = volume.stat(name).ok()?;
    let age = u64::try_from(nanoseconds(stat.st_mtime, stat.st_mtime_nsec)).unwrap_or_default();
    let due = UNIX_EPOCH + Duration::from_nanos(age) + KEPT;
    // What happened and is still to come was before the clock was set back.
    if due > now + 2 * KEPT { Some(now) } else { Some(due) }
}
