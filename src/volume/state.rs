//! One volume: its tokens, caches, files and last content.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, SystemTime};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::error::Elapsed;
use tokio::time::timeout_at;
use tracing::{debug, warn};

use super::VolumeId;
use super::file_schedule::FileSchedule;
use super::liveness::{Liveness, LivenessCheck, LivenessVerdict};
use crate::cache::RenderedCache;
use crate::cache::issued::{Issued, IssuedCache, IssuedEnd, NOT_YET};
use crate::cache::last_known_good::LastKnownGood;
use crate::class::RememberedRequest;
use crate::error::Failure;
use crate::limits::Budget;
use crate::mutex::Mutex;
use crate::payload::Payload;
use crate::renewal::{RepublishInterval, USUAL, UnixMillis};
use crate::spec::{MountSpec, Object, PodToken, Source};
use crate::state::Written;
use crate::tokens::{LoginKey, VaultToken};
use crate::writer::{Fingerprints, Target};

/// Time for the calls of a republish that can fall back to the last known good content. The driver republishes one volume after the other, so a
/// slow one delays the rest.
const FETCH_TIME: Duration = Duration::from_millis(4500);

/// Pause after Kubernetes refused a service account token: polls may come every second, for every volume.
const REFUSED: Duration = Duration::from_secs(60);

/// How long a volume wants its tokens after a request, if four of its republish intervals are shorter.
const WANTED: Duration = Duration::from_secs(600);

/// A volume of this node, from its first mount until its end. Tokens that no other volume uses are revoked when it is dropped.
pub(crate) struct Volume {
    id: VolumeId,
    /// One mount or poll at a time: two would have everything issued twice.
    lock: Arc<AsyncMutex<()>>,
    pub(crate) issued: Arc<IssuedCache>,
    rendered: RenderedCache,
    state: Mutex<VolumeState>,
    /// Fingerprints of the files that vaultmount wrote.
    fingerprints: Mutex<Fingerprints>,
    pub(crate) written: Written,
}

/// Files whose names come from keys (`keys: "*"`): object and source of each, and its path.
pub(crate) type Keyed = BTreeSet<(String, String)>;

/// What changes with every mount.
#[derive(Default)]
pub(crate) struct VolumeState {
    /// Role, account and server that everything in the volume was fetched with.
    pub(crate) owner: Option<LoginKey>,
    pub(crate) interval: RepublishInterval,
    /// When the driver last requested the volume.
    pub(crate) requested_at: Option<UnixMillis>,
    /// The token that reads.
    pub(crate) reader: Option<Arc<VaultToken>>,
    /// Tokens of the volume's own and of its group that have no leases, and the source that each was last used for. They are stored because
    /// every poll would log in again otherwise.
    pub(crate) own: Vec<(Source, Arc<VaultToken>)>,
    /// What the pods of the service account share.
    pub(crate) group: Option<(LoginKey, Arc<IssuedCache>)>,
    pub(crate) last_known_good: Option<LastKnownGood>,
    /// The kubelet's own request, for polls and for requests that lack the pod's parameters.
    pub(crate) published: Option<RememberedRequest>,
    /// Whether the pod has files.
    pub(crate) is_published: bool,
    /// Files named by keys that the pod has.
    keyed: Arc<Keyed>,
    /// Files named by keys that the pod has once the running mount is published.
    next_keyed: Keyed,
    /// A hash of the versions in the last response to the driver.
    versions: Option<u64>,
    /// Whether this process last published what Vault has.
    pub(crate) is_fresh: bool,
    /// The pod's service account token, for polls until it expires.
    pub(crate) token: Option<Arc<PodToken>>,
    /// When Kubernetes last refused a service account token.
    token_refused_at: Option<UnixMillis>,
    pub(crate) files: FileSchedule,
    pub(crate) liveness: Liveness,
}

impl Volume {
    pub(crate) fn new(id: VolumeId) -> Self {
        Self {
            id,
            lock: Arc::default(),
            issued: Arc::default(),
            rendered: RenderedCache::default(),
            state: Mutex::default(),
            fingerprints: Mutex::default(),
            written: Written::default(),
        }
    }

    /// What identifies the volume.
    pub(crate) fn id(&self) -> &VolumeId {
        &self.id
    }

    /// Sets role, account and server of the volume. Drops what was fetched with another role, account or server, and what `objects` no longer
    /// refer to. Superseded tokens live until the pod has other files.
    pub(crate) fn set_owner(&self, owner: LoginKey, objects: &[Object]) {
        let wanted: HashSet<&Source> = objects.iter().flat_map(Object::sources).collect();
        self.rendered.retain(|name| objects.iter().any(|object| object.file() == Some(name)));
        let mut state = self.state();
        let is_same = state.owner.as_ref() == Some(&owner);
        if !is_same {
            (state.reader, state.own) = (None, Vec::new());
            let group = state.group.take();
            let tokens = group.iter().flat_map(|(_, cache)| cache.tokens());
            self.issued.supersede(NOT_YET, tokens.map(|token| (token, None)));
        }
        state.owner = Some(owner);
        state.own.retain(|(source, _)| wanted.contains(source));
        let dropped = self.issued.extract_unless(|source| is_same && wanted.contains(source));
        self.issued.supersede(NOT_YET, dropped.iter().filter_map(Issued::token_and_lease));
    }

