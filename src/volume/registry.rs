//! The volumes of the node, until their end: their tokens, what was issued for them, and their last known good content.

use std::collections::HashMap;
use std::hash::RandomState;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Notify};
use tracing::debug;

use super::sharing::LearnedPaths;
use super::{Volume, VolumeId};
use crate::cache::issued::IssuedCache;
use crate::class::RememberedRequest;
use crate::error::{Failure, Reason};
use crate::kube::events::PodEvents;
use crate::kube::pods::NodePods;
use crate::mutex::Mutex;
use crate::payload::{Payload, VersionKey};
use crate::renewal::{Bounds, UnixMillis};
use crate::spec::MountSpec;
use crate::state::Store;
use crate::tokens::{LoginKey, Logins, OnRelease};
use crate::writer::Writer;

/// Volumes that are remembered at a time, more than a node has. Further volumes are served and not remembered.
const VOLUMES: usize = 4096;

/// Bytes of all last known good content and rendered templates, and as many of everything issued, so that neither takes the other's space.
/// Further content is not stored.
const BYTES: usize = 16 * 1024 * 1024;

/// Bytes of one stored response without a lease. Certificates are far smaller.
const ENTRY: usize = 256 * 1024;

/// Configuration of the volumes.
#[derive(Default)]
pub(crate) struct VolumeConfig {
    /// The ages between which a certificate is replaced.
    pub(crate) bounds: Bounds,
    /// Whether every read at the process's own server logs in by itself.
    pub(crate) inline: bool,
    /// How often what was issued is looked up at the server, to find out whether it was revoked; zero for never.
    pub(crate) check_revoked: Duration,
    /// The kubelet's `pods` directory: unmounted volumes are noticed there, and vaultmount writes volumes below it.
    pub(crate) root: Option<PathBuf>,
    /// The pods of the node, by which deleted pods are noticed.
    pub(crate) pods: Option<NodePods>,
    /// Events on pods whose files have changed.
    pub(crate) events: Option<PodEvents>,
    /// Records that survive a restart.
    pub(crate) store: Option<Arc<Store>>,
}

/// The volumes of a node.
pub(crate) struct Volumes {
    pub(crate) logins: Logins,
    pub(crate) learned_paths: LearnedPaths,
    pub(crate) bounds: Bounds,
    pub(crate) inline: bool,
    pub(crate) check_revoked: Duration,
    pub(crate) root: Option<PathBuf>,
    pub(crate) writer: Option<Writer>,
    /// Only one volume is written at a time. It cannot be unmounted meanwhile, so its write must not compete with others for a processor.
    pub(crate) write_lock: AsyncMutex<()>,
    pub(crate) pods: Option<NodePods>,
    pub(crate) events: Option<PodEvents>,
    pub(crate) store: Option<Arc<Store>>,
    volumes: Mutex<HashMap<VolumeId, Arc<Volume>>>,
    pub(crate) groups: Mutex<HashMap<LoginKey, Weak<IssuedCache>>>,
    /// Bytes of content, about: increased with every payload, and counted exactly by the reaper.
    pub(crate) content_bytes: AtomicUsize,
    /// Bytes of everything issued, in the same way.
    pub(crate) issued_bytes: AtomicUsize,
    /// Set at shutdown. A volume dropped after this is still in use by its pod, so its token must not be revoked.
    pub(crate) closed: AtomicBool,
    /// Notified when a volume is published for the first time.
    pub(crate) first_published: Notify,
    /// Notified when something is due at another time than before.
    pub(crate) rescheduled: Notify,
    /// Spreads polls over the time between them, differently on each node.
    pub(crate) seed: RandomState,
}

impl Volumes {
    /// No volumes yet. `key` makes the fingerprints of files that vaultmount wrote and may not read.
    pub(crate) fn new(logins: Logins, config: VolumeConfig, key: VersionKey) -> Self {
        let VolumeConfig { bounds, inline, check_revoked, root, pods, events, store } = config;
        Self {
            logins,
            learned_paths: LearnedPaths::default(),
            bounds,
            inline,
            check_revoked,
            writer: root.as_deref().map(|root| Writer::new(root, key)),
            root,
            write_lock: AsyncMutex::default(),
            pods,
            events,
            store,
            volumes: Mutex::default(),
            groups: Mutex::default(),
            content_bytes: AtomicUsize::new(0),
            issued_bytes: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            first_published: Notify::new(),
            rescheduled: Notify::new(),
            seed: RandomState::new(),
        }
    }

    /// The volume of `spec`: a known one, or a new one.
    pub(crate) fn open(&self, spec: &MountSpec) -> Arc<Volume> {
        let id = VolumeId::of(spec);
        let mut volumes = self.volumes.lock();
        if volumes.len() >= VOLUMES && !volumes.contains_key(&id) {
            debug!("too many volumes: no state is stored for this one");
            return Arc::new(Volume::new(id));
        }
        // A volume that ended while a mount was working on it belongs to that mount; the path has a new volume from now on.
        if volumes.get(&id).is_some_and(|volume| volume.verdict().is_end()) {
            volumes.remove(&id);
        }
        Arc::clone(volumes.entry(id.clone()).or_insert_with(|| Arc::new(Volume::new(id))))
    }

