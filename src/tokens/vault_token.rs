//! A Vault token with its shared reads, its leases, and how long all of them live.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::LoginKey;
use super::read_cache::ReadCache;
use super::renewer::TokenRenewer;
use super::revoker::TokenRevoker;
use super::token_life::{OnRelease, TokenLife};
use crate::renewal::{Event, LeaseId, LeaseTerm, State, USUAL, UnixMillis, reauthenticate_after};
use crate::state::{RecordId, Written};
use crate::vault::Login;

/// A token that lives as long as a mount or a volume holds it. When the last one releases it, it is revoked once, with everything that was
/// issued by it.
pub(crate) struct VaultToken {
    key: LoginKey,
    /// The pod that logged in, where the login was meant for several pods and the server does not name their account.
    only_for: OnceLock<LoginKey>,
    // Before `_alive`, so that the renewer is the last to hold it.
    login: Arc<Login>,
    pub(crate) reads: ReadCache,
    life: Arc<TokenLife>,
    authenticated_at: UnixMillis,
    record: RecordId,
    /// Shutdown waits for reads that are under way.
    pub(super) tasks: TaskTracker,
    pub(crate) written: Written,
    _alive: oneshot::Sender<Infallible>,
}

impl VaultToken {
    /// The token of a new login. It is renewed from now on, as long as a volume wants it.
    pub(crate) fn new(key: LoginKey, login: Login, revoker: TokenRevoker) -> Arc<Self> {
        let (now, info) = (UnixMillis::now(), login.token_info());
        let term = LeaseTerm::issued(info.ttl, info.renewable && !info.batch && info.uses == 0, now);
        let record = RecordId::of(&[rand::random::<[u8; 32]>()]);
        Self::with_state(key, login, State::new(term, rand::random()), now, record, revoker)
    }

    /// The token of a login whose terms are known, as an earlier process left it.
    pub(crate) fn with_state(
        key: LoginKey,
        login: Login,
        state: State,
        authenticated_at: UnixMillis,
        record: RecordId,
        revoker: TokenRevoker,
    ) -> Arc<Self> {
        let (actions, queue) = mpsc::unbounded_channel();
        let (alive, released) = oneshot::channel();
        let life = Arc::new(TokenLife::new(state, actions));
        let login = Arc::new(login);
        let mut role = DefaultHasher::new();
        (&key.server, &key.auth).hash(&mut role);
        let renewer = TokenRenewer {
            login: Arc::clone(&login),
            life: Arc::clone(&life),
            record: record.clone(),
            role: role.finish(),
            revoker: revoker.clone(),
            queue,
        };
        revoker.tasks().spawn(renewer.run(released));
        Arc::new(Self {
            key,
            only_for: OnceLock::new(),
            login,
            reads: ReadCache::default(),
            life,
            authenticated_at,
            record,
            tasks: revoker.tasks().clone(),
            written: Written::default(),
            _alive: alive,
        })
    }

    /// Which pods may use the token.
    pub(crate) fn key(&self) -> &LoginKey {
        self.only_for.get().unwrap_or(&self.key)
    }

    /// Restricts the token to the pod that logged in.
    pub(crate) fn restrict_to(&self, key: LoginKey) {
        // Only the mount that logged in calls this, and only once.
        let _ = self.only_for.set(key);
    }

    /// The client that calls Vault with the token.
    pub(crate) fn login(&self) -> &Login {
        &self.login
    }

    /// When a pod's own service account token logged in.
    pub(crate) fn authenticated_at(&self) -> UnixMillis {
        self.authenticated_at
    }

    /// Whether another mount may use the token: it is authenticated, and it lives long enough for volumes that are republished at the usual
    /// interval.
    pub(crate) fn is_usable(&self, now: UnixMillis) -> bool {
        let state = self.life.state();
        let lives = state.token().is_of_use(now) && state.token_replace_at(USUAL).is_none_or(|at| now < at);
        lives && self.is_authenticated(now)
    }

    /// Whether a pod's own service account token logged in not long ago: each token has a time of its own, which a restart does not change.
    pub(crate) fn is_authenticated(&self, now: UnixMillis) -> bool {
        now.since(self.authenticated_at) < reauthenticate_after(self.record.fraction())
    }

    /// Adds a lease that was issued by the token. A token with a limited number of uses renews nothing: its last use would revoke everything.
    ///
    /// `began` is when the call began that issued it.
    pub(crate) fn add_lease(&self, id: &str, ttl: Duration, renewable: bool, began: UnixMillis) {
        let renewable = renewable && self.login.token_info().uses == 0;
        let term = LeaseTerm::issued(ttl, renewable, began);
        self.life.apply(Event::LeaseIssued(LeaseId(id.into()), term));
    }

    /// Stops renewing the lease `id`, which no pod uses any more. It expires with its TTL, or with the token.
    pub(crate) fn release_lease(&self, id: &str) {
        self.life.apply(Event::LeaseGone(LeaseId(id.into())));
    }

    /// Whether the lease `id` is known, and neither it nor the token has expired.
    pub(crate) fn is_lease_valid(&self, id: &str, now: UnixMillis) -> bool {
        let state = self.life.state();
        state.token().is_of_use(now)
            && state.leases().any(|(lease, term)| lease.0 == id && term.is_of_use(now))
    }

    /// When the successor of the lease `id` is due, for a volume that is republished every `interval`; `None` while renewals extend the lease
    /// and its token.
    pub(crate) fn lease_due_at(&self, id: &str, interval: Duration) -> Option<UnixMillis> {
        self.life.state().due_at(&LeaseId(id.into()), interval)
    }

    /// Renews the token and its leases until `until` at least.
    pub(crate) fn want_until(&self, until: UnixMillis) {
        self.life.apply(Event::Wanted(until));
    }

    /// The name of the token's record.
    pub(crate) fn record(&self) -> &RecordId {
        &self.record
    }

    /// The terms of the token and of its leases, by their ids.
    pub(crate) fn terms(&self) -> (LeaseTerm, BTreeMap<String, LeaseTerm>) {
        let state = self.life.state();
        (state.token().clone(), state.leases().map(|(id, term)| (id.0.clone(), term.clone())).collect())
    }

    /// Sets what happens when the last user releases the token.
    pub(crate) fn set_on_release(&self, on_release: OnRelease) {
        self.life.set_on_release(on_release);
    }

    /// How many leases the token has.
    pub(crate) fn lease_count(&self) -> usize {
        self.life.state().leases().count()
    }

    /// When the token expires, unless it is renewed.
    pub(crate) fn expires_at(&self) -> Option<UnixMillis> {
        self.life.state().token().ends()
    }

    /// When the lease `id` expires, unless it is renewed.
    pub(crate) fn lease_expires_at(&self, id: &str) -> Option<UnixMillis> {
        self.life.state().leases().find(|(lease, _)| lease.0 == id).and_then(|(_, term)| term.ends())
    }
}