    /// Bytes of rendered templates and last known good content.
    pub(crate) fn bytes(&self) -> usize {
        let good = self.state().last_known_good.as_ref().map_or(0, |good| good.payload.bytes());
        self.rendered.bytes() + good
    }

    /// Waits until no other mount or poll of the volume runs.
    pub(crate) async fn lock(&self, budget: &Budget) -> Result<OwnedMutexGuard<()>, Elapsed> {
        timeout_at(budget.end(), Arc::clone(&self.lock).lock_owned()).await
    }

    /// The budget of a mount: short where it can fall back to the last known good content.
    pub(crate) fn fetch_budget(&self, spec: &MountSpec, budget: &Budget) -> Budget {
        let has_fallback = {
            let state = self.state();
            let good = state.last_known_good.as_ref();
            good.is_some_and(|good| good.age_for(spec, UnixMillis::now()).is_some())
        };
        if has_fallback { budget.at_most(FETCH_TIME) } else { budget.clone() }
    }

    /// Records that `payload` was fetched for `spec` at `now`. Stores it as last known good content if `reserve` has space for its bytes in place of
    /// the bytes of the content before.
    pub(crate) fn set_fetched(
        &self,
        spec: &MountSpec,
        payload: &Arc<Payload>,
        reserve: impl FnOnce(usize, usize) -> bool,
        now: UnixMillis,
    ) {
        let ends = self.ends_of(spec);
        let mut state = self.state();
        let before = state.last_known_good.take().map_or(0, |good| good.payload.bytes());
        let is_stored = reserve(payload.bytes(), before);
        state.last_known_good = is_stored.then(|| LastKnownGood::new(spec, Arc::clone(payload), now, ends));
        state.keyed = Arc::new(std::mem::take(&mut state.next_keyed));
        state.is_fresh = true;
        let interval = state.interval.observed();
        self.issued.set_published(now + interval.saturating_mul(2));
        let group = state.group.iter();
        group.for_each(|(_, cache)| cache.set_published(now + interval.max(USUAL).saturating_mul(3)));
    }

    /// The ends of everything that was issued for the sources of `spec`.
    fn ends_of(&self, spec: &MountSpec) -> Vec<IssuedEnd> {
        let wanted: HashSet<&Source> = spec.objects.iter().flat_map(Object::sources).collect();
        let issued = self.issued_caches().into_iter().flat_map(|cache| cache.all());
        issued.filter(|(source, _)| wanted.contains(source)).map(|(_, issued)| issued.end()).collect()
    }

    /// Records that the pod has files. Returns whether they are its first.
    pub(crate) fn set_published(&self) -> bool {
        !std::mem::replace(&mut self.state().is_published, true)
    }

    /// Replaces the token that reads, if it is still `old`.
    pub(crate) fn replace_reader(&self, old: &Arc<VaultToken>, new: &Arc<VaultToken>) {
        let mut state = self.state();
        if state.reader.as_ref().is_some_and(|reader| Arc::ptr_eq(reader, old)) {
            state.reader = Some(Arc::clone(new));
        }
    }

    /// The service account token that the pod's last request brought, until it expires.
    pub(crate) fn pod_token(&self) -> Option<Arc<PodToken>> {
        self.state().token.clone().filter(|token| token.expires.is_some_and(|end| end > SystemTime::now()))
    }

    /// Whether a service account token has logged in for the volume within the last hour.
    pub(crate) fn is_authenticated(&self, now: UnixMillis) -> bool {
        self.tokens().iter().any(|token| token.is_authenticated(now))
    }

    /// Whether a service account token may be requested from Kubernetes: the volume needs one, and none was refused within the last minute.
    pub(crate) fn may_request_token(&self, now: UnixMillis) -> bool {
        let refused_at = self.state().token_refused_at;
        !self.is_authenticated(now) && refused_at.is_none_or(|at| now.since(at) >= REFUSED)
    }

    /// Records that Kubernetes refused a service account token.
    pub(crate) fn set_token_refused(&self, now: UnixMillis) {
        self.state().token_refused_at = Some(now);
    }

    /// Stores a service account token that Kubernetes issued.
    pub(crate) fn set_pod_token(&self, token: PodToken) -> Option<Arc<PodToken>> {
        self.state().token.insert(Arc::new(token)).clone().into()
    }

    /// Whether its directory is one of the kubelet's for the pod; the sync controller's is not.
    pub(crate) fn is_kubelets(&self) -> bool {
        self.id.parameters.is_none()
    }

