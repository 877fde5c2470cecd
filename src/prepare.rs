//! `vaultmount prepare`: lets an unprivileged vaultmount put its sockets into the driver's directories.
//!
//! Runs in an init container as uid 0 with CAP_CHOWN and nothing else, so it may write only where root itself may
//! (no DAC_OVERRIDE) and may change modes only of what root owns (no FOWNER).
//!
//! What an unprivileged vaultmount cannot tell, root can: whether a socket that a peer running as root left behind still
//! has a listener. So dead sockets of our names go here.
//!
//! The directories are shared with other providers, and some of these run as root without capabilities: handing a
//! directory over would lock them out. So its owner stays, its group becomes ours, and the group may write. Not
//! sticky: the dead socket of a peer that was killed must be removable by us.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use thiserror::Error;

use crate::server::clear_dead;

/// Opens directories to an unprivileged vaultmount; runs as root with CAP_CHOWN
#[derive(Args, Debug, Clone)]
pub struct PrepareArgs {
    /// Directory that sockets go to; made when it is missing
    #[arg(long = "socket-dir", value_name = "DIR", required = true)]
    pub socket_dirs: Vec<PathBuf>,
    /// Directory for the sealed records; made when it is missing, and vaultmount's alone
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
    #[error("{0}: is a link or no directory; give the directory itself to --socket-dir")]
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

/// What the group needs to bind, rename and remove sockets.
const GROUP_WRITES: u32 = 0o070;

/// Prepares each directory; one that is fit already is not touched. A dead socket that will not go is told on stderr
/// only: if it matters, readiness says so for as long as it does.
pub fn prepare(args: &PrepareArgs) -> Result<(), PrepareError> {
    for directory in &args.socket_dirs {
        open_to_group(directory, args.gid)?;
        let sockets: Vec<_> = args.socket_names.iter().map(|name| directory.join(name)).collect();
        if let Err(error) = clear_dead(&sockets) {
            eprintln!("vaultmount: {}: a dead socket cannot be removed ({error}); remove it by hand", directory.display());
        }
    }
    args.state_dir.as_deref().map_or(Ok(()), |directory| hand_over(directory, args.uid, args.gid))
}

/// Makes `directory` the user's, and nobody else's.
fn hand_over(directory: &Path, uid: u32, gid: u32) -> Result<(), PrepareError> {
    let handle = open(directory)?;
    let wanted = Access { owner: uid, group: gid, mode: 0o700 };
    let found = access(&handle).map_err(at(directory, "looking at it"))?;
    if found == wanted {
        return Ok(());
    }
    let change = || {
        // Ours first: root without FOWNER must own what it changes the mode of.
        own(&handle, Some(rustix::process::geteuid()), gid)?;
        let readable = rustix::fs::openat(&handle, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::fs::fchmod(&readable, Mode::from(wanted.mode))?;
        own(&handle, Some(Uid::from_raw(uid)), gid)
    };
    change().map_err(at(directory, "making it vaultmount's own"))
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
    match rustix::fs::mkdir(directory, Mode::from(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(at(directory, "making it")(error)),
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOTDIR | Errno::LOOP => PrepareError::NotADirectory(directory.into()),
        other => at(directory, "opening it")(other),
    })
}

fn access(handle: &OwnedFd) -> Result<Access, Errno> {
    let stat = rustix::fs::fstat(handle)?;
    Ok(Access { owner: stat.st_uid, group: stat.st_gid, mode: stat.st_mode & 0o7777 })
}

/// Changes the group, then the mode: root without FOWNER must own what it changes the mode of, so another owner is put
/// back at the end.
fn change(handle: &OwnedFd, found: Access, wanted: Access) -> Result<(), Errno> {
    if wanted.mode == found.mode {
        return own(handle, None, wanted.group);
    }
    let us = rustix::process::geteuid();
    own(handle, Some(us), wanted.group)?;
    // A handle without the right to read takes no mode: the owner, who we are by now, opens it once more.
    let readable = rustix::fs::openat(handle, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::fs::fchmod(&readable, Mode::from(wanted.mode))?;
    if found.owner == us.as_raw() { Ok(()) } else { own(handle, Some(Uid::from_raw(found.owner)), wanted.group) }
}

fn own(handle: &OwnedFd, owner: Option<Uid>, group: u32) -> Result<(), Errno> {
    rustix::fs::chownat(handle, "", owner, Some(Gid::from_raw(group)), AtFlags::EMPTY_PATH)
}

fn at(directory: &Path, doing: &'static str) -> impl Fn(Errno) -> PrepareError {
    let directory = directory.to_path_buf();
    move |error| PrepareError::System { directory: directory.clone(), doing, source: error.into() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::os::unix::net::UnixListener;

    use tempfile::TempDir;

    use super::*;

    fn access(owner: u32, group: u32, mode: u32) -> Access {
        Access { owner, group, mode }
    }

    #[test]
    fn nobody_loses_a_right_by_it() {
        let table = [
            (access(0, 0, 0o755), Ok(access(0, 65532, 0o775))),             // as the kubelet makes it
            (access(0, 65532, 0o775), Ok(access(0, 65532, 0o775))),         // the second time
            (access(65532, 65532, 0o755), Ok(access(65532, 65532, 0o775))), // a peer's image that runs as 65532
            (access(1000, 1000, 0o755), Ok(access(1000, 65532, 0o775))),    // a peer with an owner of its own keeps it
            (access(0, 1000, 0o775), Err(1000)),                            // a peer that writes by its group
            (access(0, 0, 0o1777), Ok(access(0, 65532, 0o1777))),
        ];
        for (found, expected) in table {
            assert_eq!(wanted(found, 65532), expected, "{found:?}");
        }
    }

    fn args(directory: PathBuf) -> PrepareArgs {
        let socket_names = vec!["vault.sock".into(), "live.sock".into()];
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        PrepareArgs { socket_dirs: vec![directory], state_dir: None, uid, gid, socket_names }
    }

    #[test]
    fn the_state_directory_is_ours_alone_and_a_second_run_changes_nothing() {
        let parent = TempDir::new().unwrap();
        let state = parent.path().join("state");
        let args = PrepareArgs { state_dir: Some(state.clone()), ..args(parent.path().join("providers")) };
        prepare(&args).unwrap();
        let first = state.metadata().unwrap();
        assert_eq!((first.mode() & 0o7777, first.uid()), (0o700, args.uid));
        prepare(&args).unwrap();
        let second = state.metadata().unwrap();
        assert_eq!((first.ctime(), first.ctime_nsec()), (second.ctime(), second.ctime_nsec()));
    }

    #[test]
    fn a_missing_directory_is_made_and_a_second_run_changes_nothing() {
        let parent = TempDir::new().unwrap();
        let directory = parent.path().join("providers");
        prepare(&args(directory.clone())).unwrap();
        let first = directory.metadata().unwrap();
        assert_eq!(first.mode() & 0o7777, 0o775);
        prepare(&args(directory.clone())).unwrap();
        let second = directory.metadata().unwrap();
        assert_eq!((first.ctime(), first.ctime_nsec()), (second.ctime(), second.ctime_nsec()));
    }

    #[test]
    fn dead_sockets_of_our_names_go_and_all_others_stay() {
        let directory = TempDir::new().unwrap();
        let socket = |name: &str| UnixListener::bind(directory.path().join(name)).unwrap();
        drop([socket("vault.sock"), socket("other.sock")]);
        let _live = socket("live.sock");
        prepare(&args(directory.path().into())).unwrap();
        let mut left: Vec<_> = directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["live.sock", "other.sock"]);
    }

    #[test]
    fn a_link_is_not_followed() {
        let parent = TempDir::new().unwrap();
        let (directory, link) = (parent.path().join("private"), parent.path().join("link"));
        std::fs::create_dir(&directory).unwrap();
        let before = directory.metadata().unwrap().mode();
        symlink(&directory, &link).unwrap();
        assert!(matches!(prepare(&args(link)), Err(PrepareError::NotADirectory(_))));
        assert_eq!(directory.metadata().unwrap().mode(), before);
    }

    #[test]
    fn a_missing_parent_is_named() {
        let error = prepare(&args("/nonexistent/providers".into())).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/providers: making it failed"), "{error}");
    }
}
