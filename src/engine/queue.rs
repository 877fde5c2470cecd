//! Work that is done one at a time: who asks for a hundred pieces of it waits behind who asks for one.

use crate::mutex::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A queue in which each namespace stands once; the others of its own wait behind it.
pub(crate) struct Queue {
    one: Arc<Semaphore>,
    namespaces: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// The right to work, until it is dropped.
pub(crate) struct QueuePermit {
    _one: OwnedSemaphorePermit,
    _of_namespace: OwnedSemaphorePermit,
}

impl Default for Queue {
    fn default() -> Self {
        Self { one: Arc::new(Semaphore::new(1)), namespaces: Mutex::default() }
    }
}

impl Queue {
    /// Waits for the turn of `namespace`, and of this one within it.
    pub(crate) async fn turn(&self, namespace: &str) -> QueuePermit {
        let of_namespace = taken(self.of(namespace)).await;
        QueuePermit { _one: taken(Arc::clone(&self.one)).await, _of_namespace: of_namespace }
    }

    fn of(&self, namespace: &str) -> Arc<Semaphore> {
        let mut namespaces = self.namespaces.lock();
        if let Some(known) = namespaces.get(namespace).and_then(Weak::upgrade) {
            return known;
        }
        namespaces.retain(|_, queue| queue.strong_count() > 0);
        let new = Arc::new(Semaphore::new(1));
        namespaces.insert(namespace.to_owned(), Arc::downgrade(&new));
        new
    }
}

/// Nobody closes a semaphore here.
async fn taken(semaphore: Arc<Semaphore>) -> OwnedSemaphorePermit {
    match semaphore.acquire_owned().await {
        Ok(permit) => permit,
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn who_asks_for_one_waits_for_one_of_who_asks_for_many() {
        let (queue, done) = (Queue::default(), Mutex::new(Vec::new()));
        let work = async |namespace: &'static str| {
            let _turn = queue.turn(namespace).await;
            yield_now().await;
            done.lock().push(namespace);
        };
        let many = (0..5).map(|_| work("many"));
        tokio::join!(join_all(many), work("one"));
        assert_eq!(*done.lock(), ["many", "one", "many", "many", "many", "many"]);
        assert!(queue.namespaces.lock().values().all(|queue| queue.strong_count() == 0));
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_queue() {
        let queue = Queue::default();
        let first = queue.turn("a").await;
        assert!(futures::poll!(Box::pin(queue.turn("a"))).is_pending());
        drop(first);
        drop(queue.turn("a").await);
        drop(queue.turn("b").await);
    }
}
