//! Tokens given back, a few at a time: a node that drains ends a hundred volumes at once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use metrics::counter;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{debug, warn};

use crate::rotation::Warning;
use crate::state::{RecordId, Store};
use crate::vault::{Budget, Login};

/// Revocations that begin in a second: each may end leases in a database.
const PER_SECOND: u32 = 10;
/// Revocations under way at a time.
const IN_FLIGHT: usize = 4;
/// Time of one try.
const TIME: Duration = Duration::from_secs(5);
/// Tries before a token is left to its TTL; with their pauses about five minutes.
const TRIES: u32 = 12;
/// Warnings that are remembered; past that all are told again.
const REMEMBERED: usize = 1024;
/// The longest pause between two.
const PAUSE: Duration = Duration::from_secs(30);

/// Where tokens go that nobody needs any more.
#[derive(Clone)]
pub(super) struct Closer {
    queue: mpsc::UnboundedSender<Ended>,
    store: Option<Arc<Store>>,
    tasks: TaskTracker,
    told: Arc<Mutex<HashSet<Told>>>,
}

/// A warning, and the digest of the role that it is about.
type Told = (u64, Warning);

/// A login that nobody holds, its record, and what the end of the process waits for.
type Ended = (Login, RecordId, TaskTrackerToken);

impl Closer {
    /// Gives back what it is handed until every sender is gone; `tasks` are waited for at the end of the process.
    pub(super) fn new(store: Option<Arc<Store>>, tasks: &TaskTracker) -> Self {
        let (queue, receiver) = mpsc::unbounded_channel();
        tokio::spawn(run(receiver, store.clone()));
        Self { queue, store, tasks: tasks.clone(), told: Arc::default() }
    }

    /// Gives `login` back in its turn, then removes its record.
    pub(super) fn close(&self, login: Login, record: RecordId) {
        // At the end of the process nobody listens: the next one finds the record, or the token ends with its TTL.
        let _ = self.queue.send((login, record, self.tasks.token()));
    }

    /// Runs `task` so that the end of the process waits for it.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Whether nobody was warned of this before.
    pub(super) fn is_news(&self, told: Told) -> bool {
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(told)
    }

    pub(super) fn remove(&self, record: &RecordId) {
        remove(self.store.as_deref(), record);
    }
}

async fn run(mut queue: mpsc::UnboundedReceiver<Ended>, store: Option<Arc<Store>>) {
    let mut pace = interval(Duration::from_secs(1) / PER_SECOND);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            login = queue.recv(), if under_way.len() < IN_FLIGHT => match login {
                Some((login, record, token)) => {
                    pace.tick().await;
                    let store = store.as_deref();
                    under_way.push(async move {
                        close(login).await;
                        remove(store, &record);
                        drop(token);
                    });
                }
                None => break,
            },
            Some(()) = under_way.next() => {}
        }
    }
    while under_way.next().await.is_some() {}
}

/// Gives one back. A server that cannot answer now is asked again: the token would live on.
async fn close(login: Login) {
    let mut login = login;
    for tries in 1..=TRIES {
        match login.revoke(&Budget::lasting(TIME)).await {
            Ok(()) => return counted("revoked"),
            Err((again, error)) if error.reason().is_passing() && tries < TRIES => {
                login = *again;
                let pause = Duration::from_secs(1).saturating_mul(2_u32.saturating_pow(tries - 1)).min(PAUSE);
                sleep(pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
            }
            // It is gone already, a batch token cannot be revoked, and a role without the default policy may not revoke: it ends by itself.
            Err((_, error)) => {
                debug!("a token was not given back: {error}");
                return counted("failed");
            }
        }
    }
}

fn remove(store: Option<&Store>, record: &RecordId) {
    if let Some(Err(error)) = store.map(|store| store.remove(record)) {
        warn!("the record of a login that ended stays: {error}");
    }
}

/// Counts a login that ended.
pub(super) fn counted(how: &'static str) {
    counter!("vaultmount_logins_closed_total", "how" => how).increment(1);
}
