//! Removes logins and responses that nobody needs any more, and ends them at a shutdown.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::{Logins, Slot, VaultToken};

impl Logins {
    /// Hides `token` from mounts that could still join it: it has issued something that belongs to one volume.
    pub(crate) fn detach(&self, token: &Arc<VaultToken>) {
        let is_token = |slot: &Slot| match slot {
            Slot::Pending(_) => false,
            Slot::Ready(ready) => std::ptr::eq(ready.as_ptr(), Arc::as_ptr(token)),
            Slot::Unclaimed(unclaimed, _) => Arc::ptr_eq(unclaimed, token),
        };
        self.inner.slots.lock().retain(|_, slot| !is_token(slot));
    }

    /// How many tokens wait for their revocation.
    pub(crate) fn pending_revocations(&self) -> usize {
        self.inner.revoker.pending()
    }

    /// Removes logins that have ended or were never used, and responses that are too old for every mount.
    pub(crate) fn remove_old(&self) {
        let now = Instant::now();
        let mut slots = self.inner.slots.lock();
        slots.retain(|_, slot| match slot {
            Slot::Pending(_) => true,
            Slot::Ready(token) => token.upgrade().inspect(|token| token.reads.remove_old(now)).is_some(),
            Slot::Unclaimed(_, until) => now < *until,
        });
    }

    /// Shuts down: tokens that no mount has used are revoked, also those of logins that are still under way.
    pub(crate) fn close(&self) {
        self.inner.closed.store(true, Ordering::Relaxed);
        self.inner.slots.lock().retain(|_, slot| !matches!(slot, Slot::Unclaimed(..)));
    }
}
