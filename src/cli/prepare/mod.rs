//! `vaultmount prepare`: lets an unprivileged vaultmount create its sockets in the driver's directories.
//!
//! Runs in an init container as uid 0 with CAP_CHOWN and no other capability. So it may write only where root's own permissions allow it
//! (no DAC_OVERRIDE), and may change modes only of files that root owns (no FOWNER).
//!
//! An upstream provider that runs as root may leave a socket behind. Root can find out whether a process still listens on it, an
//! unprivileged vaultmount cannot. So this command removes dead sockets of our names.
//!
//! vaultmount runs as root if it writes the volumes itself, and as its own user otherwise. One user cannot read the records of the other.
//! So this command changes the owner of the state directory, in either direction.
//!
//! The socket directories are shared with other providers, some of which run as root without capabilities: a change of the owner would lock
//! them out. So the owner stays, the group becomes ours, and the group may write. The directory is not sticky, because vaultmount must be
//! able to remove the dead socket of a provider that was killed.

mod sockets; // sockets of other users, owned by root while they are probed
mod state; // changes the owner of the state directory
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use clap::Args;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fchmod, fstat};
use nix::unistd::{Gid, Uid, fchownat, geteuid, mkdir};
use thiserror::Error;

use crate::cli::prepare::sockets::Borrowed;
use crate::server::remove_dead;

/// Lets an unprivileged vaultmount write into directories; runs as root with CAP_CHOWN
#[derive(Args, Debug, Clone)]
pub(crate) struct PrepareArgs {
    /// Directory for sockets; created if it is missing
    #[arg(long = "socket-dir", value_name = "DIR", required = true)]
    pub(crate) socket_dirs: Vec<PathBuf>,
    /// Directory for the sealed records; created if it is missing, and accessible only to vaultmount
    #[arg(long = "state-dir", value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// The user that vaultmount runs as
    #[arg(long, default_value_t = 65532)]
    pub(crate) uid: u32,
    /// The group that vaultmount runs with
    #[arg(long, default_value_t = 65532)]
    pub(crate) gid: u32,
    /// Name of a socket that is removed from each directory if no process listens on it
    #[arg(long = "socket-name", value_name = "NAME", default_values = ["vault.sock", "openbao.sock", "vaultmount.sock"])]
    pub(crate) socket_names: Vec<String>,
}

/// Why a directory could not be prepared.
#[derive(Debug, Error)]
pub(crate) enum PrepareError {
    /// The path is a link, or not a directory.
    #[error("{0}: is a symbolic link or not a directory; name the directory itself")]
    NotADirectory(PathBuf),
    /// The directory has another group that may write, which another provider may need.
    #[error(
        "{directory}: its group {group} may write there, so another provider may need it; run vaultmount with that group (runAsGroup: {group}, prepare --gid={group})"
    )]
    GroupTaken {
        /// The directory.
        directory: PathBuf,
        /// Its group.
        group: u32,
    },
    /// A system call failed.
    #[error("{directory}: {doing} failed ({source}); run prepare as uid 0 with CAP_CHOWN")]
    System {
        /// The directory.
        directory: PathBuf,
        /// The step that failed.
        doing: &'static str,
        /// The error of the system call.
        source: io::Error,
    },
}

/// Owner, group and permission bits of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Access {
    owner: u32,
    group: u32,
    mode: u32,
}

/// Flags to open a directory for listing it or changing its mode.
const READABLE: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// Permissions that the group needs to bind, rename and remove sockets.
const GROUP_WRITES: u32 = 0o070;

/// Prepares each directory; a directory that already has the right permissions is not changed. A dead socket that cannot be removed is
/// only reported on stderr: if it matters, serve reports it in its readiness.
pub(crate) fn prepare(args: &PrepareArgs) -> Result<(), PrepareError> {
    for directory in &args.socket_dirs {
        open_to_group(directory, args.gid)?;
        let sockets: Vec<_> = args.socket_names.iter().map(|name| directory.join(name)).collect();
        let _borrowed = Borrowed::new(&sockets);
        if let Err(error) = remove_dead(&sockets) {
            eprintln!(
                "vaultmount: {}: a dead socket cannot be removed ({error}); remove it by hand",
                directory.display()
            );
        }
    }
    args.state_dir.as_deref().map_or(Ok(()), |directory| state::change_owner(directory, args.uid, args.gid))
}

fn open_to_group(directory: &Path, gid: u32) -> Result<(), PrepareError> {
    let handle = open(directory)?;
    let found = access(&handle).map_err(at(directory, "reading its mode"))?;
    match wanted(found, gid) {
        Ok(wanted) if wanted == found => Ok(()),
        Ok(wanted) => change(&handle, found, wanted).map_err(at(directory, "changing group and mode")),
        Err(group) => Err(PrepareError::GroupTaken { directory: directory.into(), group }),
    }
}

/// The access with which group `gid` may write and no other user loses a permission; `Err` is a group that would lose its permission.
fn wanted(found: Access, gid: u32) -> Result<Access, u32> {
    let is_ours = found.group == gid;
    if !is_ours && found.group != 0 && found.mode & 0o020 != 0 {
        return Err(found.group);
    }
    Ok(Access { group: gid, mode: found.mode | GROUP_WRITES, ..found })
}

/// Creates `directory` if it is missing, and opens it; fails for a link. Needs no permission to read the directory.
fn open(directory: &Path) -> Result<OwnedFd, PrepareError> {
    match mkdir(directory, Mode::from_bits_truncate(0o755)) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(at(directory, "creating it")(error)),
    }
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    nix::fcntl::open(directory, flags, Mode::empty()).map_err(|error| match error {
        Errno::ENOTDIR | Errno::ELOOP => PrepareError::NotADirectory(directory.into()),
        other => at(directory, "opening it")(other),
    })
}

fn access(handle: &OwnedFd) -> Result<Access, Errno> {
    let stat = fstat(handle)?;
    Ok(Access { owner: stat.st_uid, group: stat.st_gid, mode: stat.st_mode & 0o7777 })
}

/// Changes the group, then the mode. Root without FOWNER must own a directory to change its mode: so root becomes the owner first, and the
/// former owner is restored at the end.
fn change(handle: &OwnedFd, found: Access, wanted: Access) -> Result<(), Errno> {
    if wanted.mode == found.mode {
        return chown(handle, None, wanted.group);
    }
    let us = geteuid();
    chown(handle, Some(us), wanted.group)?;
    // The mode cannot be set through an O_PATH handle, so the directory is opened again, now as its owner.
    let readable = openat(handle, ".", READABLE, Mode::empty())?;
    fchmod(&readable, Mode::from_bits_truncate(wanted.mode))?;
    if found.owner == us.as_raw() {
        Ok(())
    } else {
        chown(handle, Some(Uid::from_raw(found.owner)), wanted.group)
    }
}

fn chown(handle: &OwnedFd, owner: Option<Uid>, group: u32) -> Result<(), Errno> {
    fchownat(handle, "", owner, Some(Gid::from_raw(group)), AtFlags::AT_EMPTY_PATH)
}

fn at(directory: &Path, doing: &'static str) -> impl Fn(Errno) -> PrepareError {
    let directory = directory.to_path_buf();
    move |error| PrepareError::System { directory: directory.clone(), doing, source: error.into() }
}
