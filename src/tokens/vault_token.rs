//! A login, and what hangs on it: shared reads, leases, and how long all of it lives.

use crate::mutex::Mutex;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, MutexGuard, OnceLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::LoginKey;
use crate::renewal;
use crate::renewal::{Action, Event, LeaseId, LeaseTerm, State, USUAL, UnixMillis};
use crate::state::{RecordId, Written};
use crate::tokens::renewer::TokenRenewer;
use crate::tokens::revoker::TokenRevoker;
use crate::tokens::shared_reads::Reads;
use crate::vault::Login;

/// How long a login counts as proved: then a pod's new token must open it again, for an account may have lost its role.
const REAUTHENTICATE_AFTER: Duration = Duration::from_secs(3600);

/// A login that lives as long as somebody holds it: a mount, or a volume. When the last one lets go its token is revoked, once, and with it
/// all that it was given.
pub struct VaultToken {
    who: LoginKey,
    /// Whose it is in truth, when it was made for several pods and the server does not name their account.
    makers: OnceLock<LoginKey>,
    // Before `_alive`, so that the keeper is the last to hold it.
    login: Arc<Login>,
    pub(crate) reads: Reads,
    life: Arc<TokenLife>,
    authenticated_at: UnixMillis,
    record: RecordId,
    pub(crate) written: Written,
    _alive: oneshot::Sender<Infallible>,
}

/// How a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It lives, and will.
    Good,
    /// It lives, and its successor is to be made.
    Due,
    /// It has ended, or nobody knows it.
    Gone,
}

impl VaultToken {
    /// Keeps `login` alive from now on, as long as a volume wants it.
    pub(crate) fn begin(who: LoginKey, login: Login, closer: TokenRevoker) -> Arc<Self> {
        let (now, facts) = (UnixMillis::now(), login.token_info());
        let token = LeaseTerm::issued(facts.ttl, facts.renewable && !facts.batch && facts.uses == 0, now);
        let record = RecordId::of(&[rand::random::<[u8; 32]>()]);
        Self::kept(who, login, State::new(token, rand::random()), now, record, closer)
    }

    /// The same with terms that are known.
    pub(crate) fn kept(
        who: LoginKey,
        login: Login,
        state: State,
        authenticated_at: UnixMillis,
        record: RecordId,
        closer: TokenRevoker,
    ) -> Arc<Self> {
        let tasks = closer.clone();
        let (actions, queue) = mpsc::unbounded_channel();
        let (alive, gone) = oneshot::channel();
        let life = Arc::new(TokenLife { state: Mutex::new(state), actions, ending: Mutex::default() });
        let login = Arc::new(login);
        let mut role = DefaultHasher::new();
        (&who.server, &who.auth).hash(&mut role);
        let (role, life_of_it) = (role.finish(), Arc::clone(&life));
        let keeper = TokenRenewer {
            login: Arc::clone(&login),
            life: life_of_it,
            record: record.clone(),
            role,
            closer,
            queue,
        };
        tasks.spawn(keeper.keep(gone));
        let makers = OnceLock::new();
        Arc::new(Self {
            who,
            makers,
            login,
            reads: Reads::default(),
            life,
            authenticated_at,
            record,
            written: Written::default(),
            _alive: alive,
        })
    }

    /// Whose it is.
    pub fn who(&self) -> &LoginKey {
        self.makers.get().unwrap_or(&self.who)
    }

    /// It is its maker's alone from now on.
    pub(crate) fn is_only(&self, maker: LoginKey) {
        // Who made it found that out, once.
        let _ = self.makers.set(maker);
    }

    /// What makes the calls.
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// When a pod's own token opened it.
    pub fn authenticated_at(&self) -> UnixMillis {
        self.authenticated_at
    }

    /// Whether it may still be given to a mount: it is proved, and its token lives long enough to be used by volumes that are asked about as
    /// usual.
    pub fn serves(&self, now: UnixMillis) -> bool {
        let state = self.life.state();
        let lasts = state.token().is_of_use(now) && state.token().replace_at(USUAL).is_none_or(|at| now < at);
        lasts && self.is_authenticated(now)
    }

