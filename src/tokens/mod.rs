//! Logins: one for all pods of a service account where that is allowed, kept alive while somebody uses it, and given back once.

pub mod login_key; // for whom a login is
pub mod persistence; // what outlives a restart
pub mod renewer; // keeps a token and its leases alive
pub mod revoker; // tokens given back, a few at a time
pub mod shared_reads; // reads that several volumes share
pub mod vault_token; // a login, and what hangs on it
#[cfg(test)]
mod tests;

pub use login_key::{LoginKey, Scope};
pub use shared_reads::MaxAge;
pub use vault_token::{OnRelease, Standing, VaultToken};

use crate::mutex::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use futures::future::{BoxFuture, FutureExt, Shared};
use metrics::counter;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::error::Reason;
use crate::limits::Budget;
use crate::renewal::{State, UnixMillis};
use crate::spec::{AuthSpec, PodToken, ServerSpec};
use crate::state::{RecordId, Store};
use crate::tokens::revoker::TokenRevoker;
use crate::vault::{Login, Server, VaultError, Vaults};

/// Identities that are remembered as not to be shared; past that all are found out anew.
const PERSONAL: usize = 4096;

/// Every login of the process.
#[derive(Clone)]
pub struct Logins {
    inner: Arc<Inner>,
}

struct Inner {
    vaults: Vaults,
    slots: Mutex<HashMap<LoginKey, Slot>>,
    /// Those that the server does not name, so that every pod has a login of its own.
    personal: Mutex<HashSet<LoginKey>>,
    closer: TokenRevoker,
}

/// A login on its way.
type Flight = Shared<BoxFuture<'static, Result<Arc<VaultToken>, VaultError>>>;

enum Slot {
    Pending(Flight),
    Ready(Weak<VaultToken>),
}

/// How one came to a login.
enum Lookup {
    /// It was there.
    VaultToken(Arc<VaultToken>),
    /// It is being made, and whether by us.
    Flight(Flight, bool),
}

