//! What all calls of one mount share: until when, and how much.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::MemoryQuota;
use crate::vault::VaultError;

/// Largest body that is read: the driver takes 4 MiB, and JSON may double what a file holds.
pub(crate) const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// Bytes that all answers of one mount, and the texts that are opened, may hold together: one class must not take the memory of all. A volume of
/// the largest size that is ciphertext in a secret takes 17 MiB: the secret, the text, the answer to it, and what it stands for.
pub(crate) const LIMIT: usize = 20 * 1024 * 1024;
/// Trying again ends this long after a mount began, answers included: then the kubelet's own pauses serve better, and a pod's
/// author reads within 20 s what is wrong.
const TRYING: Duration = Duration::from_secs(18);

/// What all calls of one mount share: the time, and the bytes that their answers may hold. Clones share both.
#[derive(Clone, Debug)]
pub struct Budget {
    end: Instant,
    trying_ends: Instant,
    room: Arc<Reservation>,
}

/// Bytes of one mount, given back when the last of its calls is done.
#[derive(Debug)]
struct Reservation {
    taken: AtomicUsize,
    /// Those of all mounts, and the namespace that takes of them.
    all: Option<(Arc<MemoryQuota>, String)>,
}

impl Budget {
    /// Begins now and ends at `end`.
    pub fn until(end: Instant) -> Self {
        let room = Arc::new(Reservation { taken: AtomicUsize::new(0), all: None });
        Self { end, trying_ends: end.min(after(TRYING)), room }
    }

    /// Begins now and ends after `time`.
    pub fn lasting(time: Duration) -> Self {
        Self::until(after(time))
    }

    /// The same with answers that count among those of all mounts, as `namespace`'s.
    pub fn of(self, namespace: &str, bytes: &Arc<MemoryQuota>) -> Self {
        let all = Some((Arc::clone(bytes), namespace.to_owned()));
        Self { room: Arc::new(Reservation { taken: AtomicUsize::new(0), all }), ..self }
    }

    /// Whose answers they are; empty where nobody said.
    pub fn namespace(&self) -> &str {
        self.room.all.as_ref().map_or("", |(_, namespace)| namespace)
    }

    /// The moment it ends.
    pub fn end(&self) -> Instant {
        self.end
    }

    /// What is left of it for trying again.
    pub(crate) fn for_another_try(&self) -> Self {
        Self { end: self.trying_ends, ..self.clone() }
    }

    /// The same for calls that may take at most `time`.
    pub fn at_most(&self, time: Duration) -> Self {
        Self { end: self.within(time), ..self.clone() }
    }

    /// Takes `bytes` of what the answers may hold, and the texts that are made of them before the files are; `doing` what, for the error.
    /// Where that is too much already, so it is for no bytes as well.
    pub fn take(&self, bytes: usize, doing: &str) -> Result<(), VaultError> {
        if let Some((all, namespace)) = &self.room.all
            && !all.take(namespace, bytes)
        {
            return Err(VaultError::OutOfMemory { doing: doing.to_owned() });
        }
        // What is taken beyond the limit goes back with the rest.
        let taken = self.room.taken.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let large = || VaultError::TooLarge {
            doing: doing.to_owned(),
            limit: "the answers and texts of this mount are larger than 20 MiB together",
        };
        if taken > LIMIT { Err(large()) } else { Ok(()) }
    }

    /// Gives back what was taken for something that is gone.
    pub fn give_back(&self, bytes: usize) {
        self.room.taken.fetch_sub(bytes, Ordering::Relaxed);
        if let Some((all, namespace)) = &self.room.all {
            all.give_back(namespace, bytes);
        }
    }

    /// The moment after `time` from now, or its own end when that is earlier.
    pub(crate) fn within(&self, time: Duration) -> Instant {
        self.end.min(after(time))
    }
}

/// The moment after `time` from now; a day from now where no clock reaches that.
fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now + Duration::from_secs(24 * 3600))
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some((all, namespace)) = &self.all {
            all.give_back(namespace, *self.taken.get_mut());
        }
    }
}
