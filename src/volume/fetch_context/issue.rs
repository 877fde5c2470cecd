//! What a mount has issued for its volume, or finds in the cache: leased credentials, certificates, and every other response that is no shared
//! read.

use std::sync::Arc;

use tokio::time::timeout_at;

use super::{FetchContext, count_reused};
use crate::cache::issued::{Issued, IssuedCache, IssuedExpiry, NOT_YET};
use crate::engine;
use crate::engine::{EngineError, FetchError, FetchResult, Fetched};
use crate::error::Reason;
use crate::limits::Budget;
use crate::renewal;
use crate::renewal::{Expiry, TOGETHER};
use crate::spec::{LoginScope, ShareScope, Source};
use crate::tokens::{Scope, VaultToken};
use crate::volume::sharing::SharingClass;

impl FetchContext<'_> {
    /// What was issued for this volume or its group, issued again when its time has come. When that fails for a passing reason, what is still valid
    /// stays.
    pub(super) async fn issue(&self, source: &Source, class: SharingClass, budget: &Budget) -> FetchResult {
        let cache = self.issued(source.share);
        let lock = cache.issue_lock(source);
        let late = |_| FetchError {
            reason: Reason::Deadline,
            what: format!("{source}: timed out waiting for another volume that requests the same source"),
        };
        let _lock = timeout_at(budget.end(), lock.lock()).await.map_err(late).map_err(EngineError::Origin)?;
        if let Some(issued) = self.cached(source) {
            count_reused();
            return Ok(issued.fetched);
        }
        let token = match class {
            SharingClass::Lease => self.leasing_token(source.share, budget).await?,
            SharingClass::SharedRead | SharingClass::Issue => self.reading_token(budget).await?,
        };
        let old = cache.get(source).filter(|issued| issued.is_valid(self.began));
        match self.issue_by(token, source, class, budget).await {
            Err(error) if error.reason().is_passing() => old.map(|issued| issued.fetched).ok_or(error),
            outcome => outcome,
        }
    }

    async fn issue_by(
        &self,
        token: Arc<VaultToken>,
        source: &Source,
        class: SharingClass,
        budget: &Budget,
    ) -> FetchResult {
        let call = |token: Arc<VaultToken>| async move {
            self.count_call();
            engine::fetch(token.login(), source, budget).await
        };
        let (token, outcome) = self.call_as(token, source, budget, call).await?;
        let outcome = outcome.map(Arc::new).inspect(|fetched| self.store(source, fetched, &token, class));
        // After other failures something may have been issued whose end is unknown: it is revoked with the token.
        let keeps_token = match &outcome {
            Ok(_) => true,
            Err(error) => matches!(error.reason(), Reason::ReadDenied | Reason::NotFound),
        };
        if keeps_token {
            self.store_token(source, &token, class);
        }
        outcome
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
    fn store(&self, source: &Source, fetched: &Arc<Fetched>, token: &Arc<VaultToken>, class: SharingClass) {
        if fetched.is_leased() {
            self.add_lease(source, fetched, token);
            return;
        }
        if class == SharingClass::Lease {
            self.volumes.learned_paths.learn(&self.spec.server, source, false);
        }
        let unix = i64::try_from(self.began.0 / 1000).unwrap_or(i64::MAX);
        if self.class(source) == SharingClass::SharedRead {
            return; // the first response has shown that it is a read
        }
        let explicit = self.spec.refreshes.is_explicit(source);
        let Some(expiry) = engine::expiry(source, fetched, unix, explicit) else { return };
        if !self.volumes.reserve_issued(fetched.weight()) {
            self.warn(format!(
                "{source} is not cached, because the cache is full: every mount and poll requests it again"
            ));
            return;
        }
        self.warn_if_short(source, expiry);
        self.replace(source, Arc::clone(fetched), IssuedExpiry::Fixed(expiry));
    }

    /// Stores a response with a lease together with its token, which no other mount may join any more.
    pub(super) fn add_lease(&self, source: &Source, fetched: &Arc<Fetched>, token: &Arc<VaultToken>) {
        if !fetched.is_leased() {
            return;
        }
        self.volumes.learned_paths.learn(&self.spec.server, source, true);
        if token.key().scope == Scope::Account {
            self.volumes.logins.detach(token);
        }
        let Some((id, ttl, renewable)) = fetched.lease() else { return };
        token.add_lease(id, ttl, renewable);
        let expiry = IssuedExpiry::Leased(id.to_owned(), Arc::clone(token));
        self.replace(source, Arc::clone(fetched), expiry);
    }

    /// Puts a response into the cache. What it supersedes lives until the pod has the new files and two republish intervals more; in the cache of a
    /// group, until every member was republished.
    fn replace(&self, source: &Source, fetched: Arc<Fetched>, expiry: IssuedExpiry) {
        let cache = self.issued(source.share);
        let old = cache.insert(source, Issued { fetched, at: self.began, expiry });
        cache.supersede(NOT_YET, old.as_ref().and_then(Issued::token_and_lease));
    }

    /// What was issued for `source` and needs no successor yet.
    pub(super) fn cached(&self, source: &Source) -> Option<Issued> {
        self.issued(source.share).get(source).filter(|issued| !self.is_due(source, issued))
    }

    fn is_due(&self, source: &Source, issued: &Issued) -> bool {
        // Volumes that are polled at the same moment must not miss it by some milliseconds, for they would be late the next time.
        let by = self.schedule.map_or(self.began, |_| self.began + TOGETHER);
        issued.is_due(by, self.volumes.renewal_inputs(self.volume, self.spec, source))
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
        let interval = self.volumes.interval(self.volume, self.spec);
        if renewal::too_short(life, interval) {
            let (life, interval) = (life.as_secs(), interval.as_secs());
            self.warn(format!(
                "{source} lives {life} s, and the volume is republished every {interval} s: it may expire before its successor is written; \
                 give it three times the interval at least, or have the driver republish more often (--rotation-poll-interval)"
            ));
        }
    }

    fn warn(&self, warning: String) {
        self.warnings.lock().push(warning);
    }
}
