//! One mount of a volume: which tokens it uses, and what it reads from Vault or from the caches.

mod issue; // certificates, leased credentials and other responses that belong to the volume

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use metrics::counter;
use tokio::sync::OnceCell;

use super::{Volume, Volumes};
use crate::engine;
use crate::engine::{EngineError, FetchError, FetchResult, Fetched, Responses};
use crate::error::Reason;
use crate::limits::Budget;
use crate::mutex::Mutex;
use crate::plan::{Batch, Plan};
use crate::renewal::{PollSchedule, UnixMillis};
use crate::spec::{LoginScope, MountSpec, PodToken, ShareScope, Source};
use crate::tokens::{LoginKey, MaxAge, Scope, SharedRead, VaultToken};
use crate::vault::VaultError;
use crate::volume::sharing::SharingClass;
use crate::volume::state::lives_until;
use crate::writer::Trigger;

/// Largest age of a response for a first mount: after a restart right after a change the pod must see the change.
const FIRST: Duration = Duration::from_secs(1);

/// The service account whose logins a mount uses, and the token for new logins.
struct PodIdentity {
    /// The pod's service account token. A poll may have none.
    token: Option<Arc<PodToken>>,
    /// Uid of the service account; empty where it is unknown.
    account_uid: String,
}

/// A mount or a poll of one volume.
pub struct FetchContext<'v> {
    volumes: &'v Volumes,
    volume: &'v Volume,
    spec: &'v MountSpec,
    identity: PodIdentity,
    schedule: Option<PollSchedule>,
    began: UnixMillis,
    is_first: bool,
    reader: OnceCell<Arc<VaultToken>>,
    own: OnceCell<Arc<VaultToken>>,
    group: OnceCell<Arc<VaultToken>>,
    calls: AtomicUsize,
    warnings: Mutex<Vec<String>>,
}

impl Volumes {
    /// Starts fetching for `volume`. Records the time if the driver asked. Drops cached responses that the class no longer refers to. `token` is
    /// `None` for a poll without a service account token.
    pub fn fetch_context<'v>(
        &'v self,
        volume: &'v Volume,
        spec: &'v MountSpec,
        token: Option<Arc<PodToken>>,
        trigger: Trigger,
    ) -> FetchContext<'v> {
        let now = UnixMillis::now();
        let (account_uid, until) = {
            let mut state = volume.state();
            if trigger == Trigger::DriverRequest {
                state.interval.add_request(now);
                state.requested_at = Some(now);
                state.published = Some(spec.published.clone());
                // Only polls use the stored token.
                state.token = token.clone().filter(|_| self.writer(spec).is_some());
            }
            let known = state.owner.as_ref().map(|owner| owner.account.uid.clone());
            let uid = token.as_ref().map_or(known, |token| token.account_uid.clone());
            (uid.unwrap_or_default(), lives_until(now, state.interval.observed()))
        };
        volume.set_owner(LoginKey::new(spec, account_uid.clone(), Scope::Account), &spec.objects);
        volume.drop_expired(now);
        volume.want_tokens_until(until);
        FetchContext {
            volumes: self,
            volume,
            spec,
            identity: PodIdentity { token, account_uid },
            schedule: self.poll_schedule(volume, spec),
            began: UnixMillis::now(),
            is_first: !volume.is_published(),
            reader: OnceCell::new(),
            own: OnceCell::new(),
            group: OnceCell::new(),
            calls: AtomicUsize::new(0),
            warnings: Mutex::default(),
        }
    }
}

