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

/// A limiter with two limits: one for the node, and one for each namespace. Both can change while work runs.
///
/// A waiter first takes a permit of its namespace, then one of the node; both queues are first in, first out. So a namespace has at most
/// its own limit of permits and waiters in the node's queue, and the namespaces get their turns one after the other, however many waiters one
/// of them has. Those that wait for their namespace take nothing from the others.
pub(crate) struct FairLimiter {
    node: Arc<Gate>,
    namespaces: Mutex<Namespaces>,
}

struct Namespaces {
    limit: usize,
    /// Only namespaces with a permit or a waiter.
    gates: HashMap<String, Weak<Gate>>,
}

/// A semaphore with a limit that can change. Permits that are in use when the limit shrinks are taken back when they are returned.
#[derive(Debug)]
struct Gate {
    semaphore: Arc<Semaphore>,
    size: Mutex<GateSize>,
}

#[derive(Debug)]
struct GateSize {
    limit: usize,
    /// Permits in use beyond the limit.
    excess: usize,
}

/// The right to do one piece of work. Dropping it frees the slot.
#[derive(Debug)]
pub(crate) struct Permit {
    _node: GatePermit,
    _namespace: GatePermit,
}

#[derive(Debug)]
struct GatePermit {
    gate: Arc<Gate>,
    permit: Option<OwnedSemaphorePermit>,
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
        let namespaces = Namespaces { limit: namespace_limit.get(), gates: HashMap::new() };
        Self { node: Gate::new(node_limit.get()), namespaces: Mutex::new(namespaces) }
    }

    /// A limiter for work of which only one piece runs at a time.
    pub(crate) fn one_at_a_time() -> Self {
        Self::new(NonZeroUsize::MIN, NonZeroUsize::MIN)
    }

    /// Waits for a permit for `namespace`, until `deadline` at most. Dropping the future leaves the queue.
    pub(crate) async fn acquire(&self, namespace: &str, deadline: Instant) -> Result<Permit, PermitTimeout> {
        let of_namespace = self.of_namespace(namespace);
        // No semaphore is ever closed, so the only error is the timeout.
        let timed_out =
            PermitTimeout { node_limit: self.node.limit(), namespace_limit: of_namespace.limit() };
        let permit = async {
            let of_namespace = of_namespace.acquire().await?;
            let of_node = Arc::clone(&self.node).acquire().await?;
            Ok::<_, AcquireError>(Permit { _node: of_node, _namespace: of_namespace })
        };
        timeout_at(deadline, permit).await.ok().and_then(Result::ok).ok_or(timed_out)
    }

    /// Changes both limits, also for those that wait now.
    pub(crate) fn resize(&self, node_limit: usize, namespace_limit: usize) {
        self.node.resize(node_limit);
        let mut namespaces = self.namespaces.lock();
        namespaces.limit = namespace_limit;
        namespaces.gates.values().filter_map(Weak::upgrade).for_each(|gate| gate.resize(namespace_limit));
    }

    /// Changes the limit of one namespace. A namespace without permits and waiters is forgotten, and has the limit of all others again.
    pub(crate) fn resize_namespace(&self, namespace: &str, limit: usize) {
        let gate = self.namespaces.lock().gates.get(namespace).and_then(Weak::upgrade);
        if let Some(gate) = gate {
            gate.resize(limit);
        }
    }

    /// [`Self::acquire`], and from now on with `limit` for the namespace.
    pub(crate) async fn acquire_within(
        &self,
        namespace: &str,
        limit: usize,
        deadline: Instant,
    ) -> Result<Permit, PermitTimeout> {
        let gate = self.of_namespace(namespace);
        gate.resize(limit);
        self.acquire(namespace, deadline).await
    }

    fn of_namespace(&self, namespace: &str) -> Arc<Gate> {
        let mut namespaces = self.namespaces.lock();
        if let Some(existing) = namespaces.gates.get(namespace).and_then(Weak::upgrade) {
            return existing;
        }
        namespaces.gates.retain(|_, gate| gate.strong_count() > 0);
        let new = Gate::new(namespaces.limit);
        namespaces.gates.insert(namespace.to_owned(), Arc::downgrade(&new));
        new
    }
}

