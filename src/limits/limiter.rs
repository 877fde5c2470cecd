//! Limits how much work runs at the same time, and shares the limit fairly between Kubernetes namespaces.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Weak};

use thiserror::Error;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::error::{Failure, Reason};
use crate::mutex::Mutex;

/// How many mounts run at the same time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdmissionConfig {
    /// Mounts of the whole node.
    pub(crate) mounts: NonZeroUsize,
    /// Mounts of pods in the same namespace.
    pub(crate) mounts_per_namespace: NonZeroUsize,
}

/// A limiter with two limits: one for the node, and one for each namespace.
///
/// A waiter first takes a permit of its namespace, then one of the node; both semaphores are first in, first out. So a namespace has at most
/// its own limit of permits and waiters in the node's queue, and the namespaces get their turns one after the other, however many waiters one
/// of them has. Those that wait for their namespace take nothing from the others.
pub(crate) struct FairLimiter {
    node_limit: usize,
    namespace_limit: usize,
    node: Arc<Semaphore>,
    /// Only namespaces with a permit or a waiter.
    namespaces: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// The right to do one piece of work. Dropping it frees the slot.
#[derive(Debug)]
pub(crate) struct Permit {
    _node: OwnedSemaphorePermit,
    _namespace: OwnedSemaphorePermit,
}

/// The deadline passed before a slot was free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "timed out waiting for a free mount slot (node limit {node_limit}, namespace limit {namespace_limit})"
)]
pub(crate) struct PermitTimeout {
    node_limit: usize,
    namespace_limit: usize,
}

impl FairLimiter {
    /// A limiter with `node_limit` permits, of which one namespace holds at most `namespace_limit`.
    pub(crate) fn new(node_limit: NonZeroUsize, namespace_limit: NonZeroUsize) -> Self {
        let (node_limit, namespace_limit) = (node_limit.get(), namespace_limit.get());
        let node = Arc::new(Semaphore::new(node_limit));
        Self { node_limit, namespace_limit, node, namespaces: Mutex::default() }
    }

    /// A limiter for work of which only one piece runs at a time.
    pub(crate) fn one_at_a_time() -> Self {
        Self::new(NonZeroUsize::MIN, NonZeroUsize::MIN)
    }

    /// Waits for a permit for `namespace`, until `deadline` at most. Dropping the future leaves the queue.
    pub(crate) async fn acquire(&self, namespace: &str, deadline: Instant) -> Result<Permit, PermitTimeout> {
        let of_namespace = self.of_namespace(namespace);
        let permit = async {
            let of_namespace = of_namespace.acquire_owned().await?;
            let of_node = Arc::clone(&self.node).acquire_owned().await?;
            Ok::<_, AcquireError>(Permit { _node: of_node, _namespace: of_namespace })
        };
        // No semaphore is ever closed, so the only error is the timeout.
        let timed_out = PermitTimeout { node_limit: self.node_limit, namespace_limit: self.namespace_limit };
        timeout_at(deadline, permit).await.ok().and_then(Result::ok).ok_or(timed_out)
    }

    fn of_namespace(&self, namespace: &str) -> Arc<Semaphore> {
        let mut namespaces = self.namespaces.lock();
        if let Some(existing) = namespaces.get(namespace).and_then(Weak::upgrade) {
            return existing;
        }
        namespaces.retain(|_, semaphore| semaphore.strong_count() > 0);
        let new = Arc::new(Semaphore::new(self.namespace_limit));
        namespaces.insert(namespace.to_owned(), Arc::downgrade(&new));
        new
    }
}

impl From<PermitTimeout> for Failure {
    fn from(timeout: PermitTimeout) -> Self {
        Self::new(Reason::Overload, timeout.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::future::join_all;
    use tokio::task::yield_now;

    use super::*;

    fn limiter(node_limit: usize, namespace_limit: usize) -> FairLimiter {
        let number = |number| NonZeroUsize::new(number).unwrap();
        FairLimiter::new(number(node_limit), number(namespace_limit))
    }

    fn in_a_second() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_that_floods_the_node_leaves_slots_for_another() {
        let limiter = limiter(3, 2);
        let flood = [
            limiter.acquire("flood", in_a_second()).await.unwrap(),
            limiter.acquire("flood", in_a_second()).await.unwrap(),
        ];
        let failure = Failure::from(limiter.acquire("flood", in_a_second()).await.unwrap_err());
        assert_eq!(failure.reason, Reason::Overload);
        assert!(failure.what.contains("node limit 3, namespace limit 2"), "{}", failure.what);
        assert!(limiter.acquire("quiet", in_a_second()).await.is_ok());
        drop(flood);
        assert!(limiter.acquire("flood", in_a_second()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_without_permits_is_forgotten() {
        let limiter = limiter(3, 2);
        for number in 0..100 {
            drop(limiter.acquire(&number.to_string(), in_a_second()).await.unwrap());
        }
        assert!(limiter.namespaces.lock().len() <= 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_with_one_waiter_waits_for_one_permit_of_a_namespace_with_many() {
        let (limiter, done) = (FairLimiter::one_at_a_time(), Mutex::new(Vec::new()));
        let work = async |namespace: &'static str| {
            let _permit = limiter.acquire(namespace, in_a_second()).await.unwrap();
            yield_now().await;
            done.lock().push(namespace);
        };
        let many = (0..5).map(|_| work("many"));
        tokio::join!(join_all(many), work("one"));
        assert_eq!(*done.lock(), ["many", "one", "many", "many", "many", "many"]);
        assert!(limiter.namespaces.lock().values().all(|semaphore| semaphore.strong_count() == 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_is_dropped_leaves_the_queue() {
        let limiter = FairLimiter::one_at_a_time();
        let first = limiter.acquire("a", in_a_second()).await.unwrap();
        assert!(futures::poll!(Box::pin(limiter.acquire("a", in_a_second()))).is_pending());
        drop(first);
        drop(limiter.acquire("a", in_a_second()).await.unwrap());
        drop(limiter.acquire("b", in_a_second()).await.unwrap());
    }
}
