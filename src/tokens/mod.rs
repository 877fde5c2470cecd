//! Vault tokens of pods: one login for all pods of a service account where that is allowed, renewed while it is used, and revoked once.

mod cleanup; // logins that nobody needs any more, and the shutdown
pub(crate) mod login_key; // which pods may use a login
pub(crate) mod persistence; // tokens in records, for the next process
mod read_cache; // what one token has read
mod renewer; // renews a token and its leases
mod revoker; // revokes tokens, a few at a time
mod shared_reads; // reads that several volumes share
mod token_life; // the terms of a token, shared by its users and its renewer
pub(crate) mod vault_token; // a token with its reads and leases
#[cfg(test)]
mod tests;

pub(crate) use login_key::{LoginKey, Scope};
pub(crate) use read_cache::MaxAge;
pub(crate) use shared_reads::SharedRead;
pub(crate) use token_life::OnRelease;
pub(crate) use vault_token::VaultToken;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use metrics::counter;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use self::revoker::TokenRevoker;
use crate::bounded_map::BoundedSet;
use crate::error::Reason;
use crate::limits::Budget;
use crate::mutex::Mutex;
use crate::renewal::UnixMillis;
use crate::single_flight::SingleFlight;
use crate::spec::{PodToken, ServerSpec};
use crate::state::{RecordId, Store};
use crate::vault::{Login, Mounts, Server, VaultError, Vaults};

/// Accounts whose pods each log in on their own that are remembered. Beyond this number each is found out again.
const PER_POD: usize = 4096;

/// How long a token waits for its first mount if the mount that began the login has stopped waiting: longer than the kubelet's longest pause.
const UNCLAIMED: Duration = Duration::from_secs(150);

/// The logins of the process.
#[derive(Clone)]
pub(crate) struct Logins {
    inner: Arc<Inner>,
}

struct Inner {
    vaults: Vaults,
    slots: Mutex<HashMap<LoginKey, Slot>>,
    /// Accounts that the server does not name, so that every pod has a login of its own.
    per_pod: Mutex<BoundedSet<LoginKey, PER_POD>>,
    revoker: TokenRevoker,
    /// Shutdown waits for logins that are under way.
    tasks: TaskTracker,
    /// Set at shutdown: no token waits for a mount any more.
    closed: AtomicBool,
}

/// A login that is under way.
type LoginFlight = SingleFlight<LoginResult>;

type LoginResult = Result<Arc<VaultToken>, VaultError>;

enum Slot {
    Pending(LoginFlight),
    Ready(Weak<VaultToken>),
    /// A token that no mount uses yet, and when it is given up.
    Unclaimed(Arc<VaultToken>, Instant),
}

impl Slot {
    /// The token, if the login has ended and the token is still used, or waits for its first mount.
    fn token(&self) -> Option<Arc<VaultToken>> {
        match self {
            Self::Pending(_) => None,
            Self::Ready(token) => token.upgrade(),
            Self::Unclaimed(token, _) => Some(Arc::clone(token)),
        }
    }
}

/// How a mount obtained its Vault token.
enum Lookup {
    /// The login exists.
    Ready(Arc<VaultToken>),
    /// Another mount logs in.
    Joined(LoginFlight),
    /// This mount logs in.
    Started(LoginFlight),
}

/// A token, and who logged in.
enum Obtained {
    /// This mount logged in.
    New(Arc<VaultToken>),
    /// Another mount logged in.
    Existing(Arc<VaultToken>),
}