impl Gate {
    fn new(limit: usize) -> Arc<Self> {
        let size = Mutex::new(GateSize { limit, excess: 0 });
        Arc::new(Self { semaphore: Arc::new(Semaphore::new(limit)), size })
    }

    fn limit(&self) -> usize {
        self.size.lock().limit
    }

    async fn acquire(self: Arc<Self>) -> Result<GatePermit, AcquireError> {
        let permit = Arc::clone(&self.semaphore).acquire_owned().await?;
        Ok(GatePermit { gate: self, permit: Some(permit) })
    }

    fn resize(&self, limit: usize) {
        let mut size = self.size.lock();
        if limit >= size.limit {
            let grown = limit - size.limit;
            let covered = grown.min(size.excess);
            size.excess -= covered;
            self.semaphore.add_permits(grown - covered);
        } else {
            let shrunk = size.limit - limit;
            size.excess += shrunk - self.semaphore.forget_permits(shrunk);
        }
        size.limit = limit;
    }
}

impl Drop for GatePermit {
    fn drop(&mut self) {
        let mut size = self.gate.size.lock();
        if size.excess > 0 {
            size.excess -= 1;
            self.permit.take().into_iter().for_each(OwnedSemaphorePermit::forget);
        } else {
            // Under the lock, so that a limit that shrinks finds either the permit or its holder.
            drop(self.permit.take());
        }
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
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
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
        assert!(limiter.namespaces.lock().gates.len() <= 1);
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
        assert!(limiter.namespaces.lock().gates.values().all(|gate| gate.strong_count() == 0));
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

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_shrinks_takes_permits_back_as_they_are_returned() {
        let limiter = limiter(4, 4);
        let mut permits = Vec::new();
        for _ in 0..4 {
            permits.push(limiter.acquire("a", in_a_second()).await.unwrap());
        }
        limiter.resize(2, 2);
        for _ in 0..2 {
            permits.pop();
            assert!(limiter.acquire("b", in_a_second()).await.is_err(), "{} are in use", permits.len());
        }
        permits.pop();
        let other = limiter.acquire("b", in_a_second()).await.unwrap();
        assert!(limiter.acquire("b", in_a_second()).await.is_err(), "two are in use");
        limiter.resize(3, 2);
        assert!(limiter.acquire("b", in_a_second()).await.is_ok(), "the limit has grown");
        drop((permits, other));
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_grows_lets_waiters_through() {
        let limiter = limiter(1, 1);
        let first = limiter.acquire("a", in_a_second()).await.unwrap();
        let grow = async { limiter.resize(2, 2) };
        let (second, ()) = tokio::join!(limiter.acquire("a", in_a_second()), grow);
        assert!(second.is_ok());
        drop(first);
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_of_one_namespace_changes_no_other() {
        let limiter = limiter(8, 2);
        let slow = limiter.acquire_within("slow", 1, in_a_second()).await.unwrap();
        assert!(limiter.acquire("slow", in_a_second()).await.is_err());
        let quick = [
            limiter.acquire("quick", in_a_second()).await.unwrap(),
            limiter.acquire("quick", in_a_second()).await.unwrap(),
        ];
        limiter.resize_namespace("slow", 2);
        assert!(limiter.acquire("slow", in_a_second()).await.is_ok());
        drop((slow, quick));
    }

    #[tokio::test(start_paused = true)]
    async fn permits_are_neither_lost_nor_made_by_any_order_of_changes() {
        let mut random = StdRng::seed_from_u64(14);
        let (limiter, mut held) = (limiter(8, 8), Vec::new());
        let mut limit = 8;
        for _ in 0..10_000 {
            // Otherwise the runtime would interrupt a task that never waits.
            yield_now().await;
            match random.random_range(0..3) {
                0 => {
                    let permit = limiter.acquire("a", Instant::now()).await;
                    assert_eq!(permit.is_ok(), held.len() < limit, "{} of {limit} in use", held.len());
                    held.extend(permit);
                }
                1 => drop(held.pop()),
                _ => {
                    limit = random.random_range(1..=16);
                    limiter.resize(limit, limit);
                }
            }
        }
    }
}
