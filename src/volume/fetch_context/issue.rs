//! What a mount has issued for its volume, or finds in the cache: leased credentials, certificates, and every other response that is no shared
//! read.
//!
//! A call that creates something is made once, as a task with the time of `--request-timeout`. The mount that began it may stop waiting: then
//! the next mount of the volume, or of its group, takes the result. Nothing that has expired is ever returned, and a lease that nobody takes
//! ends with its token.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::{FetchContext, count_reused};
use crate::cache::issued::{IssueCall, IssueOutcome, Issued, IssuedCache, IssuedExpiry, NOT_YET};
use crate::engine;
use crate::engine::{FetchError, Fetched};
use crate::error::Reason;
use crate::limits::Budget;
use crate::renewal;
use crate::renewal::{Expiry, TOGETHER, UnixMillis};
use crate::single_flight::SingleFlight;
use crate::spec::{LoginScope, ShareScope, Source};
use crate::tokens::{Scope, VaultToken};
use crate::volume::sharing::SharingClass;

impl FetchContext {
    /// What was issued for this volume or its group, issued again when its time has come. When the successor fails for a passing reason, or is not
    /// there in time, what is still valid stays.
    pub(super) async fn issue(
        self: &Arc<Self>,
        source: &Source,
        class: SharingClass,
        budget: &Budget,
    ) -> Result<Arc<Fetched>, FetchError> {
        let cache = self.issued(source.share);
        // Twice: a call of another mount may fail for a reason of that mount, and what waited for a mount may have expired.
        for _ in 0..2 {
            if let Some(issued) = self.cached(source)
                && !self.is_revoked(source, &issued, budget).await
            {
                count_reused();
                return Ok(issued.fetched);
            }
            let (call, joined) = cache.join_or_start(source, || self.start_issue(source, class, budget));
            let outcome = match self.outcome(&call, source, budget).await {
                Ok(outcome) => outcome,
                Err(error) => {
                    self.has_stopped_waiting.store(true, Ordering::Relaxed);
                    return self.still_valid(source).ok_or(error);
                }
            };
            if cache.take(source, &call) {
                self.store(source, &outcome, class);
            }
            match outcome.result {
                Ok(fetched) if self.is_valid(source, &fetched) => return Ok(fetched),
                Err(error) if joined && is_only_for_starter(error.reason) => {}
                Err(error) if error.reason.is_passing() => return self.still_valid(source).ok_or(error),
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        self.still_valid(source).ok_or_else(|| late(source))
    }

    /// The end of `call`. Fails if it does not come within `budget`, or if the server is down: the pod's author then reads why, while the call goes on.
    async fn outcome(
        &self,
        call: &IssueCall,
        source: &Source,
        budget: &Budget,
    ) -> Result<IssueOutcome, FetchError> {
        let doing = source.to_string();
        tokio::select! {
            biased;
            outcome = call.wait(budget) => outcome.ok_or_else(|| late(source)),
            error = self.volumes.logins.down(&self.spec.server, &doing, budget) => Err(error.into()),
        }
    }

    /// Starts the call as a task that this mount does not cut short.
    fn start_issue(self: &Arc<Self>, source: &Source, class: SharingClass, budget: &Budget) -> IssueCall {
        let (context, source) = (Arc::clone(self), source.clone());
        let budget = budget.detached(self.volumes.logins.request_timeout());
        let panicked = FetchError::new(Reason::Bug, format!("{source}: the call panicked"));
        let panicked =
            IssueOutcome { began: self.began, took: Duration::ZERO, token: None, result: Err(panicked) };
        let call = async move {
            let outcome = context.issue_now(&source, class, &budget).await;
            if outcome.result.is_ok() && context.has_stopped_waiting.load(Ordering::Relaxed) {
                // The pod needs the result before the regular time of the next poll.
                context.volumes.poll_soon(&context.volume);
            }
            outcome
        };
        SingleFlight::start_in(self.volumes.logins.tasks(), call, panicked)
    }

    async fn issue_now(&self, source: &Source, class: SharingClass, budget: &Budget) -> IssueOutcome {
        let (began, since) = (UnixMillis::now(), Instant::now());
        let token = match class {
            SharingClass::Lease => self.leasing_token(source.share, budget).await,
            SharingClass::SharedRead | SharingClass::Issue => self.reading_token(budget).await,
        };
        let call = |token: Arc<VaultToken>| async move {
            self.count_call();
            engine::fetch(token.login(), source, budget).await
        };
        let called = match token {
            Ok(token) => self.call_as(token, source, budget, call).await,
            Err(error) => Err(error),
        };
        match called {
            Ok((token, result)) => IssueOutcome {
                began,
                took: since.elapsed(),
                token: Some(token),
                result: result.map(Arc::new).map_err(|error| FetchError::from(&error)),
            },
            Err(error) => {
                IssueOutcome { began, took: since.elapsed(), token: None, result: Err(error.into()) }
            }
        }
    }

    /// Stores the outcome of a call: what it issued, and its token where that will be used again.
    fn store(&self, source: &Source, outcome: &IssueOutcome, class: SharingClass) {
        let Some(token) = &outcome.token else { return };
        // After other failures something may have been issued whose end is unknown: it is revoked with the token.
        let keeps_token = match &outcome.result {
            Ok(fetched) => {
                self.store_issued(source, fetched, token, class, outcome);
                true
            }
            Err(error) => matches!(error.reason, Reason::ReadDenied | Reason::NotFound),
        };
        if keeps_token {
            self.store_token(source, token, class);
        }
    }

    /// Stores a token of the volume's own, or of its group, that will call `source` again. A token with leases is stored with them, and a path that
    /// has turned out to lease nothing is called with the reading token from now on.
    fn store_token(&self, source: &Source, token: &Arc<VaultToken>, class: SharingClass) {
        if class != SharingClass::Lease {
            return;
        }
        let is_free = token.lease_count() == 0 && self.spec.login != LoginScope::Transient;
        let mut state = self.volume.state();
        state.own.retain(|(of, own)| of != source && (is_free || !Arc::ptr_eq(own, token)));
        if is_free && self.class(source) == SharingClass::Lease {
            // One token for each scope: sources of the same scope are called with the same token.
            state.own.retain(|(of, _)| of.share != source.share);
            state.own.push((source.clone(), Arc::clone(token)));
        }
    }

    /// Stores what was issued until its own end, or for as long as its lease lives.
    fn store_issued(
        &self,
        source: &Source,
        fetched: &Arc<Fetched>,
        token: &Arc<VaultToken>,
        class: SharingClass,
        outcome: &IssueOutcome,
    ) {
        let (began, took) = (outcome.began, outcome.took);
        if self.store_lease(source, fetched, token, (began, took)) {
            return;
        }
        if class == SharingClass::Lease {
            self.volumes.learned_paths.learn(&self.spec.server, source, false);
        }
        if self.class(source) == SharingClass::SharedRead {
            return; // the first response has shown that it is a read
        }
        let explicit = self.spec.refreshes.is_explicit(source);
        let Some(expiry) = expiry(source, fetched, began, explicit) else { return };
        if !self.volumes.reserve_issued(fetched.weight()) {
            self.warn(format!(
                "{source} is not cached, because the cache is full: every mount and poll requests it again"
            ));
            return;
        }
        self.warn_if_short(source, expiry);
        self.replace(source, fetched, IssuedExpiry::Fixed(expiry), (began, took));
    }

    /// Stores a response with a lease together with its token, which no other mount may join any more. Returns whether there is a lease.
    pub(super) fn store_lease(
        &self,
        source: &Source,
        fetched: &Arc<Fetched>,
        token: &Arc<VaultToken>,
        (began, took): (UnixMillis, Duration),
    ) -> bool {
        if !fetched.is_leased() {
            return false;
        }
        self.volumes.learned_paths.learn(&self.spec.server, source, true);
        if token.key().scope == Scope::Account {
            self.volumes.logins.detach(token);
        }
        if let Some((id, ttl, renewable)) = fetched.lease() {
            token.add_lease(id, ttl, renewable, began);
            self.replace(
                source,
                fetched,
                IssuedExpiry::Leased(id.to_owned(), Arc::clone(token)),
                (began, took),
            );
        }
        true
    }

    /// Puts a response into the cache. What it supersedes lives until the pod has the new files and two republish intervals more; in the cache of a
    /// group, until every member was republished.
    fn replace(
        &self,
        source: &Source,
        fetched: &Arc<Fetched>,
        expiry: IssuedExpiry,
        (at, took): (UnixMillis, Duration),
    ) {
        let cache = self.issued(source.share);
        let old = cache.insert(source, Issued::new(Arc::clone(fetched), at, expiry).after(took));
        cache.supersede(NOT_YET, old.as_ref().and_then(Issued::token_and_lease));
    }

    /// What was issued for `source` and needs no successor yet.
    pub(super) fn cached(&self, source: &Source) -> Option<Issued> {
        self.issued(source.share).get(source).filter(|issued| !self.is_due(source, issued))
    }

    /// What was issued for `source` and has not expired now, although a successor may be due.
    fn still_valid(&self, source: &Source) -> Option<Arc<Fetched>> {
        let issued = self.issued(source.share).get(source)?;
        issued.is_valid(UnixMillis::now()).then_some(issued.fetched)
    }

    /// Whether what was just issued has not expired while it waited for a mount. What is not in the cache was issued for this mount alone.
    fn is_valid(&self, source: &Source, fetched: &Arc<Fetched>) -> bool {
        let issued = self.issued(source.share).get(source);
        let stored = issued.filter(|issued| Arc::ptr_eq(&issued.fetched, fetched));
        stored.is_none_or(|issued| issued.end().is_valid(UnixMillis::now()))
    }

    fn is_due(&self, source: &Source, issued: &Issued) -> bool {
        // Volumes that are polled at the same moment must not miss it by some milliseconds, for they would be late the next time.
        let by = self.schedule.map_or(self.began, |_| self.began + TOGETHER);
        issued.is_due(by, self.volumes.renewal_inputs(&self.volume, &self.spec, source))
    }

    fn issued(&self, share: ShareScope) -> Arc<IssuedCache> {
        match share {
            ShareScope::Pod => Arc::clone(&self.volume.issued),
            ShareScope::ServiceAccount => {
                // Where the server does not name the account, each pod is a group of its own.
                let key = self.volumes.logins.effective_key(self.login_key(Scope::Group), &self.spec.pod.uid);
                let mut state = self.volume.state();
                let known = state.group.as_ref().filter(|(of, _)| *of == key);
                if let Some((_, cache)) = known {
                    return Arc::clone(cache);
                }
                let cache = self.volumes.group_cache(&key);
                state.group = Some((key, Arc::clone(&cache)));
                cache
            }
        }
    }

    /// Warns of what lives too short for the republish interval of its volume.
    fn warn_if_short(&self, source: &Source, expiry: Expiry) {
        let Some(end) = expiry.end() else { return };
        let life = end.since(self.began);
        let interval = self.volumes.interval(&self.volume, &self.spec);
        if renewal::too_short(life, interval) {
            let (life, interval) = (life.as_secs(), interval.as_secs());
            self.warn(format!(
                "{source} lives {life} s, and the volume is republished every {interval} s: it may expire before its successor is written; \
                 give it three times the interval at least, or have the driver republish more often (--rotation-poll-interval)"
            ));
        }
    }

    pub(super) fn warn(&self, warning: String) {
        self.warnings.lock().push(warning);
    }
}

/// When a response without a lease that was requested at `began` expires; `None` if every use needs a request of its own.
fn expiry(source: &Source, fetched: &Fetched, began: UnixMillis, explicit: bool) -> Option<Expiry> {
    engine::expiry(source, fetched, i64::try_from(began.0 / 1000).unwrap_or(i64::MAX), explicit)
}

/// Whether a call failed for a reason of the mount that started it: its service account token, its memory.
fn is_only_for_starter(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::LoginDenied
            | Reason::TokenMissing
            | Reason::ReadDenied
            | Reason::PayloadTooLarge
            | Reason::Bug
    )
}

fn late(source: &Source) -> FetchError {
    FetchError::new(
        Reason::Deadline,
        format!(
            "{source}: the server is still issuing it; the next mount takes the result (--request-timeout)"
        ),
    )
}
