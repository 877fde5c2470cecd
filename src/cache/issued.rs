//! What was issued for a volume, or for the pods of an account together, and is still valid: certificates, leased credentials, responses of
//! writes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard};

use tokio::sync::Mutex as AsyncMutex;

use crate::engine::Fetched;
use crate::mutex::Mutex;
use crate::renewal::{Expiry, RenewalInputs, UnixMillis};
use crate::spec::Source;
use crate::state::Written;
use crate::tokens::VaultToken;

/// Everything that was issued for one volume or one group.
#[derive(Default)]
pub(crate) struct IssuedCache {
    issued: Mutex<HashMap<Source, Issued>>,
    superseded: Mutex<Vec<Superseded>>,
    issue_locks: Mutex<HashMap<Source, Arc<AsyncMutex<()>>>>,
    pub(crate) written: Written,
}

/// A token that the cache no longer needs, but that a pod may still use.
#[derive(Clone)]
pub(crate) struct Superseded {
    /// Until when pods may use it.
    pub(crate) until: UnixMillis,
    /// The token.
    pub(crate) token: Arc<VaultToken>,
    /// The lease that is no longer renewed from then on. Unknown after a restart.
    pub(crate) lease: Option<String>,
}

/// The time of a superseded token whose successor no pod has yet.
pub(crate) const NOT_YET: UnixMillis = UnixMillis(u64::MAX);

/// One response, and when it expires.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) fetched: Arc<Fetched>,
    pub(crate) at: UnixMillis,
    pub(crate) expiry: IssuedExpiry,
}

/// What ends a response.
#[derive(Clone)]
pub(crate) enum IssuedExpiry {
    /// The lease with this id, which ends with its token at the latest.
    Leased(String, Arc<VaultToken>),
    /// The response itself says when it ends, or says nothing.
    Fixed(Expiry),
}

impl Issued {
    /// Whether its successor is due at `now`.
    pub(crate) fn is_due(&self, now: UnixMillis, inputs: RenewalInputs) -> bool {
        self.due_at(inputs).is_some_and(|due| due <= now)
    }

    /// When its successor is due; `None` where no time is known.
    pub(crate) fn due_at(&self, inputs: RenewalInputs) -> Option<UnixMillis> {
        match &self.expiry {
            IssuedExpiry::Leased(id, token) => token.lease_due_at(id, inputs.interval),
            IssuedExpiry::Fixed(expiry) => Some(expiry.due_at(self.at, inputs)),
        }
    }

    /// Whether it has not expired, so that it may be used instead of a successor whose call fails. A read without an end is no such thing: its file is
    /// last known good content then, which is limited and reported.
    pub(crate) fn is_valid(&self, now: UnixMillis) -> bool {
        match &self.expiry {
            IssuedExpiry::Fixed(Expiry::Read) => false,
            IssuedExpiry::Leased(id, token) => token.is_lease_valid(id, now),
            IssuedExpiry::Fixed(expiry) => expiry.end().is_none_or(|end| now < end),
        }
    }

    /// Its token and its lease.
    pub(crate) fn token_and_lease(&self) -> Option<(Arc<VaultToken>, Option<String>)> {
        match &self.expiry {
            IssuedExpiry::Leased(id, token) => Some((Arc::clone(token), Some(id.clone()))),
            IssuedExpiry::Fixed(_) => None,
        }
    }

    /// The token that its lease needs.
    pub(crate) fn token(&self) -> Option<&Arc<VaultToken>> {
        match &self.expiry {
            IssuedExpiry::Leased(_, token) => Some(token),
            IssuedExpiry::Fixed(_) => None,
        }
    }
}

impl IssuedCache {
    /// What was issued for `source`.
    pub(crate) fn get(&self, source: &Source) -> Option<Issued> {
        self.issued.lock().get(source).cloned()
    }

    /// Stores `issued`. Returns what it replaces.
    pub(crate) fn insert(&self, source: &Source, issued: Issued) -> Option<Issued> {
        self.issued.lock().insert(source.clone(), issued)
    }

    /// Removes and returns what was issued for sources that are not `wanted`.
    pub(crate) fn extract_unless(&self, wanted: impl Fn(&Source) -> bool) -> Vec<Issued> {
        let mut issued = self.issued.lock();
        issued.extract_if(|source, _| !wanted(source)).map(|(_, issued)| issued).collect()
    }

    /// Keeps tokens and their leases until `until`: pods may still use them, for the driver does not report when it has written new files.
    pub(crate) fn supersede(
        &self,
        until: UnixMillis,
        tokens: impl IntoIterator<Item = (Arc<VaultToken>, Option<String>)>,
    ) {
        let tokens = tokens.into_iter().map(|(token, lease)| Superseded { until, token, lease });
        self.superseded().extend(tokens);
    }

    /// Records that the pod has new files: superseded tokens are dropped after `until`.
    pub(crate) fn set_published(&self, until: UnixMillis) {
        let mut superseded = self.superseded();
        superseded.iter_mut().filter(|old| old.until == NOT_YET).for_each(|old| old.until = until);
    }

    /// Drops superseded tokens after their grace period. A token that has other leases lives on, and renews only those.
    pub(crate) fn drop_expired(&self, now: UnixMillis) {
        let dropped: Vec<_> = self.superseded().extract_if(.., |old| old.until <= now).collect();
        if dropped.is_empty() {
            return;
        }
        let current = self.all().into_iter().filter_map(|(_, issued)| issued.token_and_lease()?.1);
        let current: HashSet<_> = current.collect();
        for Superseded { token, lease, .. } in &dropped {
            let lease = lease.iter().filter(|lease| !current.contains(*lease));
            lease.for_each(|lease| token.release_lease(lease));
        }
        drop(dropped); // without the lock, for a token may end here
    }

    /// The superseded tokens.
    pub(crate) fn superseded(&self) -> MutexGuard<'_, Vec<Superseded>> {
        self.superseded.lock()
    }

    /// The tokens that it needs.
    pub(crate) fn tokens(&self) -> Vec<Arc<VaultToken>> {
        let mut tokens: Vec<_> = self.superseded().iter().map(|old| Arc::clone(&old.token)).collect();
        tokens.extend(self.issued.lock().values().filter_map(Issued::token).cloned());
        tokens
    }

    /// When each response expires, where that is known.
    pub(crate) fn expiries(&self) -> Vec<UnixMillis> {
        let issued = self.issued.lock();
        let expiry = |issued: &Issued| match &issued.expiry {
            IssuedExpiry::Leased(id, token) => token.lease_expires_at(id),
            IssuedExpiry::Fixed(expiry) => expiry.end(),
        };
        issued.values().filter_map(expiry).collect()
    }

    /// Every response with its source.
    pub(crate) fn all(&self) -> Vec<(Source, Issued)> {
        let issued = self.issued.lock();
        issued.iter().map(|(source, issued)| (source.clone(), issued.clone())).collect()
    }

    /// About how many bytes the responses take.
    pub(crate) fn bytes(&self) -> usize {
        self.issued.lock().values().map(|issued| issued.fetched.weight()).sum()
    }

    /// The lock of `source`: one mount at a time requests it, and the others then find it in the cache.
    pub(crate) fn issue_lock(&self, source: &Source) -> Arc<AsyncMutex<()>> {
        let mut locks = self.issue_locks.lock();
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(locks.entry(source.clone()).or_default())
    }
}