impl Logins {
    /// No logins yet, at servers of `vaults`. Tokens are revoked by tasks of `tasks`.
    pub(crate) fn new(vaults: Vaults, store: Option<Arc<Store>>, tasks: &TaskTracker) -> Self {
        let inner = Inner {
            vaults,
            slots: Mutex::default(),
            per_pod: Mutex::default(),
            revoker: TokenRevoker::new(store, tasks),
            tasks: tasks.clone(),
            closed: AtomicBool::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The token of `key` for the pod `pod_uid`: an existing one other than `except`, or that of a new login with `pod_token`, made once for all
    /// who wait.
    ///
    /// A pod that did not log in itself has the token only when the server names the account that the token belongs to. Otherwise each pod logs in.
    pub(crate) async fn obtain(
        &self,
        key: &LoginKey,
        pod_uid: &str,
        pod_token: &Arc<PodToken>,
        except: Option<&Arc<VaultToken>>,
        budget: &Budget,
    ) -> Result<Arc<VaultToken>, VaultError> {
        if !key.is_shared() {
            return self.join_or_log_in(key, pod_token, except, budget).await.map(Obtained::token);
        }
        let own = key.for_pod(pod_uid);
        if self.is_per_pod(key) {
            return self.join_or_log_in(&own, pod_token, except, budget).await.map(Obtained::token);
        }
        let obtained = self.join_or_log_in(key, pod_token, except, budget).await?;
        if key.is_named_by(obtained.as_token().login().token_info()) {
            return Ok(obtained.token());
        }
        self.mark_per_pod(key);
        match obtained {
            Obtained::New(token) => {
                token.restrict_to(own.clone());
                self.store(&own, &token);
                Ok(token)
            }
            Obtained::Existing(_) => {
                self.join_or_log_in(&own, pod_token, except, budget).await.map(Obtained::token)
            }
        }
    }

    /// The key by which the pod `pod_uid` uses logins of `key`: the same, or one for this pod alone where the server does not name the account.
    pub(crate) fn effective_key(&self, key: LoginKey, pod_uid: &str) -> LoginKey {
        if key.is_shared() && self.is_per_pod(&key) { key.for_pod(pod_uid) } else { key }
    }

    /// The existing token of `key` for a mount without a service account token, if it is still authenticated (30 to 75 minutes after its login).
    pub(crate) fn existing(&self, key: &LoginKey, pod_uid: &str) -> Option<Arc<VaultToken>> {
        let key = self.effective_key(key.clone(), pod_uid);
        let mut slots = self.inner.slots.lock();
        let token = slots.get(&key)?.token().filter(|token| token.is_usable(UnixMillis::now()))?;
        let may_join = !key.is_shared() || key.is_named_by(token.login().token_info());
        may_join.then(|| {
            claim(&mut slots, &key, &token);
            token
        })
    }

    /// The token of a new login that no other mount finds, and that ends with its last user: at once, if the mount has stopped waiting.
    pub(crate) async fn unshared(
        &self,
        key: &LoginKey,
        pod_token: &Arc<PodToken>,
        budget: &Budget,
    ) -> Result<Arc<VaultToken>, VaultError> {
        let (inner, own_key, pod_token) = (Arc::clone(&self.inner), key.clone(), Arc::clone(pod_token));
        let own_budget = self.inner.detached(budget);
        let login = async move { inner.log_in(own_key, pod_token, own_budget).await };
        wait(&self.start(login), key, budget).await
    }

    /// A login that every call of one mount does again by itself. The server stores nothing.
    pub(crate) fn inline(&self, key: &LoginKey, pod_token: &PodToken) -> Result<Arc<VaultToken>, VaultError> {
        self.inner.vaults.check_login(&key.server, &key.auth, &key.account, None)?;
        let login = self.server(&key.server)?.inline(&key.auth, &pod_token.jwt)?;
        Ok(VaultToken::new(key.clone(), login, self.inner.revoker.clone()))
    }

    /// What is known about the mounts of all servers.
    pub(crate) fn mounts(&self) -> &Mounts {
        &self.inner.vaults.mounts
    }

    /// The time for a call that its mount does not cut short.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.inner.vaults.request_timeout()
    }

    /// Waits until the time for retries has ended and the server of `spec` is down. Returns why, for `doing`.
    pub(crate) async fn down(&self, spec: &ServerSpec, doing: &str, budget: &Budget) -> VaultError {
        self.inner.vaults.down(spec, doing, budget).await
    }

    /// The tasks that a shutdown waits for.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.inner.tasks
    }

    /// Starts a login as a task that outlives the mount.
    fn start(&self, login: impl Future<Output = LoginResult> + Send + 'static) -> LoginFlight {
        SingleFlight::start_in(&self.inner.tasks, login, Err(VaultError::Panicked { doing: "log in".into() }))
    }

    /// Finds the token of `key` or logs in.
    ///
    /// A mount that joined another's login tries again when that login failed for a reason of the other mount: its token, its deadline.
    async fn join_or_log_in(
        &self,
        key: &LoginKey,
        pod_token: &Arc<PodToken>,
        except: Option<&Arc<VaultToken>>,
        budget: &Budget,
    ) -> Result<Obtained, VaultError> {
        let is_only_for_starter = |error: &VaultError| {
            matches!(error.reason(), Reason::LoginDenied | Reason::Deadline | Reason::Bug)
        };
        for _ in 0..2 {
            match self.find_or_start(key, pod_token, except, budget) {
                Lookup::Ready(token) => return Ok(Obtained::Existing(token)),
                Lookup::Started(flight) => {
                    return wait(&flight, key, budget)
                        .await
                        .inspect(|token| self.claim(key, token))
                        .map(Obtained::New);
                }
                Lookup::Joined(flight) => match wait(&flight, key, budget).await {
                    Err(error) if is_only_for_starter(&error) && Instant::now() < budget.end() => {}
                    outcome => {
                        return outcome.inspect(|token| self.claim(key, token)).map(Obtained::Existing);
                    }
                },
            }
        }
        self.unshared(key, pod_token, budget).await.map(Obtained::New)
    }

    fn find_or_start(
        &self,
        key: &LoginKey,
        pod_token: &Arc<PodToken>,
        except: Option<&Arc<VaultToken>>,
        budget: &Budget,
    ) -> Lookup {
        let mut slots = self.inner.slots.lock();
        if let Some(Slot::Pending(flight)) = slots.get(key) {
            return Lookup::Joined(flight.clone());
        }
        let is_other = |token: &Arc<VaultToken>| except.is_none_or(|except| !Arc::ptr_eq(except, token));
        let is_usable = |token: &Arc<VaultToken>| is_other(token) && token.is_usable(UnixMillis::now());
        if let Some(token) = slots.get(key).and_then(Slot::token).filter(is_usable) {
            claim(&mut slots, key, &token);
            return Lookup::Ready(token);
        }
        let flight = self.start(Inner::log_in_and_store(
            Arc::clone(&self.inner),
            key.clone(),
            Arc::clone(pod_token),
            self.inner.detached(budget),
        ));
        slots.insert(key.clone(), Slot::Pending(flight.clone()));
        Lookup::Started(flight)
    }