impl FetchContext<'_> {
    /// Obtains every token that the calls of `plan` need, at the same time.
    pub async fn log_in(&self, plan: &Plan<'_>, budget: &Budget) -> Result<(), VaultError> {
        let reads = plan.stages.iter().flat_map(|stage| &stage.reads).copied();
        let calls: Vec<_> = reads.filter(|source| self.cached(source).is_none()).collect();
        let needs_reader = plan.stages.iter().any(|stage| !stage.batches.is_empty())
            || calls.iter().any(|source| self.class(source) != SharingClass::Lease);
        let leases = |share| {
            calls.iter().any(|source| self.class(source) == SharingClass::Lease && source.share == share)
        };
        let (needs_own, needs_group) = (leases(ShareScope::Pod), leases(ShareScope::ServiceAccount));
        // Without any call the mount still authenticates once in a while: the account may have lost its role.
        let must_authenticate = !needs_own && !needs_group && !self.volume.is_authenticated(self.began);
        let reader = async {
            if needs_reader || must_authenticate {
                self.reading_token(budget).await.map(drop)
            } else {
                Ok(())
            }
        };
        let own = async {
            if needs_own { self.leasing_token(ShareScope::Pod, budget).await.map(drop) } else { Ok(()) }
        };
        let group = async {
            if needs_group {
                self.leasing_token(ShareScope::ServiceAccount, budget).await.map(drop)
            } else {
                Ok(())
            }
        };
        tokio::try_join!(reader, own, group).map(drop)
    }

    /// The response of `source`, from a cache or from Vault.
    pub async fn read(&self, source: &Source, budget: &Budget) -> FetchResult {
        match self.class(source) {
            SharingClass::SharedRead => self.read_shared(source, budget).await.map_err(EngineError::Origin),
            class @ (SharingClass::Issue | SharingClass::Lease) => self.issue(source, class, budget).await,
        }
    }

    /// Decrypts the ciphertexts of `batch`.
    pub async fn open<'a>(
        &self,
        batch: &Batch<'a>,
        responses: &Responses<'a>,
        budget: &Budget,
    ) -> Vec<(&'a Source, FetchResult)> {
        let Some(first) = batch.members.first() else { return Vec::new() };
        let opened = async {
            let token = self.reading_token(budget).await?;
            let open = |token: Arc<VaultToken>| async move {
                self.count_call();
                engine::open(token.login(), batch, responses, budget).await
            };
            self.call_as(token, first, budget, open).await
        };
        match opened.await {
            Ok((_, opened)) => opened,
            Err(error) => {
                let error = FetchError::from(error);
                let failed = |member: &&'a Source| (*member, Err(EngineError::Origin(error.clone())));
                batch.members.iter().map(failed).collect()
            }
        }
    }

    /// How many responses the mount needed that were not in the volume's own cache; reads that were shared with another volume count too.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// What is unusual and no failure, in words for the log.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().clone()
    }

    /// A read that other volumes may share.
    async fn read_shared(&self, source: &Source, budget: &Budget) -> Result<Arc<Fetched>, FetchError> {
        let (token, age) = (self.reading_token(budget).await?, self.max_age(source));
        let read = |token: Arc<VaultToken>| async move {
            self.count_call();
            // When a token is revoked, all of its volumes come here at once, and share the read by the next token.
            let SharedRead { outcome, reused } = token.read(source, age, budget).await;
            if reused && outcome.is_ok() {
                count_reused();
            }
            outcome
        };
        let (token, outcome) = self.call_as(token, source, budget, read).await?;
        // Nobody could know that the response has a lease: the token belongs to this volume from now on.
        outcome.inspect(|fetched| self.add_lease(source, fetched, &token))
    }

    /// How old a response to `source` may be.
    fn max_age(&self, source: &Source) -> MaxAge {
        let refresh = self.spec.refreshes.of(source);
        let polled = || self.schedule.map_or(refresh, |schedule| schedule.age(refresh, self.began));
        MaxAge { most: if self.is_first { refresh.min(FIRST) } else { polled() }, refresh }
    }

    /// Makes `call` with `token`. If Vault denies it and a new login may help, logs in and makes the call once more. Returns the outcome with the
    /// token that the call was made with; fails when the new login fails.
    async fn call_as<T: CallOutcome, F: Future<Output = T>>(
        &self,
        token: Arc<VaultToken>,
        source: &Source,
        budget: &Budget,
        call: impl Fn(Arc<VaultToken>) -> F,
    ) -> Result<(Arc<VaultToken>, T), VaultError> {
        let outcome = call(Arc::clone(&token)).await;
        if !outcome.is_denied() {
            if outcome.is_answered() {
                token.remove_denial(source);
            }
            return Ok((token, outcome));
        }
        let Some(new) = self.reauthenticate(&token, source, budget).await else {
            return Ok((token, outcome));
        };
        let new = new?;
        let outcome = call(Arc::clone(&new)).await;
        if outcome.is_denied() {
            new.add_denial(source);
        } else {
            new.remove_denial(source);
        }
        Ok((new, outcome))
    }

    /// A token in place of `token`, which Vault may have revoked. `None` when the denial is the policy's: the token was obtained for this mount,
    /// or it was denied the same source while it was new, and is still valid.
    async fn reauthenticate(
        &self,
        token: &Arc<VaultToken>,
        source: &Source,
        budget: &Budget,
    ) -> Option<Result<Arc<VaultToken>, VaultError>> {
        self.identity.token.as_ref()?;
        if token.authenticated_at() >= self.began {
            token.add_denial(source);
            return None;
        }
        let was_denied = token.was_denied(source);
        if was_denied && token.is_valid(budget).await {
            return None;
        }
        let new = self.obtain(token.key(), Some(token), budget).await;
        if let Ok(new) = &new {
            if was_denied {
                new.learn_self_lookup(budget).await;
            }
            self.volume.replace_reader(token, new);
        }
        Some(new)
    }

    fn class(&self, source: &Source) -> SharingClass {
        self.volumes.learned_paths.class(self.spec, source)
    }

    /// The token that reads.
    async fn reading_token(&self, budget: &Budget) -> Result<Arc<VaultToken>, VaultError> {
        let token = self.reader.get_or_try_init(|| async {
            let scope = match self.spec.login {
                LoginScope::Shared => Scope::Account,
                LoginScope::Pod | LoginScope::Transient => Scope::Pod(self.spec.pod.uid.clone()),
            };
            let key = self.login_key(scope);
            if self.volumes.inline && self.spec.server.configured {
                return self.volumes.logins.inline(&key, self.pod_token()?);
            }
            if self.spec.login == LoginScope::Transient {
                return self.volumes.logins.unshared(&key, self.pod_token()?, budget).await;
            }
            let token = self.obtain(&key, None, budget).await?;
            self.volume.state().reader = Some(Arc::clone(&token));
            Ok(token)
        });
        token.await.cloned()
    }

    /// The token that creates leases: the volume's own, or its group's.
    async fn leasing_token(&self, share: ShareScope, budget: &Budget) -> Result<Arc<VaultToken>, VaultError> {
        let (cell, scope) = match share {
            ShareScope::Pod => (&self.own, Scope::Volume(self.volume.id().name())),
            ShareScope::ServiceAccount => (&self.group, Scope::Group),
        };
        let key = self.login_key(scope);
        cell.get_or_try_init(|| self.obtain(&key, None, budget)).await.cloned()
    }

    /// The token of `key` other than `except`: an existing one, or that of a new login if the mount has a service account token.
    async fn obtain(
        &self,
        key: &LoginKey,
        except: Option<&Arc<VaultToken>>,
        budget: &Budget,
    ) -> Result<Arc<VaultToken>, VaultError> {
        let (logins, pod_uid) = (&self.volumes.logins, &self.spec.pod.uid);
        match self.pod_token() {
            Ok(pod_token) => logins.obtain(key, pod_uid, pod_token, except, budget).await,
            Err(no_token) => logins.existing(key, pod_uid).ok_or(no_token),
        }
    }

    fn login_key(&self, scope: Scope) -> LoginKey {
        LoginKey::new(self.spec, self.identity.account_uid.clone(), scope)
    }

    fn pod_token(&self) -> Result<&Arc<PodToken>, VaultError> {
        let none = || VaultError::NoToken { doing: format!("log in at auth/{}", self.spec.auth.mount) };
        self.identity.token.as_ref().ok_or_else(none)
    }

    fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts a call that was not made, because its response exists and may still be used.
fn count_reused() {
    counter!("vaultmount_answers_kept_total").increment(1);
}

/// What a call came to, as far as it says something of the token's policy.
trait CallOutcome {
    /// Whether Vault denied it.
    fn is_denied(&self) -> bool;

    /// Whether Vault allowed it.
    fn is_answered(&self) -> bool;
}

impl<T> CallOutcome for Result<T, FetchError> {
    fn is_denied(&self) -> bool {
        self.as_ref().is_err_and(|error| error.reason == Reason::ReadDenied)
    }

    fn is_answered(&self) -> bool {
        self.is_ok()
    }
}

impl<T> CallOutcome for Result<T, EngineError> {
    fn is_denied(&self) -> bool {
        self.as_ref().is_err_and(|error| error.reason() == Reason::ReadDenied)
    }

    fn is_answered(&self) -> bool {
        self.is_ok()
    }
}

/// One call with a ciphertext for each source: denied when all of them are.
impl CallOutcome for Vec<(&Source, FetchResult)> {
    fn is_denied(&self) -> bool {
        self.iter().all(|(_, outcome)| outcome.is_denied())
    }

    fn is_answered(&self) -> bool {
        self.iter().any(|(_, outcome)| outcome.is_answered())
    }
}
