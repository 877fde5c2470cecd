//! The directory of the records: its owner, its lock, its files.
//!
//! All files are opened below one handle and no link is followed. Nothing is synced to a disk: the directory is in memory, and a crash
//! of the machine ends the pods too.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, Flock, FlockArg, OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::sys::statfs::fstatfs;
use nix::unistd::{UnlinkatFlags, geteuid, mkdir, unlinkat};
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::{RecordId, StateError, Why};

/// Size of the largest record, in bytes.
const LARGEST: usize = 1024 * 1024;
/// Records that are read at most. A node has some hundred volumes.
const MOST: usize = 16_384;
/// Time between two attempts to lock the directory.
const RETRY: Duration = Duration::from_millis(100);
/// The file that is locked. It is never removed, for a lock on a removed file has no effect.
const LOCK: &str = "lock";
/// Suffix of files that are being written.
const UNFINISHED: &str = ".new";

/// A directory in memory that belongs to this process and is locked as long as this value lives.
pub(crate) struct Directory {
    path: PathBuf,
    handle: OwnedFd,
    /// The lock ends when this is closed, also when the process is killed.
    _lock: Flock<OwnedFd>,
    /// Numbers the files that are being written, so that two writes of one record do not use the same file.
    written: AtomicU64,
}

impl Directory {
    /// Creates the directory with mode 0700 when it is missing. Its parent must exist.
    pub(crate) fn make(path: &Path) -> Result<(), StateError> {
        match mkdir(path, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(error) => Err(at(path, "creating it")(error)),
        }
    }

    /// Opens an existing directory once its lock is free. Waits for `wait` at most. Removes files that a crash left half written.
    pub(crate) async fn open(path: &Path, wait: Duration) -> Result<Self, StateError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let handle = openat(AT_FDCWD, path, flags, Mode::empty()).map_err(at(path, "opening it"))?;
        check(&handle, path)?;
        let lock = lock(&handle, path, Instant::now() + wait).await?;
        let directory = Self { path: path.to_owned(), handle, _lock: lock, written: AtomicU64::new(0) };
        for name in directory.names()?.iter().filter(|name| name.ends_with(UNFINISHED)) {
            directory.unlink(name)?;
        }
        Ok(directory)
    }

    /// The names of all records, sorted. Other files are ignored.
    pub(crate) fn ids(&self) -> Result<Vec<RecordId>, StateError> {
        let names = self.names()?;
        let mut ids: Vec<_> = names.iter().filter_map(|name| RecordId::of_file(name)).collect();
        ids.sort();
        let (other_files, left_out) = (names.len() - ids.len(), ids.len().saturating_sub(MOST));
        // The lock, and the socket of operators' commands.
        if other_files > 2 || left_out > 0 {
            warn!(directory = %self.path.display(), left_out, "the state directory holds files that are not records, or too many records");
        }
        ids.truncate(MOST);
        Ok(ids)
    }

    /// Forgets a record; one that is gone already is no failure.
    pub(crate) fn remove(&self, id: &RecordId) -> Result<(), StateError> {
        self.unlink(id.as_str())
    }

    /// Reads the file of a record.
    pub(crate) fn read(&self, id: &RecordId) -> Result<Vec<u8>, Why> {
        // Nonblocking, for the file may be a pipe.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let unreadable = |error: Errno| Why::Unreadable(io::Error::from(error).kind());
        let file = match openat(&self.handle, id.as_str(), flags, Mode::empty()) {
            Err(Errno::ELOOP) => return Err(Why::NotAFile),
            opened => opened.map_err(unreadable)?,
        };
        let stat = fstat(&file).map_err(unreadable)?;
        if SFlag::from_bits_truncate(stat.st_mode) != SFlag::S_IFREG {
            return Err(Why::NotAFile);
        }
        let mut bytes = Vec::new();
        let read = File::from(file).take(LARGEST as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| Why::Unreadable(error.kind()))?;
        if bytes.len() > LARGEST { Err(Why::TooLarge) } else { Ok(bytes) }
    }

    /// Writes a record to a new file, and renames that to the record's name.
    pub(crate) fn write(&self, id: &RecordId, bytes: &[u8]) -> Result<(), StateError> {
        if bytes.len() > LARGEST {
            return Err(StateError::TooLarge { id: id.clone(), bytes: bytes.len() });
        }
        let temporary = format!("{id}.{}{UNFINISHED}", self.written.fetch_add(1, Ordering::Relaxed));
        let renamed = || Ok(renameat(&self.handle, temporary.as_str(), &self.handle, id.as_str())?);
        self.write_new(&temporary, bytes).and_then(|()| renamed()).map_err(|source| {
            // Best effort: the next process that opens the directory removes the file.
            let _ = unlinkat(&self.handle, temporary.as_str(), UnlinkatFlags::NoRemoveDir);
            StateError::System { path: self.path.clone(), doing: "writing a record", source }
        })
    }

    fn write_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        File::from(openat(&self.handle, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?).write_all(bytes)
    }

    fn unlink(&self, name: &str) -> Result<(), StateError> {
        match unlinkat(&self.handle, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(at(&self.path, "removing a file")(error)),
        }
    }

    /// Every name but `.` and `..`. All names of records are text.
    fn names(&self) -> Result<Vec<String>, StateError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let opened = Dir::openat(&self.handle, ".", flags, Mode::empty());
        let listed = opened.and_then(|directory| directory.into_iter().collect::<Result<Vec<_>, _>>());
        let entries = listed.map_err(at(&self.path, "listing it"))?;
        let names = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
        Ok(names.filter(|name| name != "." && name != "..").collect())
    }
}

/// Refuses a directory that is on a disk, or that another user may open.
fn check(handle: &OwnedFd, path: &Path) -> Result<(), StateError> {
    /// `statfs` of tmpfs and ramfs, in linux/magic.h.
    const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];
    let medium = fstatfs(handle).map_err(at(path, "reading its file system type"))?.filesystem_type().0;
    // The type's width and sign differ between machines; the numbers have 32 bits.
    if !IN_MEMORY.contains(&(medium as u32)) {
        return Err(StateError::NotInMemory(path.to_owned()));
    }
    let stat = fstat(handle).map_err(at(path, "reading its owner and mode"))?;
    let (owner, mode, us) = (stat.st_uid, stat.st_mode & 0o7777, geteuid().as_raw());
    if owner == us && mode == 0o700 {
        Ok(())
    } else {
        Err(StateError::NotOurs { path: path.to_owned(), owner, mode, us })
    }
}

async fn lock(handle: &OwnedFd, path: &Path, until: Instant) -> Result<Flock<OwnedFd>, StateError> {
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let locking = at(path, "locking it");
    let mut file = openat(handle, LOCK, flags, Mode::S_IRUSR | Mode::S_IWUSR).map_err(&locking)?;
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(locked),
            Err((_, Errno::EWOULDBLOCK)) if Instant::now() >= until => {
                return Err(StateError::Locked(path.to_owned()));
            }
            Err((file, Errno::EWOULDBLOCK)) => file,
            Err((_, error)) => return Err(locking(error)),
        };
        sleep(RETRY).await;
    }
}

fn at(path: &Path, doing: &'static str) -> impl Fn(Errno) -> StateError {
    let path = path.to_path_buf();
    move |error| StateError::System { path: path.clone(), doing, source: error.into() }
}
