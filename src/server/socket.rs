//! Socket files: born with their mode, known by their inode, removed only as what they were seen to be.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::Result;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, RenameFlags, renameat, renameat2};
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, UnixAddr, socket};
use nix::sys::stat::{Mode, SFlag, fchmod, fstatat};
use nix::unistd::unlink;
use tokio::net::UnixListener;

use crate::server::watch::{Listener, Observed};

/// What the name of a socket gains while it is made or removed: `.` before it, `.` and eight digits after it.
pub(crate) const ASIDE_BYTES: usize = 10;
/// Owner only; nothing may connect that root or we did not start.
const MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);
/// Connections that may wait for their accept.
const BACKLOG: i32 = 128;

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// A listening socket of ours.
pub(crate) struct Bound {
    /// Takes the connections.
    pub(crate) listener: UnixListener,
    /// Its file.
    pub(crate) identity: Identity,
}

/// Looks at `path`; asks for a listener unless the socket there is the one we `held`.
pub(crate) fn look(path: &Path, held: Option<Identity>) -> Result<Observed> {
    let (identity, kind) = match stat(path) {
        Ok(found) => found,
        Err(Errno::ENOENT) if path.parent().is_some_and(Path::is_dir) => return Ok(Observed::Nothing),
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(Observed::NoDirectory),
        Err(other) => return Err(other),
    };
    if kind != SFlag::S_IFSOCK {
        return Ok(Observed::NoSocket);
    }
    let listener = if held == Some(identity) { Listener::Alive } else { probe(path)? };
    Ok(Observed::Socket { identity, listener })
}

/// Makes a socket that listens with mode 0600 before it has its name, and gives it the name only if that is free.
///
/// The mode is set on the socket before it is bound, so no umask and no moment widens it; and a driver that sees the
/// name can connect.
pub(crate) fn bind(path: &Path) -> Result<Bound> {
    let socket = unix_socket()?;
    fchmod(&socket, MODE)?;
    let born = aside(path);
    socket::bind(socket.as_raw_fd(), &UnixAddr::new(&born)?)?;
    let backlog = Backlog::new(BACKLOG)?;
    let named = socket::listen(&socket, backlog).and_then(|()| stat(&born)).and_then(|(identity, _)| {
        renameat2(AT_FDCWD, &born, AT_FDCWD, path, RenameFlags::RENAME_NOREPLACE)?;
        Ok(identity)
    });
    let identity = named.inspect_err(|_| {
        let _ = unlink(&born); // the failure above is the one to tell
    })?;
    let listener = UnixListener::from_std(socket.into())
        .map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
    Ok(Bound { listener, identity })
}

/// Removes `path` if it is still `identity`. It is moved aside and looked at before it goes: what took its place since
/// it was last seen is put back.
pub(crate) fn clear(path: &Path, identity: Identity) -> Result<()> {
    match stat(path) {
        Ok((found, _)) if found == identity => {}
        Ok(_) | Err(Errno::ENOENT) => return Ok(()),
        Err(other) => return Err(other),
    }
    let moved = aside(path);
    match renameat(AT_FDCWD, path, AT_FDCWD, &moved) {
        Err(Errno::ENOENT) => return Ok(()),
        outcome => outcome?,
    }
    if stat(&moved)?.0 == identity {
        unlink(&moved)
    } else {
        renameat2(AT_FDCWD, &moved, AT_FDCWD, path, RenameFlags::RENAME_NOREPLACE)
    }
}

fn stat(path: &Path) -> Result<(Identity, SFlag)> {
    let found = fstatat(AT_FDCWD, path, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    Ok((Identity { device: found.st_dev, inode: found.st_ino }, SFlag::from_bits_truncate(found.st_mode)))
}

/// Whether a connection would be taken. A full backlog is alive, and so is a socket of another type.
fn probe(path: &Path) -> Result<Listener> {
    let address = UnixAddr::new(path)?;
    Ok(match socket::connect(unix_socket()?.as_raw_fd(), &address) {
        Err(Errno::ECONNREFUSED | Errno::ENOENT) => Listener::Dead,
        Err(Errno::EACCES | Errno::EPERM) => Listener::Unknown,
        _ => Listener::Alive,
    })
}

fn unix_socket() -> Result<OwnedFd> {
    // Non-blocking: connecting to a full backlog would wait for a listener that may never take anything.
    socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)
}

/// A name beside `path` that no driver looks for.
fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{:08x}", rand::random::<u32>()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener as StdListener;

    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.sock");
        (directory, path)
    }

    fn names(directory: &Path) -> Vec<String> {
        std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[tokio::test]
    async fn a_socket_is_born_listening_for_its_owner_alone() {
        let (directory, path) = place();
        let bound = bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(
            look(&path, None).unwrap(),
            Observed::Socket { identity: bound.identity, listener: Listener::Alive }
        );
        assert_eq!(names(directory.path()), ["vault.sock"]);
    }

    #[tokio::test]
    async fn a_name_that_is_taken_in_between_is_not_displaced() {
        let (directory, path) = place();
        let _foreign = StdListener::bind(&path).unwrap();
        let before = look(&path, None).unwrap();
        assert_eq!(bind(&path).err(), Some(Errno::EEXIST));
        assert_eq!(look(&path, None).unwrap(), before);
        assert_eq!(names(directory.path()), ["vault.sock"]);
    }

    #[test]
    fn a_dead_socket_is_cleared_and_its_successor_is_not() {
        let (directory, path) = place();
        drop(StdListener::bind(&path).unwrap());
        let Observed::Socket { identity, listener: Listener::Dead } = look(&path, None).unwrap() else {
            panic!("not dead")
        };
        let other = Identity { inode: identity.inode + 1, ..identity };
        clear(&path, other).unwrap();
        assert_eq!(names(directory.path()), ["vault.sock"]);
        clear(&path, identity).unwrap();
        assert_eq!(names(directory.path()), [""; 0]);
        clear(&path, identity).unwrap();
    }

    #[test]
    fn what_is_no_socket_is_seen_as_such() {
        let (directory, path) = place();
        assert_eq!(look(&path, None).unwrap(), Observed::Nothing);
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert_eq!(look(&path, None).unwrap(), Observed::NoSocket);
        assert_eq!(look(&directory.path().join("missing/vault.sock"), None).unwrap(), Observed::NoDirectory);
    }
}
