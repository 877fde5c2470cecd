//! A generation: one directory with all files, made whole before anything leads to it.

use std::collections::BTreeSet;
use std::ffi::CString;

use jiff::Timestamp;
use nix::errno::Errno;
use nix::sys::stat::{Mode, fstat, mkdirat};

use super::WriteError;
use super::removal;
use crate::payload::{File, Payload};
use crate::spec::MountPath;
use crate::writer::access::{Access, set_mode};
use crate::writer::current::Current;
use crate::writer::directory::Directory;
use crate::writer::error::at;
use crate::writer::removal::DEEPEST;

/// Mode of every directory: names are no secret.
pub(crate) const OPEN: u32 = 0o755;

/// A new name: `..`, the time in UTC, and a number by chance. Nobody else has it, so nothing planted stands in its way.
pub(crate) fn new_name() -> String {
    format!("..{}.{}", Timestamp::now().strftime("%Y_%m_%d_%H_%M_%S"), rand::random::<u32>())
}

/// Whether a generation may be called so, ours or the driver's.
pub(crate) fn is_name(name: &[u8]) -> bool {
    let parts = name
        .strip_prefix(b"..")
        .and_then(|rest| rest.split_at_checked(19))
        .and_then(|(time, rest)| Some((time, rest.strip_prefix(b".")?)));
    parts.is_some_and(|(time, chance)| {
        let is_time = time.iter().all(|byte| byte.is_ascii_digit() || *byte == b'_');
        is_time && !chance.is_empty() && chance.iter().all(u8::is_ascii_digit)
    })
}

/// Makes one, and gives its name; gives up once `..data` leads to `old` no more. On failure nothing of it is left, or what is left is swept.
pub(crate) fn make(
    volume: &Directory,
    payload: &Payload,
    old: Option<&Current>,
) -> Result<String, WriteError> {
    let name = new_name();
    mkdirat(volume, name.as_str(), Mode::S_IRWXU).map_err(at("making", &name))?;
    fill(volume, &name, payload, old).inspect_err(|why| discard(volume, &name, why))?;
    Ok(name)
}

/// Removes one that nothing came to lead to. What is left of it is swept; in a volume that ends, it goes sooner than we would remove it.
pub(crate) fn discard(volume: &Directory, name: &str, why: &WriteError) {
    if !why.is_of_what_is_gone() {
        let _ = CString::new(name).map(|name| removal::remove(volume, &name));
    }
}

fn fill(volume: &Directory, name: &str, payload: &Payload, old: Option<&Current>) -> Result<(), WriteError> {
    let check = || old.map_or(Ok(()), |old| old.check(volume));
    let generation = Directory::of(volume, name).map_err(at("opening", name))?;
    for path in directories(payload)? {
        check()?;
        make_directory(&generation, path).map_err(at("making", path))?;
    }
    for file in payload.files() {
        check()?;
        write(&generation, file).map_err(at("writing", file.path.as_str()))?;
    }
    set_mode(&generation, OPEN).map_err(at("opening up", name))
}

/// All directories of `payload`, each behind the one that it is in.
pub(crate) fn directories(payload: &Payload) -> Result<BTreeSet<&str>, WriteError> {
    let paths = payload.files().iter().map(|file| &file.path);
    match paths.clone().find(|path| path.as_str().matches('/').count() > DEEPEST - 2) {
        Some(path) => Err(WriteError::TooDeep(path.to_string())),
        None => Ok(paths.flat_map(MountPath::directories).collect()),
    }
}

fn make_directory(generation: &Directory, path: &str) -> Result<(), Errno> {
    let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
    mkdirat(Directory::of(generation, parent)?, name, Mode::S_IRWXU)?;
    // Not by mkdir: the umask of the process would have a say.
    set_mode(&Directory::of(generation, path)?, OPEN)
}

/// Mode before owner: once a file is another's, changing its mode needs a right (FOWNER) that we do without. No mode has a bit
/// that a change of owner clears.
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
    let is_ours = Access::of(&fstat(&handle)?).owner == access.owner;
    if is_ours { Ok(()) } else { access.owner.give(&handle) }
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
