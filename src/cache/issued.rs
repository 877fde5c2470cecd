//! What was made for a volume, or for the pods of an account together, and is still of use: certificates, credentials with their leases,
//! answers of writes.

use crate::mutex::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;

use crate::engine::Fetched;
use crate::renewal::{Expiry, RenewalInputs, UnixMillis};
use crate::spec::Source;
use crate::state::Written;
use crate::tokens::{Standing, VaultToken};

/// What one owner has.
#[derive(Default)]
pub(crate) struct IssuedCache {
    made: Mutex<HashMap<Source, Issued>>,
    replaced: Mutex<Vec<Superseded>>,
    turns: Mutex<HashMap<Source, Arc<AsyncMutex<()>>>>,
    pub(crate) written: Written,
}

/// What was replaced, or is asked for no more.
#[derive(Clone)]
pub(crate) struct Superseded {
    /// Until when pods may use it.
    pub(crate) until: UnixMillis,
    /// The login that it hangs on.
    pub(crate) session: Arc<VaultToken>,
    /// Its lease, which nobody renews from then on; not known after a restart.
    pub(crate) lease: Option<String>,
}

/// When a login is let go whose successor nobody has been given yet.
pub(crate) const NOT_YET: UnixMillis = UnixMillis(u64::MAX);

/// One answer, and how long it is of use.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) fetched: Arc<Fetched>,
    pub(crate) at: UnixMillis,
    pub(crate) lasts: IssuedExpiry,
}

/// What ends an answer's use.
#[derive(Clone)]
pub(crate) enum IssuedExpiry {
    /// The lease of this id, which the login keeps alive; without its login it is gone.
    Leased(String, Arc<VaultToken>),
    /// What it holds ends by itself, or never tells.
    Fixed(Expiry),
}

impl Issued {
    /// Whether its successor is to be made.
    pub(crate) fn is_due(&self, now: UnixMillis, pace: RenewalInputs) -> bool {
        self.due_at(pace).is_some_and(|due| due <= now)
    }

    /// When its successor is to be made, as far as is known.
    pub(crate) fn due_at(&self, pace: RenewalInputs) -> Option<UnixMillis> {
        match &self.lasts {
            IssuedExpiry::Leased(id, session) => session.due_at(id, pace.interval),
            IssuedExpiry::Fixed(life) => Some(life.due_at(self.at, pace)),
        }
    }

    /// Whether it still opens what it is for.
    pub(crate) fn is_of_use(&self, now: UnixMillis) -> bool {
        match &self.lasts {
            IssuedExpiry::Leased(id, session) => session.standing(id, now, Duration::ZERO) != Standing::Gone,
            IssuedExpiry::Fixed(Expiry::Unknown) => true,
            IssuedExpiry::Fixed(Expiry::Until(end)) => now < UnixMillis::of_unix_seconds(*end),
        }
    }

    /// The login that it hangs on, and its lease.
    pub(crate) fn hangs_on(&self) -> Option<(Arc<VaultToken>, Option<String>)> {
        match &self.lasts {
            IssuedExpiry::Leased(id, session) => Some((Arc::clone(session), Some(id.clone()))),
            IssuedExpiry::Fixed(_) => None,
        }
    }

    pub(crate) fn session(&self) -> Option<&Arc<VaultToken>> {
        match &self.lasts {
            IssuedExpiry::Leased(_, session) => Some(session),
            IssuedExpiry::Fixed(_) => None,
        }
    }
}

impl IssuedCache {
    pub(crate) fn get(&self, source: &Source) -> Option<Issued> {
        self.made.lock().get(source).cloned()
    }

    /// Puts `made` in the place of what was there, which is given back.
    pub(crate) fn put(&self, source: &Source, made: Issued) -> Option<Issued> {
        self.made.lock().insert(source.clone(), made)
    }

    /// Takes what `wanted` refuses.
    pub(crate) fn only(&self, wanted: impl Fn(&Source) -> bool) -> Vec<Issued> {
        let mut made = self.made.lock();
        made.extract_if(|source, _| !wanted(source)).map(|(_, made)| made).collect()
    }

    /// Keeps logins until a moment, and the leases that hang on them: pods may still use them, for nobody tells us that the driver wrote the new
    /// files.
    pub(crate) fn keep_until(
        &self,
        until: UnixMillis,
        gone: impl IntoIterator<Item = (Arc<VaultToken>, Option<String>)>,
    ) {
        self.replaced().extend(gone.into_iter().map(|(session, lease)| Superseded { until, session, lease }));
    }

    /// The pod was given what takes the place of all that was replaced: from now on that has an end.
    pub(crate) fn given(&self, until: UnixMillis) {
        self.replaced().iter_mut().filter(|gone| gone.until == NOT_YET).for_each(|gone| gone.until = until);
    }

    /// Lets go of what was replaced long enough ago. A login that something else hangs on lives, and renews that alone.
    pub(crate) fn tidy(&self, now: UnixMillis) {
        let gone: Vec<_> = self.replaced().extract_if(.., |gone| gone.until <= now).collect();
        if gone.is_empty() {
            return;
        }
        let there: HashSet<_> = self.all().into_iter().filter_map(|(_, made)| made.hangs_on()?.1).collect();
        for Superseded { session, lease, .. } in &gone {
            lease.iter().filter(|lease| !there.contains(*lease)).for_each(|lease| session.lets_go(lease));
        }
        drop(gone); // without the lock: a login may end here
    }

    /// What was replaced.
    pub(crate) fn replaced(&self) -> MutexGuard<'_, Vec<Superseded>> {
        self.replaced.lock()
    }

    /// The logins that it holds.
    pub(crate) fn sessions(&self) -> Vec<Arc<VaultToken>> {
        let mut sessions: Vec<_> = self.replaced().iter().map(|gone| Arc::clone(&gone.session)).collect();
        sessions.extend(self.made.lock().values().filter_map(Issued::session).cloned());
        sessions
    }

    /// When each thing on it ends, where that is told.
    pub(crate) fn ends(&self) -> Vec<UnixMillis> {
        let made = self.made.lock();
        let told = |made: &Issued| match &made.lasts {
            IssuedExpiry::Leased(id, session) => session.lease_ends(id),
            IssuedExpiry::Fixed(Expiry::Until(end)) => Some(UnixMillis::of_unix_seconds(*end)),
            IssuedExpiry::Fixed(Expiry::Unknown) => None,
        };
        made.values().filter_map(told).collect()
    }

    /// Everything on it.
    pub(crate) fn all(&self) -> Vec<(Source, Issued)> {
        let made = self.made.lock();
        made.iter().map(|(source, made)| (source.clone(), made.clone())).collect()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.made.lock().values().map(|made| made.fetched.weight()).sum()
    }

    /// One at a time makes what `source` asks for: who waited finds it made.
    pub(crate) fn turn(&self, source: &Source) -> Arc<AsyncMutex<()>> {
        let mut turns = self.turns.lock();
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(source.clone()).or_default())
    }
}
