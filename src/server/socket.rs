//! Socket files: created with their final mode, identified by device and inode, removed only if still the same file.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::Result;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, RenameFlags, renameat, renameat2};
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, UnixAddr, socket};
use nix::sys::stat::{Mode, SFlag, fchmod, fstatat};
use nix::unistd::unlink;
use tokio::net::UnixListener;

/// Bytes by which a socket's temporary name is longer than its name: `.` before the name, `.` and eight digits after it.
pub(crate) const TEMPORARY_NAME_BYTES: usize = 10;
/// Owner only: root, and other processes of our own user.
const MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;

/// Identifies a file, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// What exists at a socket's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Observed {
    /// The directory exists, the path does not.
    Nothing,
    /// A socket.
    Socket {
        /// The socket's file.
        file: FileId,
        /// Whether a process listens on it. Our own socket is not probed.
        liveness: Liveness,
    },
    /// A file that is not a socket.
    NoSocket,
    /// The directory does not exist.
    NoDirectory,
}

/// Whether a process listens on a socket file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Liveness {
    Alive,
    Dead,
    /// This process may not connect, so it cannot find out.
    Unknown,
}

/// A listening socket of this process.
pub(crate) struct Bound {
    /// Accepts the connections.
    pub(crate) listener: UnixListener,
    /// The socket's file.
    pub(crate) file: FileId,
}

/// What exists at `path`. Connects to a socket there to find out whether it has a listener, unless the socket is our `own`.
pub(crate) fn observe(path: &Path, own: Option<FileId>) -> Result<Observed> {
    let (file, kind) = match stat(path) {
        Ok(found) => found,
        Err(Errno::ENOENT) if path.parent().is_some_and(Path::is_dir) => return Ok(Observed::Nothing),
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(Observed::NoDirectory),
        Err(other) => return Err(other),
    };
    if kind != SFlag::S_IFSOCK {
        return Ok(Observed::NoSocket);
    }
    let liveness = if own == Some(file) { Liveness::Alive } else { probe(path)? };
    Ok(Observed::Socket { file, liveness })
}

/// Creates a listening socket of mode 0600 under a temporary name, and renames it to `path` if nothing exists there.
///
/// The mode is set before the socket is bound, so the umask cannot widen it at any time. A driver that sees the path can connect at
/// once.
///
/// # Errors
///
/// `EEXIST` when something exists at `path`.
pub(crate) fn bind(path: &Path) -> Result<Bound> {
    let socket = unix_socket()?;
    fchmod(&socket, MODE)?;
    let temporary = temporary_name(path);
    socket::bind(socket.as_raw_fd(), &UnixAddr::new(&temporary)?)?;
    let backlog = Backlog::new(BACKLOG)?;
    let renamed = socket::listen(&socket, backlog).and_then(|()| stat(&temporary)).and_then(|(file, _)| {
        renameat2(AT_FDCWD, &temporary, AT_FDCWD, path, RenameFlags::RENAME_NOREPLACE)?;
        Ok(file)
    });
    let file = renamed.inspect_err(|_| {
        let _ = unlink(&temporary); // the error to report is the one above
    })?;
    let listener = UnixListener::from_std(socket.into())
        .map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
    Ok(Bound { listener, file })
}

/// Creates a listening socket of mode 0600 at `path`, for a task of the async runtime.
///
/// # Errors
///
/// `EEXIST` when something exists at `path`.
pub(crate) fn bind_private(path: &Path) -> std::io::Result<tokio::net::UnixListener> {
    Ok(bind(path)?.listener)
}

/// Removes `path` if it is still `file`. Renames it to a temporary name and checks it again before unlinking: another file that took the
/// path in between is renamed back.
pub(crate) fn remove(path: &Path, file: FileId) -> Result<()> {
    match stat(path) {
        Ok((found, _)) if found == file => {}
        Ok(_) | Err(Errno::ENOENT) => return Ok(()),
        Err(other) => return Err(other),
    }
    let moved = temporary_name(path);
    match renameat(AT_FDCWD, path, AT_FDCWD, &moved) {
        Err(Errno::ENOENT) => return Ok(()),
        outcome => outcome?,
    }
    if stat(&moved)?.0 == file {
        unlink(&moved)
    } else {
        renameat2(AT_FDCWD, &moved, AT_FDCWD, path, RenameFlags::RENAME_NOREPLACE)
    }
}

fn stat(path: &Path) -> Result<(FileId, SFlag)> {
    let found = fstatat(AT_FDCWD, path, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    Ok((FileId { device: found.st_dev, inode: found.st_ino }, SFlag::from_bits_truncate(found.st_mode)))
}

/// Whether a process listens at `path`. A socket with a full backlog counts as alive, and so does a socket of another type.
fn probe(path: &Path) -> Result<Liveness> {
    let address = UnixAddr::new(path)?;
    Ok(match socket::connect(unix_socket()?.as_raw_fd(), &address) {
        Err(Errno::ECONNREFUSED | Errno::ENOENT) => Liveness::Dead,
        Err(Errno::EACCES | Errno::EPERM) => Liveness::Unknown,
        _ => Liveness::Alive,
    })
}

fn unix_socket() -> Result<OwnedFd> {
    // Non-blocking: connecting to a socket with a full backlog would wait for a listener that may never accept.
    socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)
}

/// A path next to `path` that no driver looks for.
fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{:08x}", rand::random::<u32>()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener as StdListener;

    use super::*;

    fn socket_path() -> (tempfile::TempDir, PathBuf) {
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
    async fn a_new_socket_listens_at_once_and_only_its_owner_may_connect() {
        let (directory, path) = socket_path();
        let bound = bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(
            observe(&path, None).unwrap(),
            Observed::Socket { file: bound.file, liveness: Liveness::Alive }
        );
        assert_eq!(names(directory.path()), ["vault.sock"]);
    }

    #[tokio::test]
    async fn a_socket_that_another_process_bound_in_between_stays() {
        let (directory, path) = socket_path();
        let _foreign = StdListener::bind(&path).unwrap();
        let before = observe(&path, None).unwrap();
        assert_eq!(bind(&path).err(), Some(Errno::EEXIST));
        assert_eq!(observe(&path, None).unwrap(), before);
        assert_eq!(names(directory.path()), ["vault.sock"]);
    }

    #[test]
    fn a_dead_socket_is_removed_and_its_successor_is_not() {
        let (directory, path) = socket_path();
        drop(StdListener::bind(&path).unwrap());
        let Observed::Socket { file, liveness: Liveness::Dead } = observe(&path, None).unwrap() else {
            panic!("not dead")
        };
        let other = FileId { inode: file.inode + 1, ..file };
        remove(&path, other).unwrap();
        assert_eq!(names(directory.path()), ["vault.sock"]);
        remove(&path, file).unwrap();
        assert_eq!(names(directory.path()), [""; 0]);
        remove(&path, file).unwrap();
    }

    #[test]
    fn a_file_that_is_not_a_socket_and_a_missing_directory_are_observed() {
        let (directory, path) = socket_path();
        assert_eq!(observe(&path, None).unwrap(), Observed::Nothing);
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert_eq!(observe(&path, None).unwrap(), Observed::NoSocket);
        assert_eq!(
            observe(&directory.path().join("missing/vault.sock"), None).unwrap(),
            Observed::NoDirectory
        );
    }
}
