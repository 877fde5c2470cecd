//! Revokes tokens, a few at a time: a node that drains ends a hundred volumes at once.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{FuturesUnordered, StreamExt};
use metrics::counter;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{debug, warn};

use crate::bounded_map::BoundedSet;
use crate::limits::Budget;
use crate::limits::backoff::Backoff;
use crate::mutex::Mutex;
use crate::renewal::Warning;
use crate::spec::ServerSpec;
use crate::state::{RecordId, Store};
use crate::supervise::{caught, supervise};
use crate::vault::Login;

/// Revocations that start in a second. Each may revoke leases in a database.
const PER_SECOND: u32 = 10;
/// Revocations at a time at one server.
const IN_FLIGHT: usize = 4;
/// Time of one attempt.
const TIME: Duration = Duration::from_secs(5);
/// Attempts before a token is left to its TTL, or to the next process. With their pauses they take about an hour.
const TRIES: u32 = 150;
/// Warnings that are remembered. When there are more, all are logged again.
const REMEMBERED: usize = 1024;
/// The name of the task in the log and in its metric.
const TASK: &str = "token-revoker";
/// Pauses between two attempts.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30), jitter: 0.5 };

/// Takes tokens that have no user any more.
#[derive(Clone)]
pub(crate) struct TokenRevoker {
    queue: mpsc::UnboundedSender<Released>,
    store: Option<Arc<Store>>,
    tasks: TaskTracker,
    pending: Arc<AtomicUsize>,
    warned: Arc<Mutex<BoundedSet<(u64, Warning), REMEMBERED>>>,
}

/// A token that has no user any more.
struct Released {
    login: Login,
    record: RecordId,
    attempts: u32,
    /// Shutdown waits for it.
    _shutdown: TaskTrackerToken,
    _pending: Pending,
}

/// Counts one token as pending until it is dropped.
struct Pending(Arc<AtomicUsize>);

impl Pending {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl TokenRevoker {
    /// Starts the task that revokes. It ends with the last clone of this value. Shutdown waits for `tasks`.
    pub(crate) fn new(store: Option<Arc<Store>>, tasks: &TaskTracker) -> Self {
        let (queue, receiver) = mpsc::unbounded_channel();
        let revoker = Revoker {
            queue: receiver,
            store: store.clone(),
            ready: VecDeque::new(),
            paused: FuturesUnordered::new(),
        };
        tokio::spawn(supervise(TASK, revoker, |revoker| revoker.run().boxed()));
        Self { queue, store, tasks: tasks.clone(), pending: Arc::default(), warned: Arc::default() }
    }

    /// How many tokens wait for their revocation.
    pub(crate) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// Queues `login` for revocation. Its record is removed afterwards.
    pub(crate) fn revoke(&self, login: Login, record: RecordId) {
        // During shutdown the queue may be closed. Then the next process finds the record, or the token expires with its TTL.
        let released = Released {
            login,
            record,
            attempts: 0,
            _shutdown: self.tasks.token(),
            _pending: Pending::new(&self.pending),
        };
        let _ = self.queue.send(released);
    }

    /// The tasks that a shutdown waits for.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Whether `warning` was not logged before for the role with the hash `role`.
    pub(crate) fn is_new_warning(&self, role: u64, warning: Warning) -> bool {
        self.warned.lock().insert((role, warning), ()).is_none()
    }

    /// Removes the record of a token that was not revoked.
    pub(crate) fn remove_record(&self, record: &RecordId) {
        remove_record(self.store.as_deref(), record);
    }
}

/// The task that revokes. Its queues outlive a panic of the task.
struct Revoker {
    queue: mpsc::UnboundedReceiver<Released>,
    store: Option<Arc<Store>>,
    /// Tokens that wait for one of the places at their server.
    ready: VecDeque<Released>,
    /// Tokens that wait for the end of a pause.
    paused: FuturesUnordered<BoxFuture<'static, Released>>,
}

impl Revoker {
    async fn run(&mut self) {
        let mut ticks = interval(Duration::from_secs(1) / PER_SECOND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut under_way, mut busy) = (FuturesUnordered::new(), HashMap::new());
        loop {
            // A server that does not respond must not delay revocations at other servers.
            let next = self
                .ready
                .iter()
                .position(|released| busy.get(&released.server()).is_none_or(|calls| *calls < IN_FLIGHT));
            tokio::select! {
                Some(released) = self.queue.recv() => self.ready.push_back(released),
                Some(released) = self.paused.next() => self.ready.push_back(released),
                Some((server, outcome)) = under_way.next() => {
                    busy.entry(server).and_modify(|calls| *calls -= 1);
                    if let Some(released) = outcome {
                        self.paused.push(after_pause(released).boxed());
                    }
                }
                _ = ticks.tick(), if next.is_some() => {
                    if let Some(released) = next.and_then(|next| self.ready.remove(next)) {
                        *busy.entry(released.server()).or_insert(0) += 1;
                        under_way.push(isolated(released.server(), released.revoke(self.store.as_deref())));
                    }
                }
                else => break,
            }
            busy.retain(|_, calls| *calls > 0);
        }
    }
}

/// Runs one revocation. A panic ends only this one: the token is left to its TTL, and its record to the next process.
async fn isolated(
    server: ServerSpec,
    revocation: impl Future<Output = Option<Released>>,
) -> (ServerSpec, Option<Released>) {
    let outcome = caught(TASK, revocation).await;
    if outcome.is_none() {
        count_closed("failed");
    }
    (server, outcome.flatten())
}

async fn after_pause(released: Released) -> Released {
    sleep(BACKOFF.pause(released.attempts, rand::random())).await;
    released
}

impl Released {
    fn server(&self) -> ServerSpec {
        self.login.server().spec().clone()
    }

    /// Revokes the token by one call. Returns the token when another attempt may help. Removes the record once the token is revoked or the
    /// server has refused for good.
    async fn revoke(mut self, store: Option<&Store>) -> Option<Self> {
        self.attempts += 1;
        match self.login.revoke(&Budget::lasting(TIME)).await {
            Ok(()) => count_closed("revoked"),
            Err((login, error)) if error.reason().is_passing() && self.attempts < TRIES => {
                return Some(Self { login: *login, ..self });
            }
            // The token has expired, is a batch token, or its role lacks the default policy and may not revoke: it expires with its TTL.
            Err((_, error)) => {
                debug!("a token was not revoked: {error}");
                count_closed("failed");
                if error.reason().is_passing() {
                    return None;
                }
            }
        }
        remove_record(store, &self.record);
        None
    }
}

fn remove_record(store: Option<&Store>, record: &RecordId) {
    if let Some(Err(error)) = store.map(|store| store.remove(record)) {
        warn!("the record of a revoked token could not be removed: {error}");
    }
}

/// Counts a login that has released.
pub(crate) fn count_closed(how: &'static str) {
    counter!("vaultmount_logins_closed_total", "how" => how).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Address, TlsSpec};

    #[tokio::test]
    async fn a_revocation_that_panics_does_not_stop_the_others() {
        let address = Address::Http("http://127.0.0.1:1".parse().unwrap());
        let server = ServerSpec { address, configured: true, namespace: None, tls: TlsSpec::default() };
        let (freed, again) = isolated(server.clone(), async { panic!("one revocation") }).await;
        assert!(freed == server && again.is_none());
    }
}
