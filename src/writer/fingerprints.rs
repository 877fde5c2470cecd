//! What we wrote, for files that we may not read back.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::stat::FileStat;
use serde::{Deserialize, Serialize};

use crate::payload::{File, Payload, VersionKey};
use crate::writer::directory::nanoseconds;

/// Files whose marks outlive a restart, some 100 bytes each beside their path.
const LASTING: usize = 512;

/// What was written into one volume: kept with the volume, and gone with it. A version in it tells nobody what a file holds; a process that
/// goes on with them needs the key that they were made with, and with any other writes anew.
///
/// A file of mode 0400 and another uid cannot be read back by a root whose only capability is CHOWN. It is taken to be unchanged
/// while it is the same file, untouched since: its number and the time of its last change, which nobody can set, say so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprints(BTreeMap<String, Fingerprint>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fingerprint {
    /// Of its content, by the key of the writer.
    #[serde(rename = "version")]
    version: String,
    #[serde(rename = "inode")]
    inode: u64,
    /// Time of its last change, content or rights, in nanoseconds since 1970.
    #[serde(rename = "changed")]
    changed: u64,
}

impl Fingerprint {
    fn of(file: &File, stat: &FileStat, key: &VersionKey) -> Self {
        let changed = u64::try_from(nanoseconds(stat.st_ctime, stat.st_ctime_nsec)).unwrap_or_default();
        Self { version: key.version("", file), inode: stat.st_ino, changed }
    }
}

impl Fingerprints {
    /// Those that may stand in a record: of very many files none, and a volume of so many is written once more after a restart.
    pub fn lasting(&self) -> Self {
        if self.0.len() <= LASTING { self.clone() } else { Self::default() }
    }

    /// Paths whose content is another in `now`, or only in one of both; none where nobody knows what was before.
    pub fn differing(&self, now: &Self) -> Vec<String> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let version = |marks: &Self, path: &str| marks.0.get(path).map(|mark| mark.version.clone());
        let paths: BTreeSet<_> = self.0.keys().chain(now.0.keys()).collect();
        paths.into_iter().filter(|path| version(self, path) != version(now, path)).cloned().collect()
    }

    /// Whether there is one for each file of `payload`, and no other.
    pub(crate) fn are_of(&self, payload: &Payload) -> bool {
        self.0.len() == payload.files().len()
            && payload.files().iter().all(|file| self.0.contains_key(file.path.as_str()))
    }

    /// Whether the file with this `stat` is the one that we wrote as `file`.
    pub(crate) fn is(&self, file: &File, stat: &FileStat, key: &VersionKey) -> bool {
        self.0.get(file.path.as_str()).is_some_and(|mark| *mark == Fingerprint::of(file, stat, key))
    }

    /// Remembers what is at the place of `file` now.
    pub(crate) fn put(&mut self, file: &File, stat: &FileStat, key: &VersionKey) {
        self.0.insert(file.path.as_str().to_owned(), Fingerprint::of(file, stat, key));
    }

    /// Forgets all: a new generation has new files.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
