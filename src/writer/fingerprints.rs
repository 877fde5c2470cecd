//! Fingerprints of written files, for files that vaultmount may not read back.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::stat::FileStat;
use serde::{Deserialize, Serialize};

use crate::payload::{File, Payload, VersionKey};
use crate::writer::directory::nanoseconds;

/// Limit of files whose fingerprints are saved over a restart; each takes about 100 bytes in addition to its path.
const PERSISTED: usize = 512;

/// The fingerprints of the files of one volume; part of the volume's state. A version does not reveal a file's content. Without the key with
/// which the versions were computed no fingerprint matches, and the volume is written again.
///
/// A root process whose only capability is CHOWN cannot read a file of mode 0400 and another uid. Such a file counts as unchanged if its
/// inode and the time of its last change (ctime, which cannot be set) are the same as after writing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprints(BTreeMap<String, Fingerprint>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fingerprint {
    /// The version of the content, with the writer's key.
    #[serde(rename = "version")]
    version: String,
    #[serde(rename = "inode")]
    inode: u64,
    /// Time of the last change of content, mode or owner, in nanoseconds since 1970.
    #[serde(rename = "changed")]
    changed: u64,
}

impl Fingerprint {
    fn new(file: &File, stat: &FileStat, key: &VersionKey) -> Self {
        let changed = u64::try_from(nanoseconds(stat.st_ctime, stat.st_ctime_nsec)).unwrap_or_default();
        Self { version: key.version("", file), inode: stat.st_ino, changed }
    }
}

impl Fingerprints {
    /// The fingerprints to save: none of a volume with very many files, which is written again after a restart.
    pub(crate) fn persisted(&self) -> Self {
        if self.0.len() <= PERSISTED { self.clone() } else { Self::default() }
    }

    /// Paths whose content differs in `now`, or that exist only before or only now; none if nothing is known from before.
    pub(crate) fn differing(&self, now: &Self) -> Vec<String> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let version = |all: &Self, path: &str| all.0.get(path).map(|fingerprint| fingerprint.version.clone());
        let paths: BTreeSet<_> = self.0.keys().chain(now.0.keys()).collect();
        paths.into_iter().filter(|path| version(self, path) != version(now, path)).cloned().collect()
    }

    /// Whether there is a fingerprint for each file of `payload`, and no other.
    pub(crate) fn cover(&self, payload: &Payload) -> bool {
        self.0.len() == payload.files().len()
            && payload.files().iter().all(|file| self.0.contains_key(file.path.as_str()))
    }

    /// Whether the file with this `stat` is the unchanged `file` that vaultmount wrote.
    pub(crate) fn matches(&self, file: &File, stat: &FileStat, key: &VersionKey) -> bool {
        self.0.get(file.path.as_str()).is_some_and(|known| *known == Fingerprint::new(file, stat, key))
    }

    /// Records `file`, whose stat is `stat` now.
    pub(crate) fn insert(&mut self, file: &File, stat: &FileStat, key: &VersionKey) {
        self.0.insert(file.path.as_str().to_owned(), Fingerprint::new(file, stat, key));
    }

    /// Removes all fingerprints: a new generation has new files.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