    /// The last known good content in place of what `failure` prevented, if it may be used for `spec`. The first fallback is a warning in the log,
    /// later ones (`is_first` is false) are debug lines.
    pub(crate) fn fall_back(
        &self,
        spec: &MountSpec,
        now: UnixMillis,
        failure: &Failure,
        is_first: bool,
    ) -> Option<Arc<Payload>> {
        let state = self.state();
        let good = state.last_known_good.as_ref()?;
        let (payload, age) = (Arc::clone(&good.payload), good.age_for(spec, now)?);
        let (reason, age_s, why) = (failure.reason.code(), age.as_secs(), failure.message());
        if is_first {
            warn!(reason, age_s, "the pod keeps its last known good content: {why}");
        } else {
            debug!(reason, age_s, "the pod still keeps its last known good content: {why}");
        }
        Some(payload)
    }

    /// `failure`, with the reason why the pod's content is no answer to it, if that is its end.
    pub(crate) fn explain_no_fallback(&self, failure: Failure, now: UnixMillis) -> Failure {
        let state = self.state();
        let has_expired = state.last_known_good.as_ref().is_some_and(|good| good.has_expired(now));
        if !has_expired {
            return failure;
        }
        let what = format!("{}; a certificate or credential in the pod's files has expired", failure.what);
        Failure { what, ..failure }
    }

    /// Stores the versions of a response. Returns whether they differ from the last response of this process.
    pub(crate) fn versions_changed(&self, versions: &impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        versions.hash(&mut hasher);
        let now = Some(hasher.finish());
        std::mem::replace(&mut self.state().versions, now) != now
    }

    /// Files named by keys that the pod has; `None` where the pod has no files yet.
    pub(crate) fn keyed(&self) -> Option<Arc<Keyed>> {
        let state = self.state();
        state.is_published.then(|| Arc::clone(&state.keyed))
    }

    /// Files named by keys that the pod has, for the record.
    pub(crate) fn recorded_keyed(&self) -> Keyed {
        Keyed::clone(&self.state().keyed)
    }

    /// Sets the files named by keys that the pod had before a restart.
    pub(crate) fn resume_keyed(&self, keyed: Keyed) {
        self.state().keyed = Arc::new(keyed);
    }

    /// Sets the files named by keys that the pod will have once the running mount is published.
    pub(crate) fn set_next_keyed(&self, keyed: Keyed) {
        self.state().next_keyed = keyed;
    }

    /// Whether the pod has files.
    pub(crate) fn is_published(&self) -> bool {
        self.state().is_published
    }

    /// The request to poll with; `None` where none is known, or the driver writes the files.
    pub(crate) fn remembered_request(&self) -> Option<RememberedRequest> {
        let state = self.state();
        state.published.clone().filter(|_| state.files.is_own)
    }

    /// Whether vaultmount wrote its files last.
    pub(crate) fn is_own(&self) -> bool {
        self.state().files.is_own
    }

    /// Its rendered templates.
    pub(crate) fn rendered(&self) -> &RenderedCache {
        &self.rendered
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, VolumeState> {
        self.state.lock()
    }

    pub(crate) fn fingerprints(&self) -> MutexGuard<'_, Fingerprints> {
        self.fingerprints.lock()
    }

    /// Where the writer writes.
    pub(crate) fn target(&self) -> Target<'_> {
        Target { pod_uid: &self.id.pod.uid, path: Path::new(&self.id.target_path) }
    }

    /// Applies the results of `checks`.
    pub(crate) fn observe(&self, checks: &[LivenessCheck<'_>]) {
        let mut state = self.state();
        let before = std::mem::take(&mut state.liveness);
        state.liveness = checks.iter().fold(before, |liveness, check| liveness.after(check, &self.id));
    }

    /// Whether the volume lives, by all checks so far.
    pub(crate) fn verdict(&self) -> LivenessVerdict {
        self.state().liveness.verdict(&self.id)
    }

    /// Drops what was superseded long enough ago.
    pub(crate) fn drop_expired(&self, now: UnixMillis) {
        self.issued_caches().iter().for_each(|cache| cache.drop_expired(now));
    }

    /// The volume's own cache, and its group's.
    pub(crate) fn issued_caches(&self) -> Vec<Arc<IssuedCache>> {
        let state = self.state();
        let group = state.group.as_ref().map(|(_, cache)| cache);
        [&self.issued].into_iter().chain(group).cloned().collect()
    }

    /// Every token that the volume uses.
    pub(crate) fn tokens(&self) -> Vec<Arc<VaultToken>> {
        let issued = self.issued_caches().into_iter().flat_map(|cache| cache.tokens());
        let issued: Vec<_> = issued.collect();
        let state = self.state();
        let own = state.own.iter().map(|(_, token)| token);
        state.reader.iter().chain(own).cloned().chain(issued).collect()
    }

    /// Has its tokens renewed until `until`.
    pub(crate) fn want_tokens_until(&self, until: UnixMillis) {
        self.tokens().iter().for_each(|token| token.want_until(until));
    }
}

/// Until when a volume counts as living that was requested at `requested_at`, where its mount cannot be seen: some republishes.
pub(crate) fn lives_until(requested_at: UnixMillis, interval: Duration) -> UnixMillis {
    requested_at + interval.saturating_mul(4).max(WANTED)
}
