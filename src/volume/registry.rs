//! What every volume of the node has, until its end: logins, what was made for it, and the last content that was whole.

use crate::cache::RenderedCache;
use crate::volume::{FetchContext, Job, Keyed, Volume, VolumeId};

use crate::mutex::Mutex;
use std::collections::{HashMap, HashSet};
use std::hash::RandomState;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::{Mutex as AsyncMutex, Notify};
use tracing::debug;

use crate::cache::issued::IssuedCache;
use crate::class::RememberedRequest;
use crate::error::{Failure, Reason};
use crate::kube::events::PodEvents;
use crate::kube::pods::NodePods;
use crate::payload::{Payload, VersionKey};
use crate::renewal::{Bounds, UnixMillis};
use crate::spec::{MountSpec, Object, PodToken, Source};
use crate::state::Store;
use crate::tokens::{LoginKey, Logins, OnRelease, Scope};
use crate::volume::fetch_context::PodIdentity;
use crate::volume::sharing::LearnedPaths;
use crate::volume::state::lives_until;
use crate::writer::{Trigger, Writer};

/// Volumes that are remembered at a time, more than a node has; what comes beyond is served and not kept.
const VOLUMES: usize = 4096;

/// Bytes of all last good content, and as many of all that was made, so that the one does not take the other's place; what comes beyond is not
/// kept.
const BYTES: usize = 16 * 1024 * 1024;

/// Bytes of one answer that is kept without a lease: certificates are far below.
const ENTRY: usize = 256 * 1024;

/// What the process is told of volumes.
#[derive(Default)]
pub struct VolumeConfig {
    /// Between which ages a certificate is replaced.
    pub bounds: Bounds,
    /// Whether reads at the process's own server carry the login themselves.
    pub inline: bool,
    /// The kubelet's `pods` directory, where the end of a volume is seen, and volumes are that we write.
    pub root: Option<PathBuf>,
    /// The pods of the node, where their end is seen.
    pub pods: Option<NodePods>,
    /// By what pods are told that their files have changed.
    pub events: Option<PodEvents>,
    /// Where what they have outlives a restart.
    pub store: Option<Arc<Store>>,
}

/// The volumes of a node.
pub struct Volumes {
    pub(crate) logins: Logins,
    pub(crate) leasing: LearnedPaths,
    pub(crate) bounds: Bounds,
    pub(crate) inline: bool,
    pub(crate) root: Option<PathBuf>,
    pub(crate) writer: Option<Writer>,
    /// One volume is written at a time: while it is, it cannot be unmounted, so nobody waits for a core meanwhile.
    pub(crate) hand: AsyncMutex<()>,
    pub(crate) pods: Option<NodePods>,
    pub(crate) events: Option<PodEvents>,
    pub(crate) store: Option<Arc<Store>>,
    pub(crate) volumes: Mutex<HashMap<VolumeId, Arc<Volume>>>,
    pub(crate) groups: Mutex<HashMap<LoginKey, Weak<IssuedCache>>>,
    /// About how much last good content is kept: added to as it comes, and counted anew now and then.
    pub(crate) bytes: AtomicUsize,
    /// The same of what was made.
    pub(crate) made: AtomicUsize,
    /// The process ends: what is forgotten from now on has not ended.
    pub(crate) closed: AtomicBool,
    /// A volume was filled for the first time.
    pub(crate) filled: Notify,
    /// Something is due at another time than before.
    pub(crate) jobs: Notify,
    /// Spreads looks over the time between them, otherwise on each node.
    pub(crate) seed: RandomState,
}

impl Volumes {
    /// None yet; `key` tells files apart that we wrote and may not read.
    pub fn new(logins: Logins, setting: VolumeConfig, key: VersionKey) -> Self {
        let VolumeConfig { bounds, inline, root, pods, events, store } = setting;
        Self {
            logins,
            leasing: LearnedPaths::default(),
            bounds,
            inline,
            writer: root.as_deref().map(|root| Writer::new(root, key)),
            root,
            hand: AsyncMutex::default(),
            pods,
            events,
            store,
            volumes: Mutex::default(),
            groups: Mutex::default(),
            bytes: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            filled: Notify::new(),
            jobs: Notify::new(),
            seed: RandomState::new(),
        }
    }

    /// The volume that `spec` is for: the one that is known, or a new one.
    pub fn open(&self, spec: &MountSpec) -> Arc<Volume> {
        let id = VolumeId::of(spec);
        let mut volumes = self.volumes.lock();
        if volumes.len() >= VOLUMES && !volumes.contains_key(&id) {
            debug!("more volumes than are remembered: this one begins anew at every question");
            return Arc::new(Volume::new(id));
        }
        // One that has ended while a mount was at work on it is that mount's; on the same path begins another.
        if volumes.get(&id).is_some_and(|volume| volume.known().is_end()) {
            volumes.remove(&id);
        }
        Arc::clone(volumes.entry(id.clone()).or_insert_with(|| Arc::new(Volume::new(id))))
    }

