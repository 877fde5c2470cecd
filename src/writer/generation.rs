//! A generation: one directory with all files, complete before a link points to it.

use std::collections::BTreeSet;
use std::ffi::CString;

use jiff::Timestamp;
use nix::errno::Errno;
use nix::sys::stat::{Mode, fstat, mkdirat};

use super::{WriteError, removal};
use crate::payload::{File, Payload};
use crate::spec::MountPath;
use crate::writer::access::{Access, set_mode};
use crate::writer::directory::{Directory, MAX_DEPTH};
use crate::writer::error::at;

/// Mode of every directory: names of files are not secret.
pub(crate) const DIRECTORY_MODE: u32 = 0o755;

/// A new name: `..`, the time in UTC, and a random number. No other process can create it in advance.
pub(crate) fn new_name() -> String {
    format!("..{}.{}", Timestamp::now().strftime("%Y_%m_%d_%H_%M_%S"), rand::random::<u32>())
}

/// Whether `name` has the form of a generation's name, vaultmount's or the driver's.
pub(crate) fn is_name(name: &[u8]) -> bool {
    let parts = name
        .strip_prefix(b"..")
        .and_then(|rest| rest.split_at_checked(19))
        .and_then(|(time, rest)| Some((time, rest.strip_prefix(b".")?)));
    parts.is_some_and(|(time, random)| {
        let is_time = time.iter().all(|byte| byte.is_ascii_digit() || *byte == b'_');
        is_time && !random.is_empty() && random.iter().all(u8::is_ascii_digit)
    })
}

/// Creates a generation and returns its name. Calls `check` before each file, and stops if it fails. After a failure the generation is removed;
/// a part that remains is removed as a stale generation.
pub(crate) fn create(
    volume: &Directory,
    payload: &Payload,
    check: impl Fn() -> Result<(), WriteError>,
) -> Result<String, WriteError> {
    let name = new_name();
    mkdirat(volume, name.as_str(), Mode::S_IRWXU).map_err(at("creating", &name))?;
    fill(volume, &name, payload, check).inspect_err(|why| discard(volume, &name, why))?;
    Ok(name)
}

/// Removes a generation to which no link points, after the failure `why`. A part that remains is removed as a stale generation. Does nothing
/// in a volume that ends, because the driver removes everything.
pub(crate) fn discard(volume: &Directory, name: &str, why: &WriteError) {
    if !why.is_concurrent_removal() {
        let _ = CString::new(name).map(|name| removal::remove(volume, &name));
    }
}

fn fill(
    volume: &Directory,
    name: &str,
    payload: &Payload,
    check: impl Fn() -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    let generation = Directory::open(volume, name).map_err(at("opening", name))?;
    for path in directories(payload)? {
        check()?;
        create_directory(&generation, path).map_err(at("creating", path))?;
    }
    for file in payload.files() {
        check()?;
        write(&generation, file).map_err(at("writing", file.path.as_str()))?;
    }
    set_mode(&generation, DIRECTORY_MODE).map_err(at("setting the mode of", name))
}

/// All directories of `payload`, each after its parent.
pub(crate) fn directories(payload: &Payload) -> Result<BTreeSet<&str>, WriteError> {
    let paths = payload.files().iter().map(|file| &file.path);
    match paths.clone().find(|path| path.as_str().matches('/').count() > MAX_DEPTH - 2) {
        Some(path) => Err(WriteError::TooDeep(path.to_string())),
        None => Ok(paths.flat_map(MountPath::directories).collect()),
    }
}

fn create_directory(generation: &Directory, path: &str) -> Result<(), Errno> {
    let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
    mkdirat(Directory::open(generation, parent)?, name, Mode::S_IRWXU)?;
    // Not with mkdir, because the umask of the process would apply.
    set_mode(&Directory::open(generation, path)?, DIRECTORY_MODE)
}

/// Creates and writes `file`. Sets the mode before the owner: to change the mode of another user's file a process needs the capability
/// FOWNER, which vaultmount does not have. No permission bit is cleared by a change of the owner.
fn write(generation: &Directory, file: &File) -> Result<(), Errno> {
    let (handle, access) = (generation.create(file.path.as_str())?, Access::wanted(file));
    let mut rest = file.contents.expose(); // into the volume
    while !rest.is_empty() {
        match nix::unistd::write(&handle, rest) {
            Ok(0) => return Err(Errno::ENOSPC),
            Ok(written) => rest = &rest[written..],
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
    set_mode(&handle, access.mode)?;
    let is_ours = Access::from_stat(&fstat(&handle)?).owner == access.owner;
    if is_ours { Ok(()) } else { access.owner.apply(&handle) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_known_by_its_name() {
        assert!(is_name(new_name().as_bytes()), "{}", new_name());
        assert!(is_name(b"..2026_11_21_09_30_00.3141592653"), "the driver's");
        for other in [
            "..",
            "..data",
            "..data_tmp",
            "..2026_11_21_09_30_00",
            "..2026_11_21_09_30_00.",
            "..2026_11_21_09_30_00.1/x",
            "..2026_11_21_09_30_xx.1",
            "db",
        ] {
            assert!(!is_name(other.as_bytes()), "{other}");
        }
    }
}
