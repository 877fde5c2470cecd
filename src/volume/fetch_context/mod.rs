//! One mount's way to what its volume has, and to what Vault has for it.

pub mod issue; // what it makes for the volume, or finds made

use crate::mutex::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::Volume;
use super::Volumes;
use crate::engine;
use crate::engine::{EngineError, FetchError, FetchResult, Fetched, Responses};
use crate::error::Reason;
use crate::limits::Budget;
use crate::plan::{Batch, Plan};
use crate::renewal::{PollSchedule, UnixMillis};
use crate::spec::{LoginScope, MountSpec, PodToken, ShareScope, Source};
use crate::tokens::{LoginKey, MaxAge, Scope, VaultToken};
use crate::vault::VaultError;
use crate::volume::sharing::SharingClass;

/// How old an answer may be that a first mount takes: a restart right after a change must see the change.
const FIRST: Duration = Duration::from_secs(1);

/// Whose logins a visit may use, and what it can open new ones with.
pub(crate) struct PodIdentity {
    /// The pod's own; a look may have none.
    pub(crate) token: Option<Arc<PodToken>>,
    /// Of its service account; empty where nobody knows it.
    pub(crate) account_uid: String,
}

/// A mount, or a look of our own, at work on its volume.
pub struct FetchContext<'v> {
    pub(crate) volumes: &'v Volumes,
    pub(crate) volume: &'v Volume,
    pub(crate) spec: &'v MountSpec,
    proof: PodIdentity,
    cadence: Option<PollSchedule>,
    began: UnixMillis,
    first: bool,
    account: OnceCell<Arc<VaultToken>>,
    own: OnceCell<Arc<VaultToken>>,
    group: OnceCell<Arc<VaultToken>>,
    calls: AtomicUsize,
    warnings: Mutex<Vec<String>>,
}

impl<'v> FetchContext<'v> {
    pub(crate) fn new(
        volumes: &'v Volumes,
        volume: &'v Volume,
        spec: &'v MountSpec,
        proof: PodIdentity,
    ) -> Self {
        let first = !volume.held().answered;
        Self {
            volumes,
            volume,
            spec,
            proof,
            cadence: volumes.cadence(volume, spec),
            began: UnixMillis::now(),
            first,
            account: OnceCell::new(),
            own: OnceCell::new(),
            group: OnceCell::new(),
            calls: AtomicUsize::new(0),
            warnings: Mutex::default(),
        }
    }

    /// Gets every login that the calls of `plan` need, at the same time.
    pub async fn log_in(&self, plan: &Plan<'_>, budget: &Budget) -> Result<(), VaultError> {
        let asked: Vec<_> = plan
            .stages
            .iter()
            .flat_map(|stage| &stage.reads)
            .copied()
            .filter(|source| self.kept(source).is_none())
            .collect();
        let reads = plan.stages.iter().any(|stage| !stage.batches.is_empty())
            || asked.iter().any(|source| self.way(source) != SharingClass::Lease);
        let leases = |share| {
            asked.iter().any(|source| self.way(source) == SharingClass::Lease && source.share == share)
        };
        let (own, group) = (leases(ShareScope::Pod), leases(ShareScope::ServiceAccount));
        let proves = own || group;
        let account = async {
            if reads || !proves && !self.volume.is_authenticated(self.began) {
                self.account(budget).await.map(drop)
            } else {
                Ok(())
            }
        };
        let own = async { if own { self.leasing(ShareScope::Pod, budget).await.map(drop) } else { Ok(()) } };
        let group = async {
            if group { self.leasing(ShareScope::ServiceAccount, budget).await.map(drop) } else { Ok(()) }
        };
        tokio::try_join!(account, own, group).map(drop)
    }

    /// What `source` holds: kept, shared, or asked for now.
    pub async fn read(&self, source: &Source, budget: &Budget) -> FetchResult {
        match self.way(source) {
            SharingClass::SharedRead => self.shared(source, budget).await.map_err(EngineError::Origin),
            way => self.made(source, way, budget).await,
        }
    }