impl Logins {
    /// None yet, at servers of `vaults`; tokens are given back by tasks of `tasks`.
    pub fn new(vaults: Vaults, store: Option<Arc<Store>>, tasks: &TaskTracker) -> Self {
        let inner = Inner {
            vaults,
            slots: Mutex::default(),
            personal: Mutex::default(),
            closer: TokenRevoker::new(store, tasks),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The login of `who`, for the pod `uid` that brings `token`: one that is there and another than `but`, or one that is made now, once
    /// for all who wait.
    ///
    /// A login for several pods is given to one that did not make it only when the server itself names their account; else each has its own.
    pub async fn session(
        &self,
        who: &LoginKey,
        uid: &str,
        token: &Arc<PodToken>,
        but: Option<&Arc<VaultToken>>,
        budget: &Budget,
    ) -> Result<Arc<VaultToken>, VaultError> {
        if !who.is_shared() {
            return self.joined(who, token, but, budget).await.map(|(session, _)| session);
        }
        let own = who.of_pod(uid);
        if self.is_personal(who) {
            return self.joined(&own, token, but, budget).await.map(|(session, _)| session);
        }
        match self.joined(who, token, but, budget).await? {
            (session, _) if who.is_named_by(session.login().token_info()) => Ok(session),
            (session, true) => {
                self.make_personal(who);
                session.is_only(own.clone());
                self.land(&own, &session);
                Ok(session)
            }
            (_, false) => {
                self.make_personal(who);
                self.joined(&own, token, but, budget).await.map(|(session, _)| session)
            }
        }
    }

    /// Whose what hangs on logins of `who` is: its own, or that of the pod `uid` alone, where the server does not name the account.
    pub fn sharing(&self, who: LoginKey, uid: &str) -> LoginKey {
        if who.is_shared() && self.is_personal(&who) { who.of_pod(uid) } else { who }
    }

    /// The login of `who` that is there, for one who brings no token: where a pod's token opened it within the hour.
    pub fn there(&self, who: &LoginKey, uid: &str) -> Option<Arc<VaultToken>> {
        let who = self.sharing(who.clone(), uid);
        let slots = self.inner.slots.lock();
        let Some(Slot::Ready(session)) = slots.get(&who) else { return None };
        let session = session.upgrade().filter(|session| session.serves(UnixMillis::now()))?;
        let may_join = !who.is_shared() || who.is_named_by(session.login().token_info());
        may_join.then_some(session)
    }

    /// A login that nobody else finds, and that ends with its last user.
    pub async fn alone(
        &self,
        who: &LoginKey,
        token: &Arc<PodToken>,
        budget: &Budget,
    ) -> Result<Arc<VaultToken>, VaultError> {
        self.inner.made(who.clone(), Arc::clone(token), budget.clone()).await
    }

    /// A login that every call of one mount carries out by itself, with nothing stored at the server.
    pub fn inline(&self, who: &LoginKey, token: &PodToken) -> Result<Arc<VaultToken>, VaultError> {
        self.inner.vaults.check_login(&who.server, &who.auth, &who.account, None)?;
        let login = self.server(&who.server)?.inline(&who.auth, &token.jwt)?;
        Ok(VaultToken::begin(who.clone(), login, self.inner.closer.clone()))
    }

    /// Takes `session` from those who may still join it: something that is one volume's hangs on it.
    pub fn detach(&self, session: &Arc<VaultToken>) {
        let mut slots = self.inner.slots.lock();
        slots.retain(|_, slot| !matches!(slot, Slot::Ready(landed) if std::ptr::eq(landed.as_ptr(), Arc::as_ptr(session))));
    }

    /// Tokens that nobody holds any more, and that still live.
    pub fn ending(&self) -> usize {
        self.inner.closer.waiting()
    }

    /// Drops what nobody uses any more: logins that ended, and answers that are too old for everybody.
    pub fn forget(&self) {
        let now = Instant::now();
        let mut slots = self.inner.slots.lock();
        slots.retain(|_, slot| match slot {
            Slot::Pending(_) => true,
            Slot::Ready(session) => session.upgrade().inspect(|session| session.reads.forget(now)).is_some(),
        });
    }

    /// Finds or makes the login of `who`, and tells whether we made it. Who only waited and got a failure that may be the maker's own
    /// token's, or its short time's, tries once more.
    async fn joined(
        &self,
        who: &LoginKey,
        token: &Arc<PodToken>,
        but: Option<&Arc<VaultToken>>,
        budget: &Budget,
    ) -> Result<(Arc<VaultToken>, bool), VaultError> {
        let makers_own = |error: &VaultError| {
            matches!(error.reason(), Reason::LoginDenied | Reason::Deadline | Reason::Bug)
        };
        for _ in 0..2 {
            match self.find(who, token, but, budget) {
                Lookup::VaultToken(session) => return Ok((session, false)),
                Lookup::Flight(flight, ours) => match landed(flight, &who.auth, budget).await {
                    Err(error) if !ours && makers_own(&error) && Instant::now() < budget.end() => {}
                    outcome => return outcome.map(|session| (session, ours)),
                },
            }
        }
        let flight = self.inner.made(who.clone(), Arc::clone(token), budget.clone());
        Ok((flight.await?, true))
    }

    fn find(
        &self,
        who: &LoginKey,
        token: &Arc<PodToken>,
        but: Option<&Arc<VaultToken>>,
        budget: &Budget,
    ) -> Lookup {
        let mut slots = self.inner.slots.lock();
        match slots.get(who) {
            Some(Slot::Pending(flight)) => return Lookup::Flight(flight.clone(), false),
            Some(Slot::Ready(session)) => {
                let other = |session: &Arc<VaultToken>| but.is_none_or(|but| !Arc::ptr_eq(but, session));
                if let Some(session) =
                    session.upgrade().filter(|session| other(session) && session.serves(UnixMillis::now()))
                {
                    return Lookup::VaultToken(session);
                }
            }
            None => {}
        }
        let (inner, who, token, budget) =
            (Arc::clone(&self.inner), who.clone(), Arc::clone(token), budget.clone());
        let slot = who.clone();
        // A task of its own: others may wait for it when its maker is gone.
        let call = tokio::spawn(async move { Inner::fly(inner, who, token, budget).await });
        let panicked = || Err(VaultError::Panicked { doing: "log in".into() });
        let flight = call.map(move |outcome| outcome.unwrap_or_else(|_| panicked())).boxed().shared();
        slots.insert(slot, Slot::Pending(flight.clone()));
        Lookup::Flight(flight, true)
    }

    fn server(&self, spec: &ServerSpec) -> Result<Server, VaultError> {
        self.inner.vaults.server(spec)
    }

    /// Gives back a login that nobody holds.
    fn close(&self, login: Login, record: RecordId) {
        self.inner.closer.close(login, record);
    }

    fn remove(&self, record: &RecordId) {
        self.inner.closer.remove(record);
    }

    fn kept(
        &self,
        who: LoginKey,
        login: Login,
        state: State,
        authenticated_at: UnixMillis,
        record: RecordId,
    ) -> Arc<VaultToken> {
        VaultToken::kept(who, login, state, authenticated_at, record, self.inner.closer.clone())
    }

    fn land(&self, who: &LoginKey, session: &Arc<VaultToken>) {
        let mut slots = self.inner.slots.lock();
        slots.insert(who.clone(), Slot::Ready(Arc::downgrade(session)));
    }

    fn is_personal(&self, who: &LoginKey) -> bool {
        self.inner.personal.lock().contains(who)
    }

    /// What the server does not name for one scope it names for no other.
    fn make_personal(&self, who: &LoginKey) {
        let mut personal = self.inner.personal.lock();
        if personal.len() >= PERSONAL {
            personal.clear();
        }
        personal.extend(who.shared());
    }
}

impl Inner {
    /// Makes the login of `who` and puts it where others find it.
    async fn fly(
        inner: Arc<Self>,
        who: LoginKey,
        token: Arc<PodToken>,
        budget: Budget,
    ) -> Result<Arc<VaultToken>, VaultError> {
        let outcome = inner.made(who.clone(), token, budget).await;
        let mut slots = inner.slots.lock();
        match &outcome {
            Ok(session) => slots.insert(who, Slot::Ready(Arc::downgrade(session))),
            Err(_) => slots.remove(&who),
        };
        outcome
    }

    async fn made(
        &self,
        who: LoginKey,
        token: Arc<PodToken>,
        budget: Budget,
    ) -> Result<Arc<VaultToken>, VaultError> {
        let login = self.logged_in(&who, &token, &budget).await;
        counter!("vaultmount_logins_total", "outcome" => if login.is_ok() { "ok" } else { "failed" })
            .increment(1);
        Ok(VaultToken::begin(who, login?, self.closer.clone()))
    }

    /// Logs in with `token`. A token that may be the node's is revoked at once.
    async fn logged_in(
        &self,
        who: &LoginKey,
        token: &PodToken,
        budget: &Budget,
    ) -> Result<Login, VaultError> {
        let login = self.vaults.server(&who.server)?.login(&who.auth, &token.jwt, budget).await?;
        let Err(refused) =
            self.vaults.check_login(&who.server, &who.auth, &who.account, Some(login.token_info()))
        else {
            return Ok(login);
        };
        if let Err((login, _)) = login.revoke(budget).await {
            // Tried again later where that can help. There is no record of it yet.
            self.closer.close(*login, RecordId::of(&[rand::random::<[u8; 32]>()]));
        }
        Err(refused)
    }
}

async fn landed(flight: Flight, auth: &AuthSpec, budget: &Budget) -> Result<Arc<VaultToken>, VaultError> {
    let late = |_| Err(VaultError::OutOfTime { doing: format!("log in at auth/{}", auth.mount) });
    timeout_at(budget.end(), flight).await.unwrap_or_else(late)
}
