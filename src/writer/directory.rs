//! A directory by its handle: names below it lead through no link, and to no other filesystem.

use std::ffi::{CStr, CString, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::NixPath;
use nix::dir::{Dir, Entry};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, UtimensatFlags, fstatat, utimensat};
use nix::sys::time::TimeSpec;

/// How every path is looked up: beneath the handle, and through no link.
pub(crate) const BENEATH: ResolveFlag = ResolveFlag::RESOLVE_BENEATH
    .union(ResolveFlag::RESOLVE_NO_SYMLINKS)
    .union(ResolveFlag::RESOLVE_NO_MAGICLINKS);
/// The same for a path within a volume: on no other filesystem either.
const WITHIN: ResolveFlag = BENEATH.union(ResolveFlag::RESOLVE_NO_XDEV);

/// An open directory; a volume cannot be unmounted while one of it is held.
pub(crate) struct Directory(OwnedFd);

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Directory {
    /// The directory `path` of `parent`, or `parent` itself for `.`.
    pub(crate) fn of(parent: &impl AsFd, path: &(impl NixPath + ?Sized)) -> Result<Self, Errno> {
        open(parent, path, OFlag::O_RDONLY | OFlag::O_DIRECTORY).map(Self)
    }

    /// Opens for reading, without waiting: what has the name may be a pipe.
    pub(crate) fn read(&self, path: &(impl NixPath + ?Sized)) -> Result<OwnedFd, Errno> {
        open(self, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)
    }

    /// A handle for looking alone: it needs no right on the file, and opening it does nothing to a device.
    pub(crate) fn glance(&self, path: &(impl NixPath + ?Sized)) -> Result<OwnedFd, Errno> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat2(self, path, OpenHow::new().flags(flags).resolve(WITHIN))
    }

    /// Makes a file that is not there, for us alone.
    pub(crate) fn create(&self, path: &(impl NixPath + ?Sized)) -> Result<OwnedFd, Errno> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat2(self, path, OpenHow::new().flags(flags).mode(Mode::S_IRUSR | Mode::S_IWUSR).resolve(WITHIN))
    }

    /// Where the link `name` leads; `None` when it is no link.
    pub(crate) fn link(&self, name: &str) -> Option<OsString> {
        readlinkat(self, name).ok()
    }

    /// What `name` is, link or not. `name` is one part, so there is nothing to follow.
    pub(crate) fn stat(&self, name: &CStr) -> Result<FileStat, Errno> {
        fstatat(self, name, AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    /// The names in it but `.` and `..`, and no more than `most`.
    pub(crate) fn names(&self, most: usize) -> Result<Vec<CString>, Errno> {
        let entries = Dir::from_fd(open(self, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY)?)?.into_iter();
        let names = entries.map(|entry| entry.map(name_of));
        let others =
            names.filter(|name| !name.as_ref().is_ok_and(|name| matches!(name.to_bytes(), b"." | b"..")));
        others.take(most).collect()
    }

    /// Sets the time of `name` to now: since then nothing leads to it. Somebody else's is left as it is, and goes earlier.
    pub(crate) fn touch(&self, name: &str) {
        let now = TimeSpec::UTIME_NOW;
        let _ = utimensat(self, name, &now, &now, UtimensatFlags::NoFollowSymlink);
    }
}

/// Opens without a trace in the time of the last access, where that is allowed: only an owner may.
fn open(parent: &impl AsFd, path: &(impl NixPath + ?Sized), flags: OFlag) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let open = |flags| openat2(parent, path, OpenHow::new().flags(flags).resolve(WITHIN));
    open(flags | OFlag::O_NOATIME)
        .or_else(|error| if error == Errno::EPERM { open(flags) } else { Err(error) })
}

fn name_of(entry: Entry) -> CString {
    entry.file_name().to_owned()
}

/// Nanoseconds since 1970 of what `stat` gives as seconds and their rest, whose types differ between machines.
pub(crate) fn nanoseconds(seconds: impl Into<i128>, rest: impl Into<i128>) -> i128 {
    seconds.into() * 1_000_000_000 + rest.into()
}