    /// Records that a mount uses the `token` of `key` from now on.
    fn claim(&self, key: &LoginKey, token: &Arc<VaultToken>) {
        claim(&mut self.inner.slots.lock(), key, token);
    }

    /// The server of `spec`.
    pub(crate) fn server(&self, spec: &ServerSpec) -> Result<Server, VaultError> {
        self.inner.vaults.server(spec)
    }

    fn store(&self, key: &LoginKey, token: &Arc<VaultToken>) {
        let mut slots = self.inner.slots.lock();
        slots.insert(key.clone(), Slot::Ready(Arc::downgrade(token)));
    }

    fn is_per_pod(&self, key: &LoginKey) -> bool {
        self.inner.per_pod.lock().contains(key)
    }

    /// Remembers that the server does not name the account of `key`: then it names it for no scope.
    fn mark_per_pod(&self, key: &LoginKey) {
        let mut per_pod = self.inner.per_pod.lock();
        for shared in key.shared() {
            per_pod.insert(shared, ());
        }
    }
}

impl Obtained {
    fn as_token(&self) -> &Arc<VaultToken> {
        match self {
            Self::New(token) | Self::Existing(token) => token,
        }
    }

    fn token(self) -> Arc<VaultToken> {
        match self {
            Self::New(token) | Self::Existing(token) => token,
        }
    }
}

/// Records that a mount uses the `token` of `key`: from now on it ends with its last user.
fn claim(slots: &mut HashMap<LoginKey, Slot>, key: &LoginKey, token: &Arc<VaultToken>) {
    if let Some(slot) = slots.get_mut(key)
        && matches!(slot, Slot::Unclaimed(unclaimed, _) if Arc::ptr_eq(unclaimed, token))
    {
        *slot = Slot::Ready(Arc::downgrade(token));
    }
}

impl Inner {
    /// The budget of a login: that of a request, however little time the mount has that begins it. A login that is cut off and begun again with
    /// every mount would never end at a slow server.
    fn detached(&self, budget: &Budget) -> Budget {
        budget.detached(self.vaults.request_timeout())
    }

    /// Logs in, and stores the token where other mounts find it.
    async fn log_in_and_store(
        inner: Arc<Self>,
        key: LoginKey,
        pod_token: Arc<PodToken>,
        budget: Budget,
    ) -> Result<Arc<VaultToken>, VaultError> {
        let outcome = inner.log_in(key.clone(), pod_token, budget).await;
        let mut slots = inner.slots.lock();
        match &outcome {
            Ok(token) if inner.closed.load(Ordering::Relaxed) => {
                slots.insert(key, Slot::Ready(Arc::downgrade(token)))
            }
            Ok(token) => slots.insert(key, Slot::Unclaimed(Arc::clone(token), Instant::now() + UNCLAIMED)),
            Err(_) => slots.remove(&key),
        };
        drop(slots);
        outcome
    }

    async fn log_in(
        &self,
        key: LoginKey,
        pod_token: Arc<PodToken>,
        budget: Budget,
    ) -> Result<Arc<VaultToken>, VaultError> {
        let login = self.checked_login(&key, &pod_token, &budget).await;
        counter!("vaultmount_logins_total", "outcome" => if login.is_ok() { "ok" } else { "failed" })
            .increment(1);
        // Its renewal starts here. When its last user drops it, it is revoked or left to expire.
        Ok(VaultToken::new(key, login?, self.revoker.clone()))
    }

    /// Logs in with `pod_token`. Revokes the new token at once when it may be the node's own.
    async fn checked_login(
        &self,
        key: &LoginKey,
        pod_token: &PodToken,
        budget: &Budget,
    ) -> Result<Login, VaultError> {
        let login = self.vaults.server(&key.server)?.login(&key.auth, &pod_token.jwt, budget).await?;
        let Err(refused) =
            self.vaults.check_login(&key.server, &key.auth, &key.account, Some(login.token_info()))
        else {
            return Ok(login);
        };
        if let Err((login, _)) = login.revoke(budget).await {
            // The revoker tries again where that can help. The token has no record yet.
            self.revoker.revoke(*login, RecordId::of(&[rand::random::<[u8; 32]>()]));
        }
        Err(refused)
    }
}

async fn wait(flight: &LoginFlight, key: &LoginKey, budget: &Budget) -> Result<Arc<VaultToken>, VaultError> {
    let late = || Err(VaultError::OutOfTime { doing: format!("log in at auth/{}", key.auth.mount) });
    flight.wait(budget).await.unwrap_or_else(late)
}