    /// The last known good content of `volume` after `failure`, if the failure is passing. A definite refusal drops the content, and is returned.
    pub(crate) fn fall_back(
        &self,
        volume: &Volume,
        spec: &MountSpec,
        failure: Failure,
    ) -> Result<Arc<Payload>, Failure> {
        let was_fresh = std::mem::replace(&mut volume.state().is_fresh, false);
        let outcome = match failure.reason {
            reason if reason.is_passing() => {
                let now = UnixMillis::now();
                volume
                    .fall_back(spec, now, &failure, was_fresh)
                    .ok_or_else(|| volume.explain_no_fallback(failure, now))
            }
            // A missing service account token says nothing about the content.
            Reason::TokenMissing => Err(failure),
            _ => {
                volume.state().last_known_good = None;
                Err(failure)
            }
        };
        // Although the mount failed, the next process must not have issued again what was issued.
        self.save(volume);
        outcome
    }

    /// Records that the pod has the files of `volume`, or will have them once the driver has the response: those that were `fetched`, or the last
    /// known good content.
    ///
    /// Writes the volume's record before the response: a process that is killed afterwards leaves nothing unrecorded, and the next process does
    /// not take the volume for one that never was published.
    pub(crate) fn record_published(&self, volume: &Volume, spec: &MountSpec, fetched: Option<&Arc<Payload>>) {
        if let Some(payload) = fetched {
            let reserve = |bytes, instead| reserve(&self.content_bytes, bytes, instead);
            volume.set_fetched(spec, payload, reserve, UnixMillis::now());
        }
        if volume.set_published() {
            self.first_published.notify_one();
        }
        self.save(volume);
    }

    /// The kubelet's own request for the directory `target_path`, as far as it is remembered.
    pub(crate) fn remembered_request(&self, target_path: &str) -> Option<RememberedRequest> {
        let volumes = self.volumes.lock();
        let is_wanted = |id: &VolumeId| id.parameters.is_none() && id.target_path == target_path;
        let volume = volumes.values().find(|volume| is_wanted(volume.id()))?;
        volume.state().published.clone()
    }

    /// Whether `volume` is the current volume of its id.
    pub(crate) fn contains(&self, volume: &Volume) -> bool {
        let volumes = self.volumes.lock();
        volumes.get(volume.id()).is_some_and(|known| std::ptr::eq(&raw const **known, volume))
    }

    /// Every volume.
    pub(crate) fn all(&self) -> Vec<Arc<Volume>> {
        self.volumes.lock().values().cloned().collect()
    }

    /// Adds a volume of an earlier process.
    pub(crate) fn insert(&self, volume: Volume) {
        self.volumes.lock().insert(volume.id().clone(), Arc::new(volume));
    }

    /// Removes a volume with its record, unless a mount or poll is working on it. Returns whether it was removed.
    pub(crate) fn remove(&self, volume: &Arc<Volume>) -> bool {
        let mut volumes = self.volumes.lock();
        // One reference is in the map, and one in the reaper's list.
        if Arc::strong_count(volume) > 2 {
            return false;
        }
        if volumes.get(volume.id()).is_some_and(|known| !Arc::ptr_eq(known, volume)) {
            return false;
        }
        volumes.remove(volume.id());
        drop(volumes);
        self.remove_record(&volume.id().record());
        true
    }

    /// Shuts down. Tokens with a record stay for the next process. Without records, tokens with leases expire with their TTL, and the others are
    /// revoked.
    pub(crate) fn close(&self) {
        let on_release = if self.store.is_some() { OnRelease::Persist } else { OnRelease::LetExpire };
        let volumes = self.all();
        volumes.iter().for_each(|volume| self.save(volume));
        for token in volumes.iter().flat_map(|volume| volume.tokens()) {
            if on_release == OnRelease::Persist || token.lease_count() > 0 {
                token.set_on_release(on_release);
            }
        }
        self.closed.store(true, Ordering::Relaxed);
        self.logins.close();
        self.volumes.lock().clear();
    }

    /// What the pods of `key` share.
    pub(crate) fn group_cache(&self, key: &LoginKey) -> Arc<IssuedCache> {
        let mut groups = self.groups.lock();
        let known = groups.get(key).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let cache = Arc::default();
            groups.insert(key.clone(), Arc::downgrade(&cache));
            cache
        })
    }

    /// Reserves space for a response without a lease. Returns whether there is space.
    pub(crate) fn reserve_issued(&self, bytes: usize) -> bool {
        bytes <= ENTRY && reserve(&self.issued_bytes, bytes, 0)
    }
}

/// Replaces the bytes `instead` in `reserved` by `bytes` if there is space. Returns whether there is.
fn reserve(reserved: &AtomicUsize, bytes: usize, instead: usize) -> bool {
    let all =
        |reserved: usize| reserved.saturating_sub(instead).checked_add(bytes).filter(|all| *all <= BYTES);
    reserved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, all).is_ok()
}
