//! `vaultmount prepare`: lets an unprivileged vaultmount put its sockets into the driver's directories.
//!
//! Runs in an init container as uid 0 with CAP_CHOWN and nothing else, so it may write only where root itself may
//! (no DAC_OVERRIDE) and may change modes only of what root owns (no FOWNER).
//!
//! What an unprivileged vaultmount cannot tell, root can: whether a socket that a peer running as root left behind still
//! has a listener. So dead sockets of our names go here.
//!
//! vaultmount runs as root where it writes the volumes itself, and as a user of its own else; the records of the one are closed to the
//! other. So the state is handed over here, in either direction.
//!
//! The directories are shared with other providers, and some of these run as root without capabilities: handing a
//! directory over would lock them out. So its owner stays, its group becomes ours, and the group may write. Not
//! sticky: the dead socket of a peer that was killed must be removable by us.

pub mod sockets; // other users' sockets, ours for as long as they are asked
pub mod state; // the records, handed from one user to another
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
use crate::server::clear_dead;

/// Opens directories to an unprivileged vaultmount; runs as root with CAP_CHOWN
#[derive(Args, Debug, Clone)]
pub struct PrepareArgs {
    /// Directory that sockets go to; made when it is missing
    #[arg(long = "socket-dir", value_name = "DIR", required = true)]
    pub socket_dirs: Vec<PathBuf>,
    /// Directory for the sealed records; made when it is missing, and with its files vaultmount's alone
    #[arg(long = "state-dir", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// The user that vaultmount runs as
    #[arg(long, default_value_t = 65532)]
    pub uid: u32,
    /// The group that vaultmount runs with
    #[arg(long, default_value_t = 65532)]
    pub gid: u32,
    /// Name of a socket that is removed from each directory when nobody listens on it
    #[arg(long = "socket-name", value_name = "NAME", default_values = ["vault.sock", "openbao.sock", "vaultmount.sock"])]
    pub socket_names: Vec<String>,
}

/// Why a directory could not be prepared.
#[derive(Debug, Error)]
pub enum PrepareError {
    /// Not a directory of its own.
    #[error("{0}: is a link or no directory; name the directory itself")]
    NotADirectory(PathBuf),
    /// Another provider may depend on the group.
    #[error(
        "{directory}: its group {group} may write there, so another provider may need it; run vaultmount with that group (runAsGroup: {group}, prepare --gid={group})"
    )]
    GroupTaken {
        /// The directory.
        directory: PathBuf,
        /// Its group.
        group: u32,
    },
    /// The system refused.
    #[error("{directory}: {doing} failed ({source}); run prepare as uid 0 with CAP_CHOWN")]
    System {
        /// The directory.
        directory: PathBuf,
        /// What.
        doing: &'static str,
        /// Why.
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

/// How a directory is opened to list it or to change its mode.
const READABLE: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// What the group needs to bind, rename and remove sockets.
const GROUP_WRITES: u32 = 0o070;

/// Prepares each directory; one that is fit already is not touched. A dead socket that will not go is told on stderr
/// only: if it matters, readiness says so for as long as it does.
pub fn prepare(args: &PrepareArgs) -> Result<(), PrepareError> {
    for directory in &args.socket_dirs {
        open_to_group(directory, args.gid)?;
        let sockets: Vec<_> = args.socket_names.iter().map(|name| directory.join(name)).collect();
        let _borrowed = Borrowed::of(&sockets);
        if let Err(error) = clear_dead(&sockets) {
            eprintln!(
                "vaultmount: {}: a dead socket cannot be removed ({error}); remove it by hand",
                directory.display()
            );
        }
    }
    args.state_dir.as_deref().map_or(Ok(()), |directory| state::hand_over(directory, args.uid, args.gid))
}

fn open_to_group(directory: &Path, gid: u32) -> Result<(), PrepareError> {
    let handle = open(directory)?;
    let found = access(&handle).map_err(at(directory, "looking at it"))?;
    match wanted(found, gid) {
        Ok(wanted) if wanted == found => Ok(()),
        Ok(wanted) => change(&handle, found, wanted).map_err(at(directory, "changing group and mode")),
        Err(group) => Err(PrepareError::GroupTaken { directory: directory.into(), group }),
    }
}

/// The access that lets group `gid` write and takes nothing from anybody; `Err` names a group that would lose its own.
fn wanted(found: Access, gid: u32) -> Result<Access, u32> {
    let ours = found.group == gid;
    if !ours && found.group != 0 && found.mode & 0o020 != 0 {
        return Err(found.group);
    }
    Ok(Access { group: gid, mode: found.mode | GROUP_WRITES, ..found })
}

/// Gives a handle of `directory` itself, never of what a link points to; needs no right to read it.
fn open(directory: &Path) -> Result<OwnedFd, PrepareError> {
    match mkdir(directory, Mode::from_bits_truncate(0o755)) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(at(directory, "making it")(error)),
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

/// Changes the group, then the mode: root without FOWNER must own what it changes the mode of, so another owner is put
/// back at the end.
fn change(handle: &OwnedFd, found: Access, wanted: Access) -> Result<(), Errno> {
    if wanted.mode == found.mode {
        return own(handle, None, wanted.group);
    }
    let us = geteuid();
    own(handle, Some(us), wanted.group)?;
    // A handle without the right to read takes no mode: the owner, who we are by now, opens it once more.
    let readable = openat(handle, ".", READABLE, Mode::empty())?;
    fchmod(&readable, Mode::from_bits_truncate(wanted.mode))?;
    if found.owner == us.as_raw() {
        Ok(())
    } else {
        own(handle, Some(Uid::from_raw(found.owner)), wanted.group)
    }
}

fn own(handle: &OwnedFd, owner: Option<Uid>, group: u32) -> Result<(), Errno> {
    fchownat(handle, "", owner, Some(Gid::from_raw(group)), AtFlags::AT_EMPTY_PATH)
}

fn at(directory: &Path, doing: &'static str) -> impl Fn(Errno) -> PrepareError {
    let directory = directory.to_path_buf();
    move |error| PrepareError::System { directory: directory.clone(), doing, source: error.into() }
}
