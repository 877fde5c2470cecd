//! A directory by its handle: names below it lead through no link, and to no other filesystem.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;
use rustix::path::Arg;

/// How every path is looked up: beneath the handle, and through no link.
pub(super) const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// An open directory; a volume cannot be unmounted while one of it is held.
pub(super) struct Directory(OwnedFd);

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Directory {
    /// The directory `path` of `parent`, or `parent` itself for `.`.
    pub(super) fn of(parent: &impl AsFd, path: impl Arg + Copy) -> Result<Self, Errno> {
        open(parent, path, OFlags::RDONLY | OFlags::DIRECTORY).map(Self)
    }

    /// Opens for reading, without waiting: what has the name may be a pipe.
    pub(super) fn read(&self, path: impl Arg + Copy) -> Result<OwnedFd, Errno> {
        open(self, path, OFlags::RDONLY | OFlags::NONBLOCK)
    }

    /// A handle for looking alone: it needs no right on the file, and opening it does nothing to a device.
    pub(super) fn glance(&self, path: impl Arg) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat2(self, path, flags, Mode::empty(), BENEATH | ResolveFlags::NO_XDEV)
    }

    /// Makes a file that is not there, for us alone.
    pub(super) fn create(&self, path: impl Arg) -> Result<OwnedFd, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat2(self, path, flags, Mode::RUSR | Mode::WUSR, BENEATH | ResolveFlags::NO_XDEV)
    }

    /// Where the link `name` leads; `None` when it is no link.
    pub(super) fn link(&self, name: &str) -> Option<CString> {
        rustix::fs::readlinkat(self, name, Vec::new()).ok()
    }

    /// What `name` is, link or not. `name` is one part, so there is nothing to follow.
    pub(super) fn stat(&self, name: &CStr) -> Result<Stat, Errno> {
        rustix::fs::statat(self, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// The names in it but `.` and `..`, and no more than `most`.
    pub(super) fn names(&self, most: usize) -> Result<Vec<CString>, Errno> {
        let entries = Dir::new(open(self, ".", OFlags::RDONLY | OFlags::DIRECTORY)?)?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_owned()));
        let others = names.filter(|name| !name.as_ref().is_ok_and(|name| matches!(name.to_bytes(), b"." | b"..")));
        others.take(most).collect()
    }

    /// Sets the time of `name` to now: since then nothing leads to it. Somebody else's is left as it is, and goes earlier.
    pub(super) fn touch(&self, name: &str) {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let both = Timestamps { last_access: now, last_modification: now };
        let _ = rustix::fs::utimensat(self, name, &both, AtFlags::SYMLINK_NOFOLLOW);
    }
}

/// Opens without a trace in the time of the last access, where that is allowed: only an owner may.
fn open(parent: &impl AsFd, path: impl Arg + Copy, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = |flags| rustix::fs::openat2(parent, path, flags, Mode::empty(), BENEATH | ResolveFlags::NO_XDEV);
    open(flags | OFlags::NOATIME).or_else(|error| if error == Errno::PERM { open(flags) } else { Err(error) })
}

/// Nanoseconds since 1970 of what `stat` gives as seconds and their rest, whose types differ between machines.
pub(super) fn nanoseconds(seconds: impl Into<i128>, rest: impl Into<i128>) -> i128 {
    seconds.into() * 1_000_000_000 + rest.into()
}
