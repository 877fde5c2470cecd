//! The limits that all Vault calls of one mount share: time and memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use super::memory_quota::{MOUNT_LIMIT, MemoryQuota};

/// The largest response body that is read: the driver accepts 4 MiB for a volume, and JSON may take twice what the files hold.
pub(crate) const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// Retries end this long after a mount began, responses included. After that the kubelet's own retries serve better, and the pod's author
/// reads within 20 s what is wrong.
const RETRY_TIME: Duration = Duration::from_secs(18);

/// A time that no budget reaches, in place of one that the clock cannot represent.
const FAR: Duration = Duration::from_secs(24 * 3600);

/// The time and the memory of one mount. Clones share both.
#[derive(Clone, Debug)]
pub struct Budget {
    end: Instant,
    retries_end: Instant,
    reservation: Arc<Reservation>,
}

/// A reservation of memory that did not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum QuotaExceeded {
    /// The responses and texts of this mount alone are too large.
    #[error("the responses and texts of this mount are larger than 20 MiB together")]
    Mount,
    /// The running mounts of the node, or of the namespace, have reserved the memory.
    #[error("other running mounts use all of the memory for responses; the kubelet will retry")]
    Node,
}

/// Bytes of one mount. Dropped with the last of its calls, and released then.
#[derive(Debug)]
struct Reservation {
    bytes: AtomicUsize,
    /// The quota of the node, and the namespace of the mount.
    node: Option<(Arc<MemoryQuota>, String)>,
}

impl Budget {
    /// A budget from now until `end`.
    pub(crate) fn until(end: Instant) -> Self {
        let reservation = Arc::new(Reservation { bytes: AtomicUsize::new(0), node: None });
        Self { end, retries_end: end.min(after(RETRY_TIME)), reservation }
    }

    /// A budget from now for `time`.
    pub(crate) fn lasting(time: Duration) -> Self {
        Self::until(after(time))
    }

    /// The same budget, whose memory also counts in `quota` for `namespace`.
    pub(crate) fn of(self, namespace: &str, quota: &Arc<MemoryQuota>) -> Self {
        let node = Some((Arc::clone(quota), namespace.to_owned()));
        Self { reservation: Arc::new(Reservation { bytes: AtomicUsize::new(0), node }), ..self }
    }

    /// The namespace of the pod; empty for calls without a pod.
    pub(crate) fn namespace(&self) -> &str {
        self.reservation.node.as_ref().map_or("", |(_, namespace)| namespace)
    }

    /// When the budget ends.
    pub(crate) fn end(&self) -> Instant {
        self.end
    }

    /// The part of the budget in which a failed call may be retried.
    pub(crate) fn for_retries(&self) -> Self {
        Self { end: self.retries_end, ..self.clone() }
    }

    /// The memory of this budget, and `time` from now: for a call that goes on after the mount that began it has ended.
    pub(crate) fn detached(&self, time: Duration) -> Self {
        let end = after(time);
        Self { end, retries_end: end.min(after(RETRY_TIME)), reservation: Arc::clone(&self.reservation) }
    }

    /// The same budget for calls that may take at most `time`.
    pub(crate) fn at_most(&self, time: Duration) -> Self {
        Self { end: self.within(time), ..self.clone() }
    }

    /// Reserves `bytes` for a response, or for a text that is made from responses.
    ///
    /// # Errors
    /// If the limit is exceeded. Once it is exceeded, reserving 0 bytes fails too.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<(), QuotaExceeded> {
        if let Some((quota, namespace)) = &self.reservation.node
            && !quota.reserve(namespace, bytes)
        {
            return Err(QuotaExceeded::Node);
        }
        // Bytes over the limit are counted too: the drop releases them with the rest.
        let reserved = self.reservation.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if reserved > MOUNT_LIMIT { Err(QuotaExceeded::Mount) } else { Ok(()) }
    }

    /// Releases `bytes` of something that was dropped before the mount ended.
    pub(crate) fn release(&self, bytes: usize) {
        self.reservation.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if let Some((quota, namespace)) = &self.reservation.node {
            quota.release(namespace, bytes);
        }
    }

    /// The moment `time` from now, or the budget's end if that is earlier.
    pub(crate) fn within(&self, time: Duration) -> Instant {
        self.end.min(after(time))
    }
}

/// The moment `time` from now; a day from now if the clock cannot represent it.
fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now + FAR)
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some((quota, namespace)) = &self.node {
            quota.release(namespace, *self.bytes.get_mut());
        }
    }
}
