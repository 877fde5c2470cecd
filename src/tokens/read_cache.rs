//! What one token has read, and what its policy has denied.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::{FetchError, Fetched};
use crate::mutex::Mutex;
use crate::single_flight::SingleFlight;
use crate::spec::Source;

/// How long a denial counts as the policy's. After that the role may have another policy, which only a new login has.
const DENIED: Duration = Duration::from_secs(30);

/// A read that is under way, or its response.
pub(crate) type ReadFlight = SingleFlight<Result<Arc<Fetched>, FetchError>>;

/// How old a response may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MaxAge {
    /// For the mount that reads now.
    pub(crate) most: Duration,
    /// For any mount. The response stays in the cache for this time.
    pub(crate) refresh: Duration,
}

impl MaxAge {
    /// Only a call that begins now is young enough.
    pub(crate) const NONE: Self = Self { most: Duration::ZERO, refresh: Duration::ZERO };
}

/// Reads by one token.
#[derive(Default)]
pub(crate) struct ReadCache {
    reads: Mutex<HashMap<Source, Read>>,
    denied: Mutex<HashMap<Source, Instant>>,
    /// Whether the token may not look itself up even while it is valid: its role lacks the default policy.
    self_lookup_denied: AtomicBool,
}

struct Read {
    began: Instant,
    /// When no mount can use it any more: the longest `refresh` of the mounts that used it.
    until: Instant,
    flight: ReadFlight,
}

impl ReadCache {
    /// The read of `source` that is young enough for `age`, or else the one that `start` starts; and whether another mount started it.
    pub(crate) fn join_or_start(
        &self,
        source: &Source,
        age: MaxAge,
        start: impl FnOnce(Instant) -> ReadFlight,
    ) -> (ReadFlight, bool) {
        let now = Instant::now();
        let mut reads = self.reads.lock();
        if let Some(read) = reads.get_mut(source)
            && !age.most.is_zero()
            && now.duration_since(read.began) <= age.most
        {
            read.until = read.until.max(now + age.refresh);
            return (read.flight.clone(), true);
        }
        let flight = start(now);
        reads.insert(source.clone(), Read { began: now, until: now + age.refresh, flight: flight.clone() });
        (flight, false)
    }

    /// Removes the read of `source` that began at `began`: its response is not for other mounts.
    pub(crate) fn remove(&self, source: &Source, began: Instant) {
        let mut reads = self.reads.lock();
        if reads.get(source).is_some_and(|read| read.began == began) {
            reads.remove(source);
        }
    }

    /// Removes all responses and denials.
    pub(crate) fn clear(&self) {
        self.reads.lock().clear();
        self.denied.lock().clear();
    }

    /// Removes responses that are too old for every mount.
    pub(crate) fn remove_old(&self, now: Instant) {
        self.reads.lock().retain(|_, read| read.until > now || !read.flight.is_done());
    }

    /// Whether `source` was denied not long ago.
    pub(crate) fn is_denied(&self, source: &Source) -> bool {
        let denied = self.denied.lock();
        denied.get(source).is_some_and(|since| since.elapsed() < DENIED)
    }

    /// Remembers that `source` is denied now.
    pub(crate) fn add_denial(&self, source: &Source) {
        self.denied.lock().insert(source.clone(), Instant::now());
    }

    /// Forgets that `source` was denied.
    pub(crate) fn remove_denial(&self, source: &Source) {
        self.denied.lock().remove(source);
    }

    /// Whether the token may not look itself up even while it is valid.
    pub(crate) fn is_self_lookup_denied(&self) -> bool {
        self.self_lookup_denied.load(Ordering::Relaxed)
    }

    /// Remembers whether the token, which is valid now, may not look itself up.
    pub(crate) fn set_self_lookup_denied(&self, denied: bool) {
        self.self_lookup_denied.store(denied, Ordering::Relaxed);
    }
}
