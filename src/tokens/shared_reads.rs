//! Reads that several volumes share, within one login.

use crate::mutex::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, Shared};
use tokio::time::{Instant, timeout_at};

use super::VaultToken;
use crate::engine;
use crate::engine::{FetchError, Fetched};
use crate::error::Reason;
use crate::limits::Budget;
use crate::spec::Source;

/// How long a denial is known to be the policy's: then the role may have another policy, which only a new login has.
const DENIED: Duration = Duration::from_secs(300);

/// A call that is on its way, or its answer.
type Flight = Shared<BoxFuture<'static, Result<Arc<Fetched>, FetchError>>>;

/// What was read by one login, and what it was denied.
#[derive(Default)]
pub(crate) struct Reads {
    known: Mutex<HashMap<Source, Read>>,
    denied: Mutex<HashMap<Source, Instant>>,
    /// Its token may not look itself up, even while it lives: its role lacks the default policy.
    blind: AtomicBool,
}

struct Read {
    began: Instant,
    /// Until when somebody may want it: the longest `refresh` of those that asked.
    until: Instant,
    flight: Flight,
}

/// How old an answer may be.
#[derive(Clone, Copy, Debug)]
pub struct MaxAge {
    /// To whom asks now.
    pub most: Duration,
    /// To anybody: so long it is kept.
    pub refresh: Duration,
}

impl MaxAge {
    /// No older than the question.
    const NONE: Self = Self { most: Duration::ZERO, refresh: Duration::ZERO };
}

impl VaultToken {
    /// What `source` holds, by a call that began no longer ago than `age` allows: one of our own, or one that another volume made or is making. Who
    /// joins a call that fails for its maker's sake alone asks again.
    pub async fn read(
        self: &Arc<Self>,
        source: &Source,
        age: MaxAge,
        budget: &Budget,
    ) -> Result<Arc<Fetched>, FetchError> {
        let (flight, joined) = self.flight(source, age, budget);
        let outcome = landed(flight, source, budget).await;
        let makers_own = |miss: &FetchError| {
            matches!(miss.reason, Reason::Deadline | Reason::PayloadTooLarge | Reason::Bug)
        };
        match outcome {
            // A lease is one volume's: who only joined must not hold it too.
            Ok(fetched) if joined && fetched.is_leased() => {
                landed(self.flight(source, MaxAge::NONE, budget).0, source, budget).await
            }
            Err(miss) if joined && makers_own(&miss) => {
                landed(self.flight(source, MaxAge::NONE, budget).0, source, budget).await
            }
            outcome => outcome,
        }
    }

    /// A call that is young enough, and whether it is another's; else a new one.
    fn flight(self: &Arc<Self>, source: &Source, age: MaxAge, budget: &Budget) -> (Flight, bool) {
        let now = Instant::now();
        let mut known = self.reads.known.lock();
        if let Some(read) = known
            .get_mut(source)
            .filter(|read| now.duration_since(read.began) <= age.most && !age.most.is_zero())
        {
            read.until = read.until.max(now + age.refresh);
            return (read.flight.clone(), true);
        }
        let (session, asked, budget) = (Arc::clone(self), source.clone(), budget.clone());
        // A task of its own: others may wait for it when its maker is gone.
        let call = tokio::spawn(async move { session.made(&asked, now, &budget).await });
        let panicked = || Err(FetchError { reason: Reason::Bug, what: "reading ended in a panic".into() });
        let flight = call.map(move |outcome| outcome.unwrap_or_else(|_| panicked())).boxed().shared();
        known.insert(source.clone(), Read { began: now, until: now + age.refresh, flight: flight.clone() });
        (flight, false)
    }

    async fn made(
        &self,
        source: &Source,
        began: Instant,
        budget: &Budget,
    ) -> Result<Arc<Fetched>, FetchError> {
        let outcome = engine::fetch(self.login(), source, budget)
            .await
            .map(Arc::new)
            .map_err(|error| FetchError::from(&error));
        if outcome.as_ref().map_or(true, |fetched| fetched.is_leased()) {
            let mut known = self.reads.known.lock();
            // Nobody else is to have it.
            if known.get(source).is_some_and(|read| read.began == began) {
                known.remove(source);
            }
        }
        outcome
    }

    /// Whether this login was denied `source` before, when it was new, and not long ago.
    pub fn was_denied(&self, source: &Source) -> bool {
        let denied = self.reads.denied.lock();
        denied.get(source).is_some_and(|since| since.elapsed() < DENIED)
    }

    /// Whether its token lives, as far as it can tell: a refusal is no news from one that was refused that while it lived.
    pub async fn lives(&self, budget: &Budget) -> bool {
        match self.login().look_up(budget).await {
            Err(error) if error.reason() == Reason::ReadDenied => self.reads.blind.load(Ordering::Relaxed),
            Ok(()) | Err(_) => true,
        }
    }

    /// Finds out, while it is new, whether its token may look itself up.
    pub async fn learns_to_look(&self, budget: &Budget) {
        let refused =
            self.login().look_up(budget).await.is_err_and(|error| error.reason() == Reason::ReadDenied);
        self.reads.blind.store(refused, Ordering::Relaxed);
    }

    /// Remembers, or forgets, that the policy of this login denies `source`.
    pub fn denied(&self, source: &Source, denied: bool) {
        let mut all = self.reads.denied.lock();
        if denied {
            all.insert(source.clone(), Instant::now());
        } else {
            all.remove(source);
        }
    }
}

impl Reads {
    /// Drops answers that are too old for everybody.
    pub(crate) fn forget(&self, now: Instant) {
        self.known.lock().retain(|_, read| read.until > now || read.flight.peek().is_none());
    }
}

async fn landed(flight: Flight, source: &Source, budget: &Budget) -> Result<Arc<Fetched>, FetchError> {
    let late = |_| {
        Err(FetchError { reason: Reason::Deadline, what: format!("read {source}: the mount's time ran out") })
    };
    timeout_at(budget.end(), flight).await.unwrap_or_else(late)
}