    /// Opens the ciphertexts of `batch`.
    pub async fn open<'a>(
        &self,
        batch: &Batch<'a>,
        answers: &Responses<'a>,
        budget: &Budget,
    ) -> Vec<(&'a Source, FetchResult)> {
        let failed = |error: VaultError| {
            let miss = FetchError::from(error);
            batch.members.iter().map(|member| (*member, Err(EngineError::Origin(miss.clone())))).collect()
        };
        let session = match self.account(budget).await {
            Ok(session) => session,
            Err(error) => return failed(error),
        };
        self.called();
        let opened = engine::decrypt(session.login(), batch, answers, budget).await;
        let Some(first) =
            batch.members.first().filter(|_| opened.iter().all(|(_, outcome)| is_denied(outcome)))
        else {
            return opened;
        };
        match self.again(&session, first, budget).await {
            None => opened,
            Some(Err(error)) => failed(error),
            Some(Ok(session)) => {
                self.called();
                let opened = engine::decrypt(session.login(), batch, answers, budget).await;
                session.denied(first, opened.iter().all(|(_, outcome)| is_denied(outcome)));
                opened
            }
        }
    }

    /// How often Vault was asked, answers included that another volume's question brought.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// What is odd and no failure.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().clone()
    }

    /// A read that others may share.
    async fn shared(&self, source: &Source, budget: &Budget) -> Result<Arc<Fetched>, FetchError> {
        let session = self.account(budget).await?;
        self.called();
        let age = self.age(source);
        let outcome = session.read(source, age, budget).await;
        let (session, outcome) = match outcome {
            Err(miss) if miss.reason == Reason::ReadDenied => {
                match self.again(&session, source, budget).await {
                    None => (session, Err(miss)),
                    Some(again) => {
                        let again = again?;
                        self.called();
                        // All volumes of a token that died come here at once.
                        let outcome = again.read(source, age, budget).await;
                        again.denied(
                            source,
                            outcome.as_ref().is_err_and(|miss| miss.reason == Reason::ReadDenied),
                        );
                        (again, outcome)
                    }
                }
            }
            outcome => (session, outcome),
        };
        if outcome.is_ok() {
            session.denied(source, false);
        }
        // Nobody could know that it leases: the login is this volume's from now on.
        outcome.inspect(|fetched| self.take_lease(source, fetched, &session))
    }

    /// How old an answer may be that is taken for `source`.
    fn age(&self, source: &Source) -> MaxAge {
        let refresh = self.spec.refreshes.of(source);
        let looked_at = || self.cadence.map_or(refresh, |cadence| cadence.age(refresh, self.began));
        MaxAge { most: if self.first { refresh.min(FIRST) } else { looked_at() }, refresh }
    }

    /// A login in the place of `session`, whose token may be dead: not when it was made for this mount, or was new when it was denied the
    /// same before and still lives, for then its policy says no.
    async fn again(
        &self,
        session: &Arc<VaultToken>,
        source: &Source,
        budget: &Budget,
    ) -> Option<Result<Arc<VaultToken>, VaultError>> {
        self.proof.token.as_ref()?;
        if session.authenticated_at() >= self.began {
            session.denied(source, true);
            return None;
        }
        let before = session.was_denied(source);
        if before && session.lives(budget).await {
            return None;
        }
        let again = self.session(session.who(), Some(session), budget).await;
        if let (Ok(again), true) = (&again, before) {
            again.learns_to_look(budget).await;
        }
        let mut held = self.volume.held();
        if let (Ok(again), true) =
            (&again, held.account.as_ref().is_some_and(|account| Arc::ptr_eq(account, session)))
        {
            held.account = Some(Arc::clone(again));
        }
        drop(held);
        Some(again)
    }

    fn way(&self, source: &Source) -> SharingClass {
        self.volumes.leasing.way(self.spec, source)
    }

    /// The login that reads.
    async fn account(&self, budget: &Budget) -> Result<Arc<VaultToken>, VaultError> {
        let session = self.account.get_or_try_init(|| async {
            let scope = match self.spec.login {
                LoginScope::Shared => Scope::Account,
                LoginScope::Pod | LoginScope::Transient => Scope::Pod(self.spec.pod.uid.clone()),
            };
            let who = self.who(scope);
            if self.volumes.inline && self.spec.server.configured {
                return self.volumes.logins.inline(&who, self.token()?);
            }
            if self.spec.login == LoginScope::Transient {
                return self.volumes.logins.alone(&who, self.token()?, budget).await;
            }
            let session = self.session(&who, None, budget).await?;
            self.volume.held().account = Some(Arc::clone(&session));
            Ok(session)
        });
        session.await.cloned()
    }

    /// The login that leases: the volume's own, or its group's.
    async fn leasing(&self, share: ShareScope, budget: &Budget) -> Result<Arc<VaultToken>, VaultError> {
        let (cell, scope) = match share {
            ShareScope::Pod => (&self.own, Scope::Volume(self.volume.id().name())),
            ShareScope::ServiceAccount => (&self.group, Scope::Group),
        };
        let who = self.who(scope);
        cell.get_or_try_init(|| self.session(&who, None, budget)).await.cloned()
    }

    /// The login of `who`, another than `but`: one that is there, or with a token one that is made now.
    async fn session(
        &self,
        who: &LoginKey,
        but: Option<&Arc<VaultToken>>,
        budget: &Budget,
    ) -> Result<Arc<VaultToken>, VaultError> {
        let (logins, uid) = (&self.volumes.logins, &self.spec.pod.uid);
        match self.token() {
            Ok(token) => logins.session(who, uid, token, but, budget).await,
            Err(none) => logins.there(who, uid).ok_or(none),
        }
    }

    /// Who uses logins of `scope`.
    fn who(&self, scope: Scope) -> LoginKey {
        LoginKey::new(self.spec, self.proof.account_uid.clone(), scope)
    }

    fn token(&self) -> Result<&Arc<PodToken>, VaultError> {
        let none = || VaultError::NoToken { doing: format!("log in at auth/{}", self.spec.auth.mount) };
        self.proof.token.as_ref().ok_or_else(none)
    }

    fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

fn is_denied(outcome: &FetchResult) -> bool {
    outcome.as_ref().is_err_and(|error| error.reason() == Reason::ReadDenied)
}
