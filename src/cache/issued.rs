//! What was issued for a volume, or for the pods of an account together, and is still valid: certificates, leased credentials, responses of
//! writes.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, Weak};
use std::time::Duration;

use crate::engine::{FetchError, Fetched};
use crate::mutex::Mutex;
use crate::renewal::{Expiry, RenewalInputs, UnixMillis};
use crate::single_flight::SingleFlight;
use crate::spec::Source;
use crate::state::Written;
use crate::tokens::VaultToken;

/// Everything that was issued for one volume or one group.
#[derive(Default)]
pub(crate) struct IssuedCache {
    issued: Mutex<HashMap<Source, Issued>>,
    superseded: Mutex<Vec<Superseded>>,
    /// Calls whose result no mount has taken yet.
    calls: Mutex<HashMap<Source, IssueCall>>,
    pub(crate) written: Written,
}

/// A call that issues something. It goes on when the mount that started it stops waiting.
pub(crate) type IssueCall = SingleFlight<IssueOutcome>;

/// The end of such a call.
#[derive(Clone)]
pub(crate) struct IssueOutcome {
    /// When the call began, and how long it took.
    pub(crate) began: UnixMillis,
    pub(crate) took: Duration,
    /// The token that made the call; `None` if there was none.
    pub(crate) token: Option<Arc<VaultToken>>,
    pub(crate) result: Result<Arc<Fetched>, FetchError>,
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
    /// How long the call took: the successor is requested so much earlier.
    took: Duration,
    standing: Arc<Standing>,
}

/// What became known of a response after it was issued. Shared with the content that is made from it.
pub(crate) struct Standing {
    /// The server says that it does not exist any more.
    is_revoked: AtomicBool,
    /// An operator wants a successor (`vaultmount refresh`).
    is_unwanted: AtomicBool,
    /// When it was last looked up.
    checked_at: AtomicU64,
}

/// What ends a response.
#[derive(Clone)]
pub(crate) enum IssuedExpiry {
    /// The lease with this id, which ends with its token at the latest.
    Leased(String, Arc<VaultToken>),
    /// The response itself says when it ends, or says nothing.
    Fixed(Expiry),
}

/// The end of something issued, as far as content refers to it. Keeps no token alive.
pub(crate) enum IssuedEnd {
    /// It ends with this lease of this token.
    Lease(String, Weak<VaultToken>),
    /// It ends by itself, or its end is unknown.
    Fixed(Expiry, Arc<Standing>),
}

impl IssuedEnd {
    /// Whether it has not ended.
    pub(crate) fn is_valid(&self, now: UnixMillis) -> bool {
        match self {
            Self::Lease(id, token) => token.upgrade().is_some_and(|token| token.is_lease_valid(id, now)),
            Self::Fixed(expiry, standing) => {
                !standing.is_revoked.load(Ordering::Relaxed) && expiry.is_valid(now)
            }
        }
    }
}

impl Issued {
    /// A response of the time `at`.
    pub(crate) fn new(fetched: Arc<Fetched>, at: UnixMillis, expiry: IssuedExpiry) -> Self {
        let standing = Standing {
            is_revoked: AtomicBool::new(false),
            is_unwanted: AtomicBool::new(false),
            checked_at: AtomicU64::new(at.0),
        };
        Self { fetched, at, expiry, took: Duration::ZERO, standing: Arc::new(standing) }
    }

    /// The same response, whose call took so long.
    pub(crate) fn after(self, took: Duration) -> Self {
        Self { took, ..self }
    }

    /// Whether its successor is due at `now`.
    pub(crate) fn is_due(&self, now: UnixMillis, inputs: RenewalInputs) -> bool {
        self.due_at(inputs).is_some_and(|due| due <= now)
    }

    /// Whether it must be looked up at `now`: every `interval`, by one of the mounts that use it.
    pub(crate) fn begins_check(&self, now: UnixMillis, interval: Duration) -> bool {
        let is_old = |at: u64| (now.since(UnixMillis(at)) >= interval).then_some(now.0);
        self.standing.checked_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_old).is_ok()
    }

    /// Records that it does not exist any more: nobody gets it from now on.
    pub(crate) fn set_revoked(&self) {
        self.standing.is_revoked.store(true, Ordering::Relaxed);
        if let IssuedExpiry::Leased(id, token) = &self.expiry {
            token.release_lease(id);
        }
    }

    /// Records that a successor is due at once. Until then it is used.
    pub(crate) fn set_unwanted(&self) {
        self.standing.is_unwanted.store(true, Ordering::Relaxed);
    }

    /// When its successor is due; `None` where no time is known.
    pub(crate) fn due_at(&self, inputs: RenewalInputs) -> Option<UnixMillis> {
        let inputs = RenewalInputs { interval: inputs.interval.saturating_add(self.took), ..inputs };
        let Standing { is_revoked, is_unwanted, .. } = &*self.standing;
        if is_revoked.load(Ordering::Relaxed) || is_unwanted.load(Ordering::Relaxed) {
            return Some(UnixMillis::default());
        }
        match &self.expiry {
            IssuedExpiry::Leased(id, token) => token.lease_due_at(id, inputs.interval),
            IssuedExpiry::Fixed(expiry) => Some(expiry.due_at(self.at, inputs)),
        }
    }

    /// Whether it has not expired, so that it may be used instead of a successor whose call fails. A read without an end is no such thing: its file is
    /// last known good content then, which is limited and reported.
    pub(crate) fn is_valid(&self, now: UnixMillis) -> bool {
        if self.standing.is_revoked.load(Ordering::Relaxed) {
            return false;
        }
        match &self.expiry {
            IssuedExpiry::Fixed(Expiry::Read) => false,
            IssuedExpiry::Leased(id, token) => token.is_lease_valid(id, now),
            IssuedExpiry::Fixed(expiry) => expiry.is_valid(now),
        }
    }

    /// Its end, for content that is made from it.
    pub(crate) fn end(&self) -> IssuedEnd {
        match &self.expiry {
            IssuedExpiry::Leased(id, token) => IssuedEnd::Lease(id.clone(), Arc::downgrade(token)),
            IssuedExpiry::Fixed(expiry) => IssuedEnd::Fixed(*expiry, Arc::clone(&self.standing)),
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
    ///
    /// A call for such a source goes on, and what it issues ends with its token.
    pub(crate) fn extract_unless(&self, wanted: impl Fn(&Source) -> bool) -> Vec<Issued> {
        self.calls.lock().retain(|source, _| wanted(source));
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

    /// The call for `source` that is under way or has a result for the next mount, or else the one that `start` starts; and whether another mount
    /// started it.
    pub(crate) fn join_or_start(
        &self,
        source: &Source,
        start: impl FnOnce() -> IssueCall,
    ) -> (IssueCall, bool) {
        let mut calls = self.calls.lock();
        if let Some(call) = calls.get(source) {
            return (call.clone(), true);
        }
        let call = start();
        calls.insert(source.clone(), call.clone());
        (call, false)
    }

    /// Takes the result of `call`, which has ended. Returns whether this mount is the first: it stores the result.
    pub(crate) fn take(&self, source: &Source, call: &IssueCall) -> bool {
        let mut calls = self.calls.lock();
        let is_first = calls.get(source).is_some_and(|known| known.is_same(call));
        if is_first {
            calls.remove(source);
        }
        is_first
    }
}
