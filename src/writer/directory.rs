//! A directory handle. Paths below it are resolved through no link and stay on its filesystem.

use std::ffi::{CStr, CString, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::NixPath;
use nix::dir::{Dir, Entry};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, UtimensatFlags, fstatat, utimensat};
use nix::sys::time::TimeSpec;

/// Every path is resolved beneath the handle and through no link.
pub(crate) const BENEATH: ResolveFlag = ResolveFlag::RESOLVE_BENEATH
    .union(ResolveFlag::RESOLVE_NO_SYMLINKS)
    .union(ResolveFlag::RESOLVE_NO_MAGICLINKS);
/// A path within a volume also stays on the volume's filesystem.
const WITHIN: ResolveFlag = BENEATH.union(ResolveFlag::RESOLVE_NO_XDEV);

/// Limit of nested directories in a payload and in a removal: each needs an open handle.
pub(crate) const MAX_DEPTH: usize = 64;

/// An open directory. A volume cannot be unmounted while a handle of it is open.
pub(crate) struct Directory(OwnedFd);

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Directory {
    /// Opens the directory `path` below `parent`, or `parent` itself for `.`.
    pub(crate) fn open(parent: &impl AsFd, path: &(impl NixPath + ?Sized)) -> Result<Self, Errno> {
        open_at(parent, path, OFlag::O_RDONLY | OFlag::O_DIRECTORY).map(Self)
    }

    /// Opens a file for reading, without blocking: it may be a pipe.
    pub(crate) fn read(&self, path: &(impl NixPath + ?Sized)) -> Result<OwnedFd, Errno> {
        open_at(self, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)
    }

    /// Opens an O_PATH handle: it needs no permission on the file, and has no effect on a device.
    pub(crate) fn open_path(&self, path: &(impl NixPath + ?Sized)) -> Result<OwnedFd, Errno> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat2(self, path, OpenHow::new().flags(flags).resolve(WITHIN))
    }

    /// Creates a new file of mode 0600; fails if `path` exists.
    pub(crate) fn create(&self, path: &(impl NixPath + ?Sized)) -> Result<OwnedFd, Errno> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat2(self, path, OpenHow::new().flags(flags).mode(Mode::S_IRUSR | Mode::S_IWUSR).resolve(WITHIN))
    }

    /// The target of the link `name`; `None` if it is not a link.
    pub(crate) fn link(&self, name: &str) -> Option<OsString> {
        readlinkat(self, name).ok()
    }

    /// The stat of `name`, which is one path component; a link is not followed.
    pub(crate) fn stat(&self, name: &CStr) -> Result<FileStat, Errno> {
        fstatat(self, name, AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    /// The names in the directory without `.` and `..`, at most `most`.
    pub(crate) fn names(&self, most: usize) -> Result<Vec<CString>, Errno> {
        let entries = Dir::from_fd(open_at(self, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY)?)?.into_iter();
        let names = entries.map(|entry| entry.map(name_of));
        let others =
            names.filter(|name| !name.as_ref().is_ok_and(|name| matches!(name.to_bytes(), b"." | b"..")));
        others.take(most).collect()
    }

    /// Sets the times of `name` to now, the start of a stale generation's 5 s. Without permission they stay, and it is removed earlier.
    pub(crate) fn touch(&self, name: &str) {
        let now = TimeSpec::UTIME_NOW;
        let _ = utimensat(self, name, &now, &now, UtimensatFlags::NoFollowSymlink);
    }
}

/// Opens without a change of the access time where that is allowed: only the owner may use O_NOATIME.
fn open_at(parent: &impl AsFd, path: &(impl NixPath + ?Sized), flags: OFlag) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let open = |flags| openat2(parent, path, OpenHow::new().flags(flags).resolve(WITHIN));
    open(flags | OFlag::O_NOATIME)
        .or_else(|error| if error == Errno::EPERM { open(flags) } else { Err(error) })
}

fn name_of(entry: Entry) -> CString {
    entry.file_name().to_owned()
}

/// Nanoseconds since 1970 from the seconds and nanoseconds of a stat, whose types differ between architectures.
pub(crate) fn nanoseconds(seconds: impl Into<i128>, nanoseconds: impl Into<i128>) -> i128 {
    seconds.into() * 1_000_000_000 + nanoseconds.into()
}
