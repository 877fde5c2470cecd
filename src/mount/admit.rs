//! Waits for a free slot of the node and for the volume's own lock.

use tokio::sync::OwnedMutexGuard;

use super::caller::Caller;
use super::{Mount, Services, failure, report};
use crate::error::Failure;
use crate::limits::Budget;
use crate::limits::limiter;

/// The right to work on one volume, until it is dropped.
pub(super) struct Permit {
    budget: Budget,
    _lock: OwnedMutexGuard<()>,
    _slot: limiter::Permit,
}

impl Permit {
    /// Time and memory for the calls of the mount.
    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }
}

/// Waits for a slot, then for the lock of the volume: one mount of a volume runs at a time, because two would issue everything twice. Both
/// waits end early if the volume has last known good content that can be returned instead.
///
/// Cancelled while it waits, it leaves nothing behind: a slot is released when it is dropped.
pub(super) async fn admit<C: Caller>(
    services: &Services,
    caller: &C,
    mount: &Mount,
    budget: &Budget,
) -> Result<Permit, Failure> {
    let (spec, volume) = (&mount.spec, &mount.volume);
    report::spec(spec, &services.log_throttle);
    let budget = volume.fetch_budget(spec, budget);
    let slot = services.admission.acquire(&spec.pod.namespace, budget.end()).await?;
    let budget = budget.of(&spec.pod.namespace, &services.memory);
    let lock = volume.lock(&budget).await.map_err(|_| failure::volume_busy(spec))?;
    caller.still_wanted(mount)?;
    Ok(Permit { budget, _lock: lock, _slot: slot })
}
