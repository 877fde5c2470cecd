//! How many mounts are at work: in all, and of one namespace, so that one that floods the node takes its own time.

use crate::mutex::Mutex;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::error::{Failure, Reason};

/// Mounts at work at a time.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionConfig {
    /// In all.
    pub mounts: NonZeroUsize,
    /// Of the pods of one namespace.
    pub mounts_per_namespace: NonZeroUsize,
}

/// Who may work.
pub(crate) struct AdmissionLimiter {
    all: Arc<Semaphore>,
    each: usize,
    namespaces: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// The right to work, until it is dropped.
pub(crate) struct MountPermit {
    _namespace: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl AdmissionLimiter {
    pub(crate) fn new(limits: AdmissionConfig) -> Self {
        let all = Arc::new(Semaphore::new(limits.mounts.get()));
        Self { all, each: limits.mounts_per_namespace.get(), namespaces: Mutex::default() }
    }

    /// Waits for a turn of `namespace`, then for one of the node; those who wait for their namespace take no place of the node's.
    pub(crate) async fn take(&self, namespace: &str, end: Instant) -> Result<MountPermit, Failure> {
        let own = self.of(namespace);
        let turn = async {
            Some(MountPermit {
                _namespace: own.acquire_owned().await.ok()?,
                _all: Arc::clone(&self.all).acquire_owned().await.ok()?,
            })
        };
        let full = || {
            Failure::new(
                Reason::Overload,
                format!("other mounts of the node, or of namespace {namespace}, took all of the time"),
            )
        };
        timeout_at(end, turn).await.ok().flatten().ok_or_else(full)
    }

    fn of(&self, namespace: &str) -> Arc<Semaphore> {
        let mut namespaces = self.namespaces.lock();
        namespaces.retain(|_, turns| Arc::strong_count(turns) > 1);
        Arc::clone(
            namespaces.entry(namespace.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.each))),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn turns() -> AdmissionLimiter {
        let number = |number| NonZeroUsize::new(number).unwrap();
        AdmissionLimiter::new(AdmissionConfig { mounts: number(3), mounts_per_namespace: number(2) })
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_that_floods_the_node_leaves_room_for_another() {
        let turns = turns();
        let flood = [turns.take("flood", soon()).await.unwrap(), turns.take("flood", soon()).await.unwrap()];
        assert_eq!(
            turns.take("flood", soon()).await.err().map(|failure| failure.reason),
            Some(Reason::Overload)
        );
        assert!(turns.take("quiet", soon()).await.is_ok());
        drop(flood);
        assert!(turns.take("flood", soon()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_without_mounts_is_not_remembered() {
        let turns = turns();
        for number in 0..100 {
            drop(turns.take(&number.to_string(), soon()).await.unwrap());
        }
        assert!(turns.namespaces.lock().len() <= 1);
    }
}
