//! Tokens given back, a few at a time: a node that drains ends a hundred volumes at once.

use crate::mutex::Mutex;
use std::collections::{HashMap, HashSet, VecDeque};
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

use crate::limits::Budget;
use crate::limits::backoff::Backoff;
use crate::renewal::Warning;
use crate::spec::ServerSpec;
use crate::state::{RecordId, Store};
use crate::supervise::{caught, supervise};
use crate::vault::Login;

/// Revocations that begin in a second: each may end leases in a database.
const PER_SECOND: u32 = 10;
/// Revocations under way at a time at one server.
const IN_FLIGHT: usize = 4;
/// Time of one try.
const TIME: Duration = Duration::from_secs(5);
/// Tries before a token is left to its TTL, or to the next process; with their pauses about an hour.
const TRIES: u32 = 150;
/// Warnings that are remembered; past that all are told again.
const REMEMBERED: usize = 1024;
/// The name of the task, in the log and in its metric.
const TASK: &str = "token-revoker";
/// Pauses between two tries.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30), jitter: 0.5 };

/// Where tokens go that nobody needs any more.
#[derive(Clone)]
pub(crate) struct TokenRevoker {
    queue: mpsc::UnboundedSender<Ended>,
    store: Option<Arc<Store>>,
    tasks: TaskTracker,
    waiting: Arc<AtomicUsize>,
    told: Arc<Mutex<HashSet<RevokeEvent>>>,
}

/// A warning, and the digest of the role that it is about.
type RevokeEvent = (u64, Warning);

/// A login that nobody holds.
struct Ended {
    login: Login,
    record: RecordId,
    tries: u32,
    /// What the end of the process waits for.
    _token: TaskTrackerToken,
    _waiting: Waiting,
}

/// One more token on its way back, until it is dropped.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn of(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl TokenRevoker {
    /// Gives back what it is handed until every sender is gone; `tasks` are waited for at the end of the process.
    pub(crate) fn new(store: Option<Arc<Store>>, tasks: &TaskTracker) -> Self {
        let (queue, receiver) = mpsc::unbounded_channel();
        let revoker = Revoker {
            queue: receiver,
            store: store.clone(),
            ready: VecDeque::new(),
            waiting: FuturesUnordered::new(),
        };
        tokio::spawn(supervise(TASK, revoker, |revoker| revoker.run().boxed()));
        Self { queue, store, tasks: tasks.clone(), waiting: Arc::default(), told: Arc::default() }
    }

    /// Tokens on their way back.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Gives `login` back in its turn, then removes its record.
    pub(crate) fn close(&self, login: Login, record: RecordId) {
        // At the end of the process nobody listens: the next one finds the record, or the token ends with its TTL.
        let ended = Ended {
            login,
            record,
            tries: 0,
            _token: self.tasks.token(),
            _waiting: Waiting::of(&self.waiting),
        };
        let _ = self.queue.send(ended);
    }

    /// Runs `task` so that the end of the process waits for it.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Whether nobody was warned of this before.
    pub(crate) fn is_news(&self, told: RevokeEvent) -> bool {
        let mut all = self.told.lock();
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(told)
    }

    pub(crate) fn remove(&self, record: &RecordId) {
        remove(self.store.as_deref(), record);
    }
}

/// Revokes tokens; what waits outlives a panic of the task.
struct Revoker {
    queue: mpsc::UnboundedReceiver<Ended>,
    store: Option<Arc<Store>>,
    /// Their turn comes as soon as their server has a place.
    ready: VecDeque<Ended>,
    waiting: FuturesUnordered<BoxFuture<'static, Ended>>,
}

impl Revoker {
    async fn run(&mut self) {
        let mut pace = interval(Duration::from_secs(1) / PER_SECOND);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut under_way, mut busy) = (FuturesUnordered::new(), HashMap::new());
        loop {
            // One server that does not answer keeps none from another.
            let next = self
                .ready
                .iter()
                .position(|ended| busy.get(&ended.server()).is_none_or(|calls| *calls < IN_FLIGHT));
            tokio::select! {
                Some(ended) = self.queue.recv() => self.ready.push_back(ended),
                Some(again) = self.waiting.next() => self.ready.push_back(again),
                Some((server, outcome)) = under_way.next() => {
                    busy.entry(server).and_modify(|calls| *calls -= 1);
                    if let Some(again) = outcome {
                        self.waiting.push(after_a_pause(again).boxed());
                    }
                }
                _ = pace.tick(), if next.is_some() => {
                    if let Some(ended) = next.and_then(|next| self.ready.remove(next)) {
                        *busy.entry(ended.server()).or_insert(0) += 1;
                        under_way.push(revoked(ended.server(), ended.close(self.store.as_deref())));
                    }
                }
                else => break,
            }
            busy.retain(|_, calls| *calls > 0);
        }
    }
}

/// One revocation. One that panics ends alone: its token is left to its TTL, and its record to the next process.
async fn revoked(
    server: ServerSpec,
    revocation: impl Future<Output = Option<Ended>>,
) -> (ServerSpec, Option<Ended>) {
    let outcome = caught(TASK, revocation).await;
    if outcome.is_none() {
        counted("failed");
    }
    (server, outcome.flatten())
}

async fn after_a_pause(ended: Ended) -> Ended {
    sleep(BACKOFF.pause(ended.tries, rand::random())).await;
    ended
}

impl Ended {
    fn server(&self) -> ServerSpec {
        self.login.server().spec().clone()
    }

    /// Tries once to give it back; gives what is to be tried again, for the token of a server that cannot answer now would live on. The record
    /// stays until it is given back, or a definite no has come.
    async fn close(mut self, store: Option<&Store>) -> Option<Self> {
        self.tries += 1;
        match self.login.revoke(&Budget::lasting(TIME)).await {
            Ok(()) => counted("revoked"),
            Err((login, error)) if error.reason().is_passing() && self.tries < TRIES => {
                return Some(Self { login: *login, ..self });
            }
            // It is gone already, a batch token cannot be revoked, and a role without the default policy may not revoke: it ends by itself.
            Err((_, error)) => {
                debug!("a token was not given back: {error}");
                counted("failed");
                if error.reason().is_passing() {
                    return None;
                }
            }
        }
        remove(store, &self.record);
        None
    }
}

fn remove(store: Option<&Store>, record: &RecordId) {
    if let Some(Err(error)) = store.map(|store| store.remove(record)) {
        warn!("the record of a login that ended stays: {error}");
    }
}

/// Counts a login that ended.
pub(crate) fn counted(how: &'static str) {
    counter!("vaultmount_logins_closed_total", "how" => how).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Address, TlsSpec};

    #[tokio::test]
    async fn a_revocation_that_panics_ends_alone_and_frees_its_place() {
        let address = Address::Http("http://127.0.0.1:1".parse().unwrap());
        let server = ServerSpec { address, configured: true, namespace: None, tls: TlsSpec::default() };
        let (freed, again) = revoked(server.clone(), async { panic!("one revocation") }).await;
        assert!(freed == server && again.is_none());
    }
}
