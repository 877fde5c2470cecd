//! What survives a restart: sealed records in a directory in memory (tmpfs), one file for each token, volume and group.

mod body; // JSON bodies of records, without a copy that is not wiped
pub(crate) mod config; // where the records are, and what they are bound to
pub(crate) mod directory; // the directory: its owner, its lock, its files
pub(crate) mod error; // StateError
pub(crate) mod key; // StateKey: the key that seals records
pub(crate) mod record; // one file: the part whose form never changes, and the body
pub(crate) mod seal; // bytes <-> sealed text, bound to its place
pub(crate) mod server; // a server in a form that never changes
#[cfg(test)]
pub(crate) mod golden;
#[cfg(test)]
mod tests;

pub(crate) use body::to_json;
pub(crate) use config::StateConfig;
pub(crate) use directory::Directory;
pub(crate) use error::StateError;
pub(crate) use key::{KeyRefused, StateKey};
pub(crate) use record::{Kind, Outer, Record, StoredRecord, Unusable, VERSION, Why};

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::digest;
use crate::secret::Secret;
use crate::state::seal::Seal;

/// The records of one node, opened by one process at a time.
pub(crate) struct Store {
    directory: Directory,
    seal: Seal,
}

impl Store {
    /// Opens the directory `path`, and creates it when only its last part is missing. Waits up to `wait` for an earlier process to release the
    /// directory.
    pub(crate) async fn open(
        path: &Path,
        key: StateKey,
        node: &str,
        wait: Duration,
    ) -> Result<Self, StateError> {
        Directory::make(path)?;
        Self::new(Directory::open(path, wait).await?, key, node)
    }

    /// The records in `directory`. `node` is the node's name: records that were sealed with another name cannot be decrypted.
    pub(crate) fn new(directory: Directory, key: StateKey, node: &str) -> Result<Self, StateError> {
        let seal = key.seal(node).ok_or(StateError::Seal)?;
        Ok(Self { directory, seal })
    }

    /// Every record, read one after another as the iterator goes.
    pub(crate) fn records(&self) -> Result<impl Iterator<Item = StoredRecord>, StateError> {
        let read = |id: RecordId| match self.directory.read(&id) {
            Ok(bytes) => record::read(id, &bytes, &self.seal),
            Err(why) => StoredRecord::Unusable(Unusable { id, why, outer: None }),
        };
        Ok(self.directory.ids()?.into_iter().map(read))
    }

    /// Writes a record, and replaces the one with the same `id`. A crash meanwhile leaves the old record or the new one.
    ///
    /// `body` is of version [`VERSION`]: see `docs/state.md` for what a later version may change. It must hold no JWT and no KV value.
    pub(crate) fn put(&self, id: &RecordId, outer: &Outer, body: &Secret) -> Result<(), StateError> {
        self.directory.write(id, &record::write(id, VERSION, outer, body, &self.seal)?)
    }

    /// Removes a record. A record that does not exist is no failure.
    pub(crate) fn remove(&self, id: &RecordId) -> Result<(), StateError> {
        self.directory.remove(id)
    }
}

/// A hash of the body that was last written for a record, so that a record is written only when it has changed.
#[derive(Debug, Default)]
pub(crate) struct Written(AtomicU64);

impl Written {
    /// Writes `body` unless it equals the last one. `outer` is called only to write.
    pub(crate) fn put(
        &self,
        store: &Store,
        id: &RecordId,
        body: &Secret,
        outer: impl FnOnce() -> Outer,
    ) -> Result<(), StateError> {
        let mut hasher = DefaultHasher::new();
        body.expose().hash(&mut hasher);
        if self.0.swap(hasher.finish(), Ordering::Relaxed) == hasher.finish() {
            return Ok(());
        }
        // After a failure the next call must write again.
        store.put(id, &outer(), body).inspect_err(|_| self.0.store(0, Ordering::Relaxed))
    }
}

/// The name of a record: a SHA-256 in hex, for its parts are longer than a file name may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct RecordId(String);

impl RecordId {
    /// The name of the record that belongs to `parts`, in this order. Its bytes must never change: see `docs/state.md`.
    pub(crate) fn of<T: AsRef<[u8]>>(parts: &[T]) -> Self {
        Self(digest::of(parts).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The name as a file has it; `None` when `name` is no name of a record.
    fn of_file(name: &str) -> Option<Self> {
        let digest = name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        digest.then(|| Self(name.to_owned()))
    }

    /// A number of 0 to 1 that is always the same for this record.
    pub(crate) fn fraction(&self) -> f64 {
        let digits = self.0.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        f64::from(digits.unwrap_or_default()) / f64::from(u32::MAX)
    }

    /// The name of the record's file.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
