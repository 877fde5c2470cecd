//! One mount of a volume: which tokens it uses, and what it reads from Vault or from the caches.

mod issue; // certificates, leased credentials and other responses that belong to the volume
mod mount_lookups; // which engines the sources of a mount belong to
mod revoked; // whether what was issued still exists at the server
mod tokens; // the tokens of a mount, and a new login after a denial

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use metrics::counter;
use tokio::sync::OnceCell;

use super::{Volume, Volumes};
use crate::engine;
use crate::engine::{EngineError, FetchError, FetchResult, Fetched, Responses};
use crate::limits::Budget;
use crate::mutex::Mutex;
use crate::plan::{Batch, Plan};
use crate::renewal::{PollSchedule, UnixMillis};
use crate::spec::{MountSpec, PodToken, ShareScope, Source};
use crate::tokens::{LoginKey, MaxAge, Scope, SharedRead, VaultToken};
use crate::vault::VaultError;
use crate::volume::sharing::SharingClass;
use crate::volume::state::lives_until;

/// Largest age of a response for a first mount: after a restart right after a change the pod must see the change.
const FIRST: Duration = Duration::from_secs(1);

/// The service account whose logins a mount uses, and the token for new logins.
struct PodIdentity {
    /// The pod's service account token. A poll may have none.
    token: Option<Arc<PodToken>>,
    /// Uid of the service account; empty where it is unknown.
    account_uid: String,
}

/// A mount or a poll of one volume. Shared with the calls that create something, which go on after the mount has ended.
pub(crate) struct FetchContext {
    volumes: Arc<Volumes>,
    volume: Arc<Volume>,
    spec: Arc<MountSpec>,
    identity: PodIdentity,
    schedule: Option<PollSchedule>,
    began: UnixMillis,
    is_first: bool,
    reader: OnceCell<Arc<VaultToken>>,
    own: OnceCell<Arc<VaultToken>>,
    group: OnceCell<Arc<VaultToken>>,
    calls: AtomicUsize,
    /// Whether the mount ended before a call that creates something.
    has_stopped_waiting: AtomicBool,
    warnings: Mutex<Vec<String>>,
}

impl Volumes {
    /// Records a request of the driver, and the pod's token for polls of a volume that vaultmount writes.
    pub(crate) fn record_request(&self, volume: &Volume, spec: &MountSpec, token: &Arc<PodToken>) {
        let now = UnixMillis::now();
        let mut state = volume.state();
        state.interval.add_request(now);
        state.requested_at = Some(now);
        state.published = Some(spec.published.clone());
        // Only polls use the stored token.
        state.token = self.writer(spec).map(|_| Arc::clone(token));
    }

    /// Starts fetching for `volume`. Drops cached responses that the class no longer refers to. `token` is `None` for a poll without a service
    /// account token.
    pub(crate) fn fetch_context(
        self: &Arc<Self>,
        volume: &Arc<Volume>,
        spec: &Arc<MountSpec>,
        token: Option<Arc<PodToken>>,
    ) -> Arc<FetchContext> {
        let now = UnixMillis::now();
        let (account_uid, until) = {
            let state = volume.state();
            let known = state.owner.as_ref().map(|owner| owner.account.uid.clone());
            let uid = token.as_ref().map_or(known, |token| token.account_uid.clone());
            (uid.unwrap_or_default(), lives_until(now, state.interval.observed()))
        };
        volume.set_owner(LoginKey::new(spec, account_uid.clone(), Scope::Account), &spec.objects);
        volume.drop_expired(now);
        volume.want_tokens_until(until);
        Arc::new(FetchContext {
            volumes: Arc::clone(self),
            volume: Arc::clone(volume),
            spec: Arc::clone(spec),
            identity: PodIdentity { token, account_uid },
            schedule: self.poll_schedule(volume, spec),
            began: UnixMillis::now(),
            is_first: !volume.is_published(),
            reader: OnceCell::new(),
            own: OnceCell::new(),
            group: OnceCell::new(),
            calls: AtomicUsize::new(0),
            has_stopped_waiting: AtomicBool::new(false),
            warnings: Mutex::default(),
        })
    }
}

impl FetchContext {
    /// Obtains every token that the calls of `plan` need, at the same time.
    pub(crate) async fn log_in(&self, plan: &Plan<'_>, budget: &Budget) -> Result<(), VaultError> {
        let reads = plan.stages.iter().flat_map(|stage| &stage.reads).copied();
        // Only what was issued is in the volume's own cache: certificates and credentials. Reads of KV secrets never are.
        let calls: Vec<_> = reads.filter(|source| self.cached(source).is_none()).collect();
        let decrypts = plan.stages.iter().any(|stage| !stage.batches.is_empty());
        self.look_up_mounts(&calls, decrypts, budget).await?;
        let needs_reader = decrypts || calls.iter().any(|source| self.class(source) != SharingClass::Lease);
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

    /// The response of `source`, from a cache or from Vault. A KV secret is a shared read.
    pub(crate) async fn read(self: &Arc<Self>, source: &Source, budget: &Budget) -> FetchResult {
        let outcome = match self.class(source) {
            SharingClass::SharedRead => self.read_shared(source, budget).await,
            class @ (SharingClass::Issue | SharingClass::Lease) => self.issue(source, class, budget).await,
        };
        outcome.map_err(EngineError::Origin)
    }

    /// Decrypts the ciphertexts of `batch`.
    pub(crate) async fn open<'a>(
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
                engine::decrypt(token.login(), batch, responses, budget).await
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
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Warnings for the log: what is unusual but does not fail the mount.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.lock().clone()
    }

    /// A read that other volumes may share.
    async fn read_shared(&self, source: &Source, budget: &Budget) -> Result<Arc<Fetched>, FetchError> {
        let (token, age) = (self.reading_token(budget).await?, self.max_age(source));
        let read = |token: Arc<VaultToken>| async move {
            self.count_call();
            // One `engine::fetch` for all volumes that read `source` with this token: its response if that call began within `age`, else a new
            // call in a task of its own. A failure that concerns only another mount, such as its deadline, never comes back from here.
            // When a token is revoked, all of its volumes come here at once, and share the read by the next token.
            let SharedRead { outcome, reused } = token.read(source, age, budget).await;
            if reused && outcome.is_ok() {
                count_reused();
            }
            outcome
        };
        let (token, outcome) = self.call_as(token, source, budget, read).await?;
        // Only the response shows that there is a lease: the token belongs to this volume from now on.
        let fetched = outcome?;
        self.store_lease(source, &fetched, &token, (self.began, Duration::ZERO));
        Ok(fetched)
    }

    /// How old a response to `source` may be.
    fn max_age(&self, source: &Source) -> MaxAge {
        let refresh = self.spec.refreshes.of(source);
        let polled = || self.schedule.map_or(refresh, |schedule| schedule.age(refresh, self.began));
        MaxAge { most: if self.is_first { refresh.min(FIRST) } else { polled() }, refresh }
    }

    /// Which token calls `source`. `SharedRead` for a read that creates nothing and does not depend on the token, so for KV secrets; `Issue` for certificates; for any other
    /// path by what its first response had.
    fn class(&self, source: &Source) -> SharingClass {
        self.volumes.learned_paths.class(&self.spec.server, source, self.volumes.logins.mounts())
    }

    fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts a call that was not necessary, because its response exists and may still be used.
fn count_reused() {
    counter!("vaultmount_answers_kept_total").increment(1);
}
