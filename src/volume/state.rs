//! One volume: what it has, and what it had last.

use crate::mutex::Mutex;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, SystemTime};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::error::Elapsed;
use tokio::time::timeout_at;
use tracing::{debug, warn};

use super::VolumeId;
use crate::cache::RenderedCache;
use crate::cache::issued::{Issued, IssuedCache, NOT_YET};
use crate::cache::last_known_good::LastKnownGood;
use crate::class::RememberedRequest;
use crate::error::Failure;
use crate::limits::Budget;
use crate::payload::Payload;
use crate::renewal::{RepublishInterval, USUAL, UnixMillis};
use crate::spec::{MountSpec, Object, PodToken, Source};
use crate::state::Written;
use crate::tokens::{LoginKey, VaultToken};
use crate::volume::liveness::{Liveness, LivenessCheck, LivenessVerdict};
use crate::volume::own_writer::Files;
use crate::writer::Fingerprints;

/// Time for the calls of a republish whose last good content can stand in: the driver looks at one volume after the other.
const PATIENCE: Duration = Duration::from_millis(4500);

/// How long a refusal of Kubernetes is believed: looks may come each second, of each volume.
const REFUSED: Duration = Duration::from_secs(60);

/// A volume of this node, from its first mount to its end. What it holds ends with it: logins that nobody else uses are given back.
pub struct Volume {
    id: VolumeId,
    /// One mount at a time: two would make everything twice.
    turn: Arc<AsyncMutex<()>>,
    pub(crate) shelf: Arc<IssuedCache>,
    texts: RenderedCache,
    held: Mutex<VolumeState>,
    /// Of the files that we wrote; whoever writes holds it.
    pub(crate) marks: Mutex<Fingerprints>,
    pub(crate) written: Written,
}

/// Files whose names are those of keys (`keys: "*"`): the object and source of each, and its path.
pub type Keyed = BTreeSet<(String, String)>;

/// What changes with every mount.
#[derive(Default)]
pub(crate) struct VolumeState {
    /// Whose what it has is: role, account and server.
    pub(crate) asker: Option<LoginKey>,
    pub(crate) interval: RepublishInterval,
    pub(crate) asked: Option<UnixMillis>,
    /// The login that reads.
    pub(crate) account: Option<Arc<VaultToken>>,
    /// Logins of its own and of its group by which it asks again, with nothing that hangs on them: kept, lest every poll makes one more. What
    /// was asked by each.
    pub(crate) own: Vec<(Source, Arc<VaultToken>)>,
    /// What the pods of its account have together.
    pub(crate) group: Option<(LoginKey, Arc<IssuedCache>)>,
    /// The last content that was whole, and of use.
    pub(crate) good: Option<LastKnownGood>,
    /// What the kubelet's own request said.
    pub(crate) published: Option<RememberedRequest>,
    /// Whether a mount was ever answered with files.
    pub(crate) answered: bool,
    /// What keys gave it last, and what they give it once it has the files that were fetched.
    pub(crate) keyed: (Arc<Keyed>, Keyed),
    /// Of the versions that were answered last.
    versions: Option<u64>,
    /// Whether the last question was answered with what Vault has, by this process.
    pub(crate) fresh: bool,
    /// The pod's own token, for looks of our own until it ends.
    pub(crate) token: Option<Arc<PodToken>>,
    /// When Kubernetes refused one last.
    refused: Option<UnixMillis>,
    /// How we stand to its files.
    pub(crate) files: Files,
    /// What the mounts and the pods of the node say of it.
    pub(crate) presence: Liveness,
}

impl Volume {
    pub(crate) fn new(id: VolumeId) -> Self {
        Self {
            id,
            turn: Arc::default(),
            shelf: Arc::default(),
            texts: RenderedCache::default(),
            held: Mutex::default(),
            marks: Mutex::default(),
            written: Written::default(),
        }
    }

    /// What it is known by.
    pub fn id(&self) -> &VolumeId {
        &self.id
    }

