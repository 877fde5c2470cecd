//! Binding without a window, and whose socket a path is.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};
use tokio::net::UnixListener;

/// Connections that may wait to be accepted: a node's pods start all at once.
const BACKLOG: i32 = 1024;

/// Which file a path leads to: device and inode.
pub(super) type Identity = (u64, u64);

/// A socket that is ours, for as long as its path leads to it.
pub(super) struct Bound {
    pub(super) listener: UnixListener,
    pub(super) identity: Identity,
}

/// What stands at a socket's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The socket that we bound.
    Ours,
    /// Nothing.
    Nothing,
    /// A socket that nobody listens on.
    Dead,
    /// A socket that another process listens on.
    Foreign,
    /// No socket at all.
    NoSocket,
}

/// Looks at `path`; `ours` is what we bound there.
pub(super) fn look(path: &Path, ours: Option<Identity>) -> io::Result<Found> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Ok(Found::NoSocket);
    }
    if ours == Some((metadata.dev(), metadata.ino())) {
        return Ok(Found::Ours);
    }
    match connect(unix_socket()?, &SocketAddrUnix::new(path)?) {
        Err(Errno::CONNREFUSED) => Ok(Found::Dead),
        Err(Errno::NOENT) => Ok(Found::Nothing),
        // Connected, or its queue is full: somebody listens.
        Ok(()) | Err(Errno::AGAIN) => Ok(Found::Foreign),
        // One that we may not even connect to is nobody's but its owner's.
        Err(Errno::ACCESS | Errno::PROTOTYPE) => Ok(Found::Foreign),
        Err(error) => Err(error.into()),
    }
}

/// Listens at `path`, in place of a dead socket if one stands there.
///
/// The socket gets its mode before it gets a name, and its name by a rename: nobody ever connects to it with another
/// mode, and the path is never without a listener once it had one.
pub(super) fn bind_at(path: &Path) -> io::Result<Bound> {
    let socket = unix_socket()?;
    fchmod(socket.as_fd(), Mode::RUSR | Mode::WUSR)?;
    let new = new_name(path);
    let _ = fs::remove_file(&new);
    bind(socket.as_fd(), &SocketAddrUnix::new(&new)?)?;
    let named = listen(socket.as_fd(), BACKLOG).map_err(io::Error::from).and_then(|()| fs::rename(&new, path));
    if let Err(error) = named {
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    let metadata = fs::symlink_metadata(path)?;
    Ok(Bound { listener: UnixListener::from_std(socket.into())?, identity: (metadata.dev(), metadata.ino()) })
}

/// Removes the socket at `path` when it is `ours`: a successor's stays.
pub(super) fn remove(path: &Path, ours: Identity) {
    if look(path, Some(ours)).is_ok_and(|found| found == Found::Ours) {
        let _ = fs::remove_file(path);
    }
}

/// Removes a socket at `path` that nobody listens on.
pub(super) fn remove_dead(path: &Path) -> io::Result<bool> {
    let dead = look(path, None)? == Found::Dead;
    if dead {
        fs::remove_file(path)?;
    }
    Ok(dead)
}

/// Short, for a socket's path has 107 bytes; hidden, so that no driver takes it for a provider.
fn new_name(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{stem}"))
}

fn unix_socket() -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?)
}
