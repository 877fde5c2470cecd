//! Opens the volume at the path of a request, and refuses everything that is not a volume of the pod.

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

/// Name of the mount point in the directory that the kubelet creates for each volume.
const MOUNT: &str = "mount";

/// Opens the volume at `target`, component by component from `root`.
pub(crate) fn open(root: &Path, target: &Target<'_>) -> Result<Directory, WriteError> {
    open_mount(&open_parent(root, target)?, target)
}

/// Like [`open`], for a volume that has files. Refuses a volume that is about to be unmounted, without opening any handle in it.
pub(crate) fn open_filled(root: &Path, target: &Target<'_>) -> Result<Directory, WriteError> {
    let parent = open_parent(root, target)?;
    if is_ending(&parent) {
        Err(WriteError::Ending(target.path.to_owned()))
    } else {
        open_mount(&parent, target)
    }
}

/// Opens the directory with the mount point.
fn open_parent(root: &Path, target: &Target<'_>) -> Result<OwnedFd, WriteError> {
    let parent = parent_path(root, target)?;
    let opened = openat(AT_FDCWD, root, DIRECTORY, Mode::empty());
    let root = opened.map_err(|error| failed(error, "opening the kubelet's directory", root))?;
    open_directory(&root, &parent, target)
}

/// Whether a volume without `..data` is mounted. Uses only calls without a handle, because an open handle would make the following umount fail.
fn is_ending(parent: &OwnedFd) -> bool {
    let stat = |path: &Path| fstatat(parent, path, AtFlags::AT_SYMLINK_NOFOLLOW);
    let is_mounted = || {
        stat(Path::new(MOUNT))
            .is_ok_and(|mount| fstat(parent).is_ok_and(|parent| parent.st_dev != mount.st_dev))
    };
    stat(&Path::new(MOUNT).join(DATA)).is_err_and(|error| error == Errno::ENOENT) && is_mounted()
}

fn open_mount(parent: &OwnedFd, target: &Target<'_>) -> Result<Directory, WriteError> {
    let volume = open_directory(parent, Path::new(MOUNT), target)?;
    check_tmpfs(parent, &volume, target.path)?;
    Directory::open(&volume, ".").map_err(at("opening the volume", target.path.display().to_string()))
}

/// Flags of an O_PATH handle: a directory is opened for reading only once it is known to be a volume.
const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// The path below `root` of the directory with the mount point.
fn parent_path(root: &Path, target: &Target<'_>) -> Result<PathBuf, WriteError> {
    let outside = |_| WriteError::Outside { target: target.path.to_owned(), root: root.to_owned() };
    let below = target.path.strip_prefix(root).map_err(outside)?;
    let parts: Option<Vec<&OsStr>> = below.components().map(normal).collect();
    match parts.as_deref() {
        Some([uid, volumes, plugin, _, mount])
            if *volumes == "volumes" && *plugin == "kubernetes.io~csi" && *mount == MOUNT =>
        {
            let other_pod =
                || WriteError::OtherPod { target: target.path.to_owned(), uid: target.pod_uid.to_owned() };
            (*uid == target.pod_uid).then(|| below.parent().unwrap_or(below).to_owned()).ok_or_else(other_pod)
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

fn open_directory(from: &OwnedFd, path: &Path, target: &Target<'_>) -> Result<OwnedFd, WriteError> {
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

/// Fails if nothing is mounted on `volume`, or not a tmpfs.
fn check_tmpfs(parent: &OwnedFd, volume: &OwnedFd, path: &Path) -> Result<(), WriteError> {
    let failed = |error| at("reading the status of", path.display().to_string())(error);
    if fstat(parent).map_err(failed)?.st_dev == fstat(volume).map_err(failed)?.st_dev {
        return Err(WriteError::NotMounted(path.to_owned()));
    }
    let filesystem = fstatfs(volume).map_err(failed)?.filesystem_type();
    if filesystem == TMPFS_MAGIC { Ok(()) } else { Err(WriteError::NotInMemory(path.to_owned())) }
}
