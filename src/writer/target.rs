//! From the path of a request to the volume's own directory: what is no volume of this pod is refused here.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, openat, openat2};
use nix::sys::stat::{Mode, fstat, fstatat};
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};

use super::{DATA, Target, WriteError};
use crate::writer::directory::{BENEATH, Directory};
use crate::writer::error::at;

/// Where the kubelet mounts a volume, in a directory of the volume's own.
const MOUNT: &str = "mount";

/// Opens the volume at `target`, from `root` downwards.
pub(crate) fn open(root: &Path, target: &Target<'_>) -> Result<Directory, WriteError> {
    enter(&above(root, target)?, target)
}

/// The same for a volume that was filled before: one whose end has begun is refused, and no handle of it is held for a moment.
pub(crate) fn open_filled(root: &Path, target: &Target<'_>) -> Result<Directory, WriteError> {
    let parent = above(root, target)?;
    if is_ending(&parent) { Err(WriteError::Ending(target.path.to_owned())) } else { enter(&parent, target) }
}

/// Opens the directory that holds the mount point.
fn above(root: &Path, target: &Target<'_>) -> Result<OwnedFd, WriteError> {
    let beneath = parent(root, target)?;
    let opened = openat(AT_FDCWD, root, DIRECTORY, Mode::empty());
    let root = opened.map_err(|error| failed(error, "opening the kubelet's directory", root))?;
    step(&root, &beneath, target)
}

/// Whether something is mounted that has no `..data`. Each look is one call: whoever holds a handle makes the umount fail that follows.
fn is_ending(parent: &OwnedFd) -> bool {
    let look = |path: &Path| fstatat(parent, path, AtFlags::AT_SYMLINK_NOFOLLOW);
    let is_mounted = || {
        look(Path::new(MOUNT))
            .is_ok_and(|mount| fstat(parent).is_ok_and(|parent| parent.st_dev != mount.st_dev))
    };
    look(&Path::new(MOUNT).join(DATA)).is_err_and(|error| error == Errno::ENOENT) && is_mounted()
}

fn enter(parent: &OwnedFd, target: &Target<'_>) -> Result<Directory, WriteError> {
    let volume = step(parent, Path::new(MOUNT), target)?;
    check(parent, &volume, target.path)?;
    Directory::of(&volume, ".").map_err(at("opening the volume", target.path.display().to_string()))
}

/// A handle that only leads on: a directory is opened for reading once it is known to be a volume.
const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// The directory that holds the mount point, as a path below `root`.
fn parent(root: &Path, target: &Target<'_>) -> Result<PathBuf, WriteError> {
    let outside = |_| WriteError::Outside { target: target.path.to_owned(), root: root.to_owned() };
    let below = target.path.strip_prefix(root).map_err(outside)?;
    let parts: Option<Vec<&OsStr>> = below.components().map(normal).collect();
    match parts.as_deref() {
        Some([uid, volumes, plugin, _, mount])
            if *volumes == "volumes" && *plugin == "kubernetes.io~csi" && *mount == MOUNT =>
        {
            let other =
                || WriteError::OtherPod { target: target.path.to_owned(), uid: target.pod_uid.to_owned() };
            (*uid == target.pod_uid).then(|| below.parent().unwrap_or(below).to_owned()).ok_or_else(other)
        }
        _ => Err(WriteError::NotAVolume(target.path.to_owned())),
    }
}

fn normal(part: Component<'_>) -> Option<&OsStr> {
    match part {
        Component::Normal(name) => Some(name),
        _ => None,
    }
}

fn step(from: &OwnedFd, path: &Path, target: &Target<'_>) -> Result<OwnedFd, WriteError> {
    openat2(from, path, OpenHow::new().flags(DIRECTORY).resolve(BENEATH)).map_err(|error| match error {
        Errno::ELOOP | Errno::EXDEV => WriteError::Link(target.path.to_owned()),
        _ => failed(error, "opening", target.path),
    })
}

fn failed(error: Errno, doing: &'static str, path: &Path) -> WriteError {
    match error {
        Errno::ENOENT | Errno::ENOTDIR => WriteError::Missing(path.to_owned(), error.into()),
        _ => at(doing, path.display().to_string())(error),
    }
}

/// Refuses what is not a tmpfs of its own.
fn check(parent: &OwnedFd, volume: &OwnedFd, path: &Path) -> Result<(), WriteError> {
    let failed = |error| at("looking at", path.display().to_string())(error);
    if fstat(parent).map_err(failed)?.st_dev == fstat(volume).map_err(failed)?.st_dev {
        return Err(WriteError::NotMounted(path.to_owned()));
    }
    let medium = fstatfs(volume).map_err(failed)?.filesystem_type();
    if medium == TMPFS_MAGIC { Ok(()) } else { Err(WriteError::NotInMemory(path.to_owned())) }
}
