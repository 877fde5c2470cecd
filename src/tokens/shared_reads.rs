//! Reads that several volumes share, by one token.

use std::sync::Arc;

use tokio::time::Instant;

use super::VaultToken;
use super::read_cache::{MaxAge, ReadFlight};
use crate::engine;
use crate::engine::{FetchError, Fetched};
use crate::error::Reason;
use crate::limits::Budget;
use crate::single_flight::SingleFlight;
use crate::spec::Source;

/// The response to a read.
pub(crate) struct SharedRead {
    /// The response, or why there is none.
    pub(crate) outcome: Result<Arc<Fetched>, FetchError>,
    /// Whether another mount's call brought it.
    pub(crate) reused: bool,
}

impl VaultToken {
    /// Reads `source` by a call that began no longer ago than `age` allows: by a new call, or by one that another volume has made or is making.
    ///
    /// A call that fails only because of the mount that started it (its deadline, its memory) is repeated for a mount that joined it.
    pub(crate) async fn read(self: &Arc<Self>, source: &Source, age: MaxAge, budget: &Budget) -> SharedRead {
        let (flight, joined) = self.join_or_start(source, age, budget);
        let outcome = wait(&flight, source, budget).await;
        if !joined || !is_only_for_starter(&outcome) {
            return SharedRead { outcome, reused: joined };
        }
        let (flight, reused) = self.join_or_start(source, MaxAge::NONE, budget);
        SharedRead { outcome: wait(&flight, source, budget).await, reused }
    }

    fn join_or_start(self: &Arc<Self>, source: &Source, age: MaxAge, budget: &Budget) -> (ReadFlight, bool) {
        self.reads.join_or_start(source, age, |began| {
            // At a slow server the read serves the next mount, if this one stops waiting.
            let budget = budget.detached(self.login().server().request_timeout());
            let (token, source) = (Arc::clone(self), source.clone());
            let panicked = FetchError::new(Reason::Bug, "reading ended in a panic");
            SingleFlight::start_in(
                &self.tasks,
                async move { token.call(&source, began, &budget).await },
                Err(panicked),
            )
        })
    }

    async fn call(
        &self,
        source: &Source,
        began: Instant,
        budget: &Budget,
    ) -> Result<Arc<Fetched>, FetchError> {
        let outcome = engine::fetch(self.login(), source, budget).await;
        let outcome = outcome.map(Arc::new).map_err(|error| FetchError::from(&error));
        if outcome.as_ref().map_or(true, |fetched| fetched.is_leased()) {
            self.reads.remove(source, began);
        }
        outcome
    }

    /// Whether this token was denied `source` within the last minutes, when the token was new.
    pub(crate) fn was_denied(&self, source: &Source) -> bool {
        self.reads.is_denied(source)
    }

    /// Forgets everything that was read: the next mount reads anew.
    pub(crate) fn forget_reads(&self) {
        self.reads.clear();
    }

    /// Remembers that the policy of this token denies `source`.
    pub(crate) fn add_denial(&self, source: &Source) {
        self.reads.add_denial(source);
    }

    /// Forgets that the policy of this token denied `source`.
    pub(crate) fn remove_denial(&self, source: &Source) {
        self.reads.remove_denial(source);
    }

    /// Whether the token is valid, as far as it can be found out. A denied lookup says nothing for a token whose lookup was denied while it was
    /// new.
    pub(crate) async fn is_valid(&self, budget: &Budget) -> bool {
        match self.login().look_up(budget).await {
            Err(error) if error.reason() == Reason::ReadDenied => self.reads.is_self_lookup_denied(),
            Ok(()) | Err(_) => true,
        }
    }

    /// Whether this is the first time that the token was denied its own lookup. Remembers that.
    pub(crate) fn is_first_failed_lookup(&self) -> bool {
        let is_first = !self.reads.is_self_lookup_denied();
        self.reads.set_self_lookup_denied(true);
        is_first
    }

    /// Finds out, while the token is new, whether it may look itself up.
    pub(crate) async fn learn_self_lookup(&self, budget: &Budget) {
        let looked_up = self.login().look_up(budget).await;
        let denied = looked_up.is_err_and(|error| error.reason() == Reason::ReadDenied);
        self.reads.set_self_lookup_denied(denied);
    }
}

/// Whether a mount that joined the call must make a call of its own: a leased response belongs to one volume, and some failures concern only the
/// mount that started the call.
fn is_only_for_starter(outcome: &Result<Arc<Fetched>, FetchError>) -> bool {
    match outcome {
        Ok(fetched) => fetched.is_leased(),
        Err(error) => matches!(error.reason, Reason::Deadline | Reason::PayloadTooLarge | Reason::Bug),
    }
}

async fn wait(flight: &ReadFlight, source: &Source, budget: &Budget) -> Result<Arc<Fetched>, FetchError> {
    let late = || Err(FetchError::new(Reason::Deadline, format!("read {source}: the mount timed out")));
    flight.wait(budget).await.unwrap_or_else(late)
}
