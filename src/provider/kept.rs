//! What was made for a volume and is still of use: certificates and answers of writes, which a republish must not make anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::config::{AuthSpec, MountSpec, Pod, ServerSpec, Source};
use crate::engine::{self, Fetched};
use crate::rotation::kept_for;

/// How long a volume is remembered that nobody asks about: far more than the driver's interval, and the keys of a pod that has ended must
/// not stay for ever.
const UNASKED: Duration = Duration::from_secs(3600);

/// Volumes that are remembered at a time, more than a node has.
const VOLUMES: usize = 4096;

/// Whose answers they are, and from where: nothing is shared between two of them.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Volume {
    target_path: String,
    pod: Pod,
    server: ServerSpec,
    auth: AuthSpec,
    class: Option<String>,
}

/// What is kept of all volumes.
#[derive(Default)]
pub(super) struct Kept {
    volumes: Mutex<HashMap<Volume, Remembered>>,
}

struct Remembered {
    asked: Instant,
    answers: HashMap<Source, Made>,
}

/// An answer, when it came by either clock, and when what it holds ends (Unix seconds).
struct Made {
    fetched: Arc<Fetched>,
    at: Instant,
    unix: i64,
    end: Option<i64>,
}

impl Made {
    fn is_of_use(&self, now: Instant, refresh: Duration) -> bool {
        now < self.at + kept_for(self.end, self.unix, refresh)
    }
}

/// What is kept of one volume.
pub(super) struct Shelf<'k> {
    kept: &'k Kept,
    volume: Volume,
    refresh: Duration,
    found: AtomicUsize,
}

impl Kept {
    /// The shelf of the volume that `spec` is for.
    pub(super) fn of(&self, spec: &MountSpec) -> Shelf<'_> {
        let volume = Volume {
            target_path: spec.target_path.clone(),
            pod: spec.pod.clone(),
            server: spec.server.clone(),
            auth: spec.auth.clone(),
            class: spec.class.clone(),
        };
        Shelf { kept: self, volume, refresh: spec.refresh, found: AtomicUsize::new(0) }
    }
}

impl Shelf<'_> {
    /// What `source` gave, when it is still of use.
    pub(super) fn get(&self, source: &Source) -> Option<Arc<Fetched>> {
        let now = Instant::now();
        let mut volumes = self.kept.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = volumes.get_mut(&self.volume)?;
        remembered.asked = now;
        remembered.answers.retain(|_, made| made.is_of_use(now, self.refresh));
        let fetched = &remembered.answers.get(source)?.fetched;
        self.found.fetch_add(1, Ordering::Relaxed);
        Some(Arc::clone(fetched))
    }

    /// How many answers it had.
    pub(super) fn found(&self) -> usize {
        self.found.load(Ordering::Relaxed)
    }

    /// Keeps what was made, for as long as it says or for the volume's `refresh`. What is leased is none of this room's: it ends with its
    /// lease.
    pub(super) fn keep(&self, source: &Source, fetched: &Arc<Fetched>) {
        if !engine::creates(source) || fetched.is_leased() {
            return;
        }
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
        let now = Instant::now();
        let made = Made { fetched: Arc::clone(fetched), at: now, unix, end: engine::end(fetched, unix) };
        let mut volumes = self.kept.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        volumes.retain(|_, remembered| now < remembered.asked + UNASKED);
        if volumes.len() < VOLUMES || volumes.contains_key(&self.volume) {
            let remembered = volumes.entry(self.volume.clone()).or_insert_with(|| Remembered { asked: now, answers: HashMap::new() });
            remembered.answers.insert(source.clone(), made);
        }
    }
}
