//! What this process wrote, for files that it may not read back.

use std::collections::HashMap;

use rustix::fs::Stat;

use super::directory::nanoseconds;
use crate::volume::{File, VersionKey};

/// What was written into one volume: kept with the volume, and gone with it.
///
/// A file of mode 0400 and another uid cannot be read back by a root whose only capability is CHOWN. It is taken to be unchanged
/// while it is the same file, untouched since: its number and the time of its last change, which nobody can set, say so.
#[derive(Debug, Default)]
pub struct Marks(HashMap<String, Mark>);

#[derive(Debug, PartialEq)]
struct Mark {
    /// Of its content, by a key that nobody else has.
    version: String,
    inode: u64,
    /// Time of its last change, content or rights, in nanoseconds.
    changed: i128,
}

impl Mark {
    fn of(file: &File, stat: &Stat, key: &VersionKey) -> Self {
        Self { version: key.version("", file), inode: stat.st_ino, changed: nanoseconds(stat.st_ctime, stat.st_ctime_nsec) }
    }
}

impl Marks {
    /// Whether the file with this `stat` is the one that we wrote as `file`.
    pub(super) fn is(&self, file: &File, stat: &Stat, key: &VersionKey) -> bool {
        self.0.get(file.path.as_str()).is_some_and(|mark| *mark == Mark::of(file, stat, key))
    }

    /// Remembers what is at the place of `file` now.
    pub(super) fn put(&mut self, file: &File, stat: &Stat, key: &VersionKey) {
        self.0.insert(file.path.as_str().to_owned(), Mark::of(file, stat, key));
    }

    /// Forgets all: a new generation has new files.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