    /// Makes it `asker`'s: what another role, account or server gave is let go, and what `objects` no longer look at.
    /// The pod has the files of before, until it is given others.
    pub(crate) fn is_for(&self, asker: LoginKey, objects: &[Object]) {
        let wanted = crate::volume::registry::sources(objects);
        self.texts.only(|name| objects.iter().any(|object| object.file() == Some(name)));
        let mut held = self.held();
        let same = held.asker.as_ref() == Some(&asker);
        if !same {
            (held.account, held.own) = (None, Vec::new());
            let group = held.group.take();
            self.shelf.keep_until(
                NOT_YET,
                group.iter().flat_map(|(_, shelf)| shelf.sessions()).map(|session| (session, None)),
            );
        }
        held.asker = Some(asker);
        held.own.retain(|(source, _)| wanted.contains(source));
        let gone = self.shelf.only(|source| same && wanted.contains(source));
        self.shelf.keep_until(NOT_YET, gone.iter().filter_map(Issued::hangs_on));
    }

    /// Bytes of what it keeps beside its shelf.
    pub(crate) fn bytes(&self) -> usize {
        let good = self.held().good.as_ref().map_or(0, |good| good.payload.bytes());
        self.texts.bytes() + good
    }

    /// Waits for the mount before.
    pub async fn turn(&self, budget: &Budget) -> Result<OwnedMutexGuard<()>, Elapsed> {
        timeout_at(budget.end(), Arc::clone(&self.turn).lock_owned()).await
    }

    /// The time that a mount may take: little where the last good content can stand in.
    pub fn patience(&self, spec: &MountSpec, budget: &Budget) -> Budget {
        let stands_in = self
            .held()
            .good
            .as_ref()
            .is_some_and(|good| good.stands_in_for(spec, UnixMillis::now()).is_some());
        if stands_in { budget.at_most(PATIENCE) } else { budget.clone() }
    }

    /// Keeps `payload`, fetched `now`, as what stands in for the next that cannot be, if there is room for it.
    pub(crate) fn keeps(
        &self,
        spec: &MountSpec,
        payload: &Arc<Payload>,
        has_room: impl FnOnce(usize, usize) -> bool,
        now: UnixMillis,
    ) {
        let mut held = self.held();
        let before = held.good.take().map_or(0, |good| good.payload.bytes());
        held.good =
            has_room(payload.bytes(), before).then(|| LastKnownGood::new(spec, Arc::clone(payload), now));
        let keyed = std::mem::take(&mut held.keyed.1);
        (held.keyed.0, held.fresh) = (Arc::new(keyed), true);
    }

    /// Its pod has been given files `now`, `fetched` or standing in; tells whether they are the first.
    pub(crate) fn was_given(&self, now: UnixMillis, fetched: bool) -> bool {
        let mut held = self.held();
        // What stands in may hold what has been replaced.
        if fetched {
            let interval = held.interval.observed();
            self.shelf.given(now + interval.saturating_mul(2));
            held.group.iter().for_each(|(_, shelf)| shelf.given(now + interval.max(USUAL).saturating_mul(3)));
        }
        !std::mem::replace(&mut held.answered, true)
    }

    /// The token that its pod brought last, while it is of use.
    pub fn token(&self) -> Option<Arc<PodToken>> {
        self.held().token.clone().filter(|token| token.expires.is_some_and(|end| end > SystemTime::now()))
    }

    /// Whether a login of it was opened by a pod's token of the last hour.
    pub fn is_authenticated(&self, now: UnixMillis) -> bool {
        self.sessions().iter().any(|session| session.is_authenticated(now))
    }

    /// Whether a token may be asked for in its pod's name: it needs one, and none was refused a moment ago.
    pub fn may_ask(&self, now: UnixMillis) -> bool {
        let refused = self.held().refused;
        !self.is_authenticated(now) && refused.is_none_or(|at| now.since(at) >= REFUSED)
    }

    /// A token was asked for in its pod's name, and there is none.
    pub fn was_refused(&self, now: UnixMillis) {
        self.held().refused = Some(now);
    }