    /// Whether a pod's own token opened it within the hour.
    pub fn is_authenticated(&self, now: UnixMillis) -> bool {
        now.since(self.authenticated_at) < REAUTHENTICATE_AFTER
    }

    /// Takes a lease that came with it into its keeping. A token of a limited number of calls renews nothing: the last one would end all.
    pub fn leased(&self, id: &str, ttl: Duration, renewable: bool) {
        let renewable = renewable && self.login.token_info().uses == 0;
        self.life.happens(Event::LeaseIssued(
            LeaseId(id.into()),
            LeaseTerm::issued(ttl, renewable, UnixMillis::now()),
        ));
    }

    /// Nobody uses the lease `id` any more: it is renewed no longer, and ends with its TTL, or with the token.
    pub fn lets_go(&self, id: &str) {
        self.life.happens(Event::LeaseGone(LeaseId(id.into())));
    }

    /// How the lease `id` stands for a volume that is asked about every `interval`.
    pub fn standing(&self, id: &str, now: UnixMillis, interval: Duration) -> Standing {
        let (id, state) = (LeaseId(id.into()), self.life.state());
        let lives = state.token().is_of_use(now)
            && state.leases().any(|(lease, term)| *lease == id && term.is_of_use(now));
        match lives {
            false => Standing::Gone,
            true if state.is_due(&id, interval, now) => Standing::Due,
            true => Standing::Good,
        }
    }

    /// When the successor of the lease `id` is made, as far as is known.
    pub fn due_at(&self, id: &str, interval: Duration) -> Option<UnixMillis> {
        self.life.state().due_at(&LeaseId(id.into()), interval)
    }

    /// Somebody needs it, until `until` if nobody says so again.
    pub fn wanted(&self, until: UnixMillis) {
        self.life.happens(Event::Wanted(until));
    }

    /// The name of its record.
    pub fn record(&self) -> &RecordId {
        &self.record
    }

    /// How long its token and its leases live.
    pub(crate) fn terms(&self) -> (LeaseTerm, BTreeMap<String, LeaseTerm>) {
        let state = self.life.state();
        (state.token().clone(), state.leases().map(|(id, term)| (id.0.clone(), term.clone())).collect())
    }

    /// What becomes of its token when nobody holds it any more.
    pub fn ends_by(&self, ending: OnRelease) {
        *self.life.ending.lock() = ending;
    }

    /// How many leases hang on it.
    pub fn leases(&self) -> usize {
        self.life.state().leases().count()
    }

    /// When its token ends, if nobody prolongs it.
    pub fn ends(&self) -> Option<UnixMillis> {
        self.life.state().token().ends()
    }

    /// When a lease of it ends, if nobody prolongs it.
    pub fn lease_ends(&self, id: &str) -> Option<UnixMillis> {
        self.life.state().leases().find(|(lease, _)| lease.0 == id).and_then(|(_, term)| term.ends())
    }
}

/// What becomes of a token that nobody uses any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRelease {
    /// It is revoked, with its leases.
    #[default]
    Revoke,
    /// It runs to its TTL: a pod may still use what hangs on it.
    LetExpire,
    /// It is the next process's, which finds it in its record.
    Persist,
}

/// The terms of a token and its leases, between those who use them and the keeper.
pub(crate) struct TokenLife {
    state: Mutex<State>,
    actions: mpsc::UnboundedSender<Action>,
    ending: Mutex<OnRelease>,
}

impl TokenLife {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Takes in what happened; what is to be done goes to the keeper.
    pub(crate) fn happens(&self, event: Event) {
        let actions = renewal::next(&mut self.state(), event, UnixMillis::now(), rand::random());
        for action in actions {
            // After its end the keeper does nothing more.
            let _ = self.actions.send(action);
        }
    }

    pub(crate) fn ending(&self) -> OnRelease {
        *self.ending.lock()
    }
}