    /// Begins to fill `volume` by the pod of `token`, where somebody has one: it counts as asked about when the driver asks, and what its class
    /// no longer wants is let go.
    pub fn visit<'v>(
        &'v self,
        volume: &'v Volume,
        spec: &'v MountSpec,
        token: Option<Arc<PodToken>>,
        occasion: Trigger,
    ) -> FetchContext<'v> {
        let now = UnixMillis::now();
        let (uid, until) = {
            let mut held = volume.held();
            if occasion == Trigger::DriverRequest {
                held.interval.asked(now);
                held.asked = Some(now);
                held.published = Some(spec.published.clone());
                // Kept for looks alone.
                held.token = token.clone().filter(|_| self.writer(spec).is_some());
            }
            let known = held.asker.as_ref().map(|asker| asker.account.uid.clone());
            let uid = token.as_ref().map_or(known, |token| token.account_uid.clone());
            (uid.unwrap_or_default(), lives_until(now, held.interval.observed()))
        };
        volume.is_for(LoginKey::new(spec, uid.clone(), Scope::Account), &spec.objects);
        volume.tidy(now);
        volume.wants(until);
        FetchContext::new(self, volume, spec, PodIdentity { token, account_uid: uid })
    }

    /// What stands in where `failure` kept the content away: the last that was good, where the failure passes; a definite no drops that too.
    pub fn stand_in(
        &self,
        volume: &Volume,
        spec: &MountSpec,
        failure: Failure,
        why: Trigger,
    ) -> Result<Arc<Payload>, Failure> {
        let was_fresh = std::mem::replace(&mut volume.held().fresh, false);
        let answer = match failure.reason {
            reason if reason.is_passing() => {
                volume.stand_in(spec, UnixMillis::now(), &failure, was_fresh).ok_or(failure)
            }
            // Of the content that says nothing; nor does a denial without a pod's fresh token.
            Reason::TokenMissing => Err(failure),
            Reason::ReadDenied if why == Trigger::Poll => Err(failure),
            _ => {
                volume.held().good = None;
                Err(failure)
            }
        };
        // What was made is not made again by the next process, though this failed.
        self.save(volume);
        answer
    }

    /// The pod has the files of `volume`, or will have once the driver has our answer: those that were `fetched`, or what stood in for them.
    ///
    /// That is written down, lest the next process takes the volume for one that never was filled; and with it, before the answer, all that the
    /// volume has: a process that is killed leaves nothing that nobody knows of.
    pub fn given(&self, volume: &Volume, spec: &MountSpec, fetched: Option<&Arc<Payload>>) {
        let now = UnixMillis::now();
        if let Some(payload) = fetched {
            volume.keeps(spec, payload, |bytes, instead| takes(&self.bytes, bytes, instead), now);
        }
        if volume.was_given(now, fetched.is_some()) {
            self.filled.notify_one();
        }
        self.save(volume);
    }

    /// What is remembered of the kubelet's request for the directory `target_path`.
    pub fn published(&self, target_path: &str) -> Option<RememberedRequest> {
        let volumes = self.volumes.lock();
        let volume = volumes
            .values()
            .find(|volume| volume.id().parameters.is_none() && volume.id().target_path == target_path)?;
        volume.held().published.clone()
    }

    pub(crate) fn remembers(&self, volume: &Volume) -> bool {
        let volumes = self.volumes.lock();
        volumes.get(volume.id()).is_some_and(|known| std::ptr::eq(&raw const **known, volume))
    }

    /// Every volume that is remembered.
    pub(crate) fn all(&self) -> Vec<Arc<Volume>> {
        self.volumes.lock().values().cloned().collect()
    }

    /// Takes in a volume of an earlier process.
    pub(crate) fn adopt(&self, volume: Volume) {
        self.volumes.lock().insert(volume.id().clone(), Arc::new(volume));
    }

    /// Lets go of a volume and of all that it has, unless a mount or a look is at work on it; tells whether it did.
    pub(crate) fn end(&self, volume: &Arc<Volume>) -> bool {
        let mut volumes = self.volumes.lock();
        // Here, in the sweep's list, and nowhere else.
        if Arc::strong_count(volume) > 2 {
            return false;
        }
        if volumes.get(volume.id()).is_some_and(|known| !Arc::ptr_eq(known, volume)) {
            return false;
        }
        volumes.remove(volume.id());
        drop(volumes);
        self.erase(&volume.id().record());
        true
    }

    /// At the end of the process: what the next one finds in its record is left to it; what hangs on a login that has no record runs to its TTL,
    /// and a login on which nothing hangs is given back.
    pub fn close(&self) {
        let kept = self.store.is_some();
        self.all().iter().for_each(|volume| self.save(volume));
        for session in self.all().iter().flat_map(|volume| volume.sessions()) {
            match (kept, session.leases() > 0) {
                (true, _) => session.ends_by(OnRelease::Persist),
                (false, true) => session.ends_by(OnRelease::LetExpire),
                (false, false) => {}
            }
        }
        self.closed.store(true, Ordering::Relaxed);
        self.volumes.lock().clear();
    }

    /// What the pods of `who` have together.
    pub(crate) fn group(&self, who: &LoginKey) -> Arc<IssuedCache> {
        let mut groups = self.groups.lock();
        let known = groups.get(who).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let shelf = Arc::default();
            groups.insert(who.clone(), Arc::downgrade(&shelf));
            shelf
        })
    }

    /// Whether an answer without a lease may be kept beside all others.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        bytes <= ENTRY && takes(&self.made, bytes, 0)
    }
}

/// Whether `kept` has room for so many bytes `instead` of some that are let go; then it holds them.
fn takes(kept: &AtomicUsize, bytes: usize, instead: usize) -> bool {
    let all = |kept: usize| kept.saturating_sub(instead).checked_add(bytes).filter(|all| *all <= BYTES);
    kept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, all).is_ok()
}

/// Every source that `objects` look at.
pub(crate) fn sources(objects: &[Object]) -> HashSet<&Source> {
    objects.iter().flat_map(Object::sources).collect()
}