    /// Keeps a token that was asked for in its pod's name.
    pub fn brings(&self, token: PodToken) -> Option<Arc<PodToken>> {
        self.held().token.insert(Arc::new(token)).clone().into()
    }

    /// Whether its directory is the kubelet's, for its pod; the sync controller's is not.
    pub fn is_kubelets(&self) -> bool {
        self.id.parameters.is_none()
    }

    /// The last good content in the place of what `failure` kept away, when `spec` may still have it; told when that is `news`.
    pub(crate) fn stand_in(
        &self,
        spec: &MountSpec,
        now: UnixMillis,
        failure: &Failure,
        news: bool,
    ) -> Option<Arc<Payload>> {
        let held = self.held();
        let good = held.good.as_ref()?;
        let (payload, age) = (Arc::clone(&good.payload), good.stands_in_for(spec, now)?);
        let (reason, age_s, why) = (failure.reason.code(), age.as_secs(), failure.message());
        match news {
            true => warn!(reason, age_s, "the last good content stands in: {why}"),
            false => debug!(reason, age_s, "the last good content still stands in: {why}"),
        }
        Some(payload)
    }

    /// Whether an answer with `versions` changes what the driver has of it, as far as this process knows.
    pub fn changes(&self, versions: &impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        versions.hash(&mut hasher);
        let now = Some(hasher.finish());
        std::mem::replace(&mut self.held().versions, now) != now
    }

    /// What keys gave it last; `None` where its pod has no files yet.
    pub fn keyed(&self) -> Option<Arc<Keyed>> {
        let held = self.held();
        held.answered.then(|| Arc::clone(&held.keyed.0))
    }

    /// Remembers what keys give it, once that is given.
    pub fn will_have(&self, keyed: Keyed) {
        self.held().keyed.1 = keyed;
    }

    /// Whether its pod has files.
    pub fn is_answered(&self) -> bool {
        self.held().answered
    }

    /// What came of its templates.
    pub fn texts(&self) -> &RenderedCache {
        &self.texts
    }

    pub(crate) fn held(&self) -> MutexGuard<'_, VolumeState> {
        self.held.lock()
    }

    /// Takes in a look around.
    pub(crate) fn looked_for(&self, looks: &[LivenessCheck<'_>]) {
        let mut held = self.held();
        held.presence = looks
            .iter()
            .fold(std::mem::take(&mut held.presence), |presence, look| presence.after(look, &self.id));
    }

    /// Whether it lives, as far as anybody sees.
    pub(crate) fn known(&self) -> LivenessVerdict {
        self.held().presence.known(&self.id)
    }

    /// Lets go of what was replaced long enough ago.
    pub(crate) fn tidy(&self, now: UnixMillis) {
        let group = self.held().group.as_ref().map(|(_, shelf)| Arc::clone(shelf));
        group.iter().chain([&self.shelf]).for_each(|shelf| shelf.tidy(now));
    }

    /// Every login that it holds.
    pub(crate) fn sessions(&self) -> Vec<Arc<VaultToken>> {
        let held = self.held();
        let shelves = [Some(&self.shelf), held.group.as_ref().map(|(_, shelf)| shelf)];
        let made: Vec<_> = shelves.into_iter().flatten().flat_map(|shelf| shelf.sessions()).collect();
        let own = held.own.iter().map(|(_, session)| session);
        held.account.iter().chain(own).cloned().chain(made).collect()
    }

    /// Tells its logins that a volume lives which needs them, until `until` if nobody says so again.
    pub(crate) fn wants(&self, until: UnixMillis) {
        self.sessions().iter().for_each(|session| session.wanted(until));
    }
}

/// How long a volume that has been asked about counts as living where nobody sees its mount: some republishes.
pub(crate) fn lives_until(asked: UnixMillis, interval: Duration) -> UnixMillis {
    asked + interval.saturating_mul(4).max(Duration::from_secs(600))
}
