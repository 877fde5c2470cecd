//! What survives a restart: sealed records in a directory in memory (tmpfs), one file a session or volume.

pub mod config; // where the records are, and what they are bound to
pub mod directory; // the directory: whose it is, its one lock, whole files
pub mod error; // StateError
pub mod key; // StateKey: what records are sealed with
pub mod record; // one file: the part that never changes its form, and the body
pub mod seal; // bytes <-> sealed text, bound to its place
pub mod server; // a server in a form that never changes
#[cfg(test)]
pub(crate) mod golden;
#[cfg(test)]
mod tests;

pub use config::StateConfig;
pub use directory::Directory;
pub use error::StateError;
pub use key::{KeyRefused, StateKey};
pub use record::{Kind, Outer, Record, StoredRecord, Unusable, VERSION, Why};

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::secret::Secret;
use crate::state::seal::Seal;

/// The records of one node, opened by one process at a time.
pub struct Store {
    directory: Directory,
    seal: Seal,
}

impl Store {
    /// Opens the directory `path`, and makes it when only its last part is missing. A predecessor that still holds it is
    /// given `wait` to end.
    pub async fn open(path: &Path, key: StateKey, node: &str, wait: Duration) -> Result<Self, StateError> {
        Directory::make(path)?;
        Self::new(Directory::open(path, wait).await?, key, node)
    }

    /// The records in `directory`. `node` is the node's name: what was sealed under another one does not open.
    pub fn new(directory: Directory, key: StateKey, node: &str) -> Result<Self, StateError> {
        let seal = key.seal(node).ok_or(StateError::Seal)?;
        Ok(Self { directory, seal })
    }

    /// Every record, read one after another as the iterator goes.
    pub fn records(&self) -> Result<impl Iterator<Item = StoredRecord>, StateError> {
        let read = |id: RecordId| match self.directory.read(&id) {
            Ok(bytes) => record::read(id, &bytes, &self.seal),
            Err(why) => StoredRecord::Unusable(Unusable { id, why, outer: None }),
        };
        Ok(self.directory.ids()?.into_iter().map(read))
    }

    /// Keeps a record, in the place of the one that `id` had. A crash on the way leaves the old one or the new one.
    ///
    /// `body` is of version [`VERSION`]: see `docs/state.md` for what a next one may change. No JWT and no KV value belongs
    /// in it.
    pub fn put(&self, id: &RecordId, outer: &Outer, body: &Secret) -> Result<(), StateError> {
        self.directory.write(id, &record::write(id, VERSION, outer, body, &self.seal)?)
    }

    /// Forgets a record; one that is gone already is no failure.
    pub fn remove(&self, id: &RecordId) -> Result<(), StateError> {
        self.directory.remove(id)
    }
}

/// What a record holds, by a digest: it is written again only when it has changed.
#[derive(Debug, Default)]
pub struct Written(AtomicU64);

impl Written {
    /// Puts `body` unless it is what was put last. `outer` is asked for only then.
    pub fn put(
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
        // What could not be put is tried again the next time.
        store.put(id, &outer(), body).inspect_err(|_| self.0.store(0, Ordering::Relaxed))
    }
}

/// The name of a record: a digest in hex, for its parts are longer than a file's name may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordId(String);

impl RecordId {
    /// The record that belongs to `parts`, in this order.
    pub fn of<T: AsRef<[u8]>>(parts: &[T]) -> Self {
        let mut digest = Sha256::new();
        for part in parts.iter().map(AsRef::as_ref) {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The record that a file holds; `None` when none is called so.
    fn of_file(name: &str) -> Option<Self> {
        let digest = name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        digest.then(|| Self(name.to_owned()))
    }

    /// The name of its file.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
