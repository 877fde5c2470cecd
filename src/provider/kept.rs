//! What was made for a volume and is still of use: certificates, answers of writes and texts of templates, which a republish must not
//! make anew.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::counter;
use tokio::time::Instant;
use tracing::debug;

use crate::config::{AuthSpec, MountPath, MountSpec, Object, Pod, ServerSpec, Source};
use crate::engine::{self, Fetched, Miss};
use crate::rotation::{Life, kept_for};
use crate::secret::Secret;

/// How long a volume is remembered that nobody asks about: far more than the driver's interval, and the keys of a pod that has ended must
/// not stay for ever.
const UNASKED: Duration = Duration::from_secs(3600);

/// Volumes that are remembered at a time, more than a node has.
const VOLUMES: usize = 4096;

/// Bytes of one thing that is kept: certificates and configuration files are far below.
const ENTRY: usize = 256 * 1024;

/// Bytes of all that is kept.
const BYTES: usize = 16 * 1024 * 1024;

/// How long a template's failure is believed.
const FAILED: Duration = Duration::from_secs(300);

/// Whose answers they are, and from where: nothing is shared between two of them. The target tells a pod's volumes apart; the class's name
/// would not be the same every time, for the rotation loop of driver 1.5 sends none.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Volume {
    target_path: String,
    pod: Pod,
    server: ServerSpec,
    auth: AuthSpec,
}

/// What is kept of all volumes.
#[derive(Default)]
pub(super) struct Kept {
    volumes: Mutex<HashMap<Volume, Remembered>>,
}

struct Remembered {
    asked: Instant,
    answers: HashMap<Source, Made>,
    texts: HashMap<MountPath, Text>,
}

/// An answer, when it came by either clock, and how long what it holds is of use.
struct Made {
    fetched: Arc<Fetched>,
    at: Instant,
    unix: i64,
    life: Life,
}

impl Made {
    fn is_of_use(&self, now: Instant, refresh: Duration) -> bool {
        now.duration_since(self.at) < kept_for(self.life, self.unix, refresh)
    }
}

/// What came of a template, and what it was written from.
struct Text {
    inputs: Digest,
    outcome: Result<Arc<Secret>, Miss>,
    at: Instant,
}

impl Remembered {
    fn bytes(&self) -> usize {
        let texts = self.texts.values().filter_map(|text| text.outcome.as_ref().ok()).map(|text| text.len());
        self.answers.values().map(|made| made.fetched.weight()).chain(texts).sum()
    }
}

/// SHA-256 of everything that a template's text depends on.
pub(super) type Digest = [u8; 32];

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
        let volume =
            Volume { target_path: spec.target_path.clone(), pod: spec.pod.clone(), server: spec.server.clone(), auth: spec.auth.clone() };
        Shelf { kept: self, volume, refresh: spec.refreshes.class(), found: AtomicUsize::new(0) }
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
        counter!("vaultmount_answers_kept_total").increment(1);
        Some(Arc::clone(fetched))
    }

    /// How many answers it had.
    pub(super) fn found(&self) -> usize {
        self.found.load(Ordering::Relaxed)
    }

    /// Keeps what was made, for as long as it says or for the volume's `refresh`.
    pub(super) fn keep(&self, source: &Source, fetched: &Arc<Fetched>) {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
        if let Some(life) = engine::life(source, fetched, unix) {
            let made = Made { fetched: Arc::clone(fetched), at: Instant::now(), unix, life };
            self.remember(fetched.weight(), |remembered| drop(remembered.answers.insert(source.clone(), made)));
        }
    }

    /// What came of the template `name`, when it was written from the same `inputs`; a failure counts for a while, lest a template that
    /// takes all of its second takes it again at every try.
    pub(super) fn text(&self, name: &MountPath, inputs: &Digest) -> Option<Result<Arc<Secret>, Miss>> {
        let volumes = self.kept.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = volumes.get(&self.volume)?.texts.get(name)?;
        let counts = kept.outcome.is_ok() || kept.at.elapsed() < FAILED;
        (counts && kept.inputs == *inputs).then(|| kept.outcome.clone())
    }

    /// Keeps what came of a template until its inputs change.
    pub(super) fn keep_text(&self, name: &MountPath, inputs: Digest, outcome: &Result<Arc<Secret>, Miss>) {
        let text = Text { inputs, outcome: outcome.clone(), at: Instant::now() };
        let bytes = outcome.as_ref().map_or(0, |text| text.len());
        self.remember(bytes, |remembered| drop(remembered.texts.insert(name.clone(), text)));
    }

    /// Forgets what the class no longer asks for.
    pub(super) fn only(&self, objects: &[Object]) {
        let mut volumes = self.kept.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(remembered) = volumes.get_mut(&self.volume) else { return };
        let sources: HashSet<&Source> = objects.iter().flat_map(Object::sources).collect();
        remembered.answers.retain(|source, _| sources.contains(source));
        remembered.texts.retain(|name, _| objects.iter().any(|object| object.file() == Some(name)));
    }

    /// Changes what is remembered of the volume, if `bytes` more are not too much.
    fn remember(&self, bytes: usize, change: impl FnOnce(&mut Remembered)) {
        let now = Instant::now();
        let mut volumes = self.kept.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        volumes.retain(|_, remembered| now.duration_since(remembered.asked) < UNASKED);
        let all: usize = volumes.values().map(Remembered::bytes).sum();
        let full = volumes.len() >= VOLUMES && !volumes.contains_key(&self.volume);
        if full || bytes > ENTRY || all + bytes > BYTES {
            debug!(bytes, "not kept: made anew at the next question");
            return;
        }
        let new = || Remembered { asked: now, answers: HashMap::new(), texts: HashMap::new() };
        let remembered = volumes.entry(self.volume.clone()).or_insert_with(new);
        remembered.asked = now;
        change(remembered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TlsSpec;

    fn shelf<'k>(kept: &'k Kept, uid: &str) -> Shelf<'k> {
        let pod = Pod { namespace: "team-a".into(), name: "web".into(), uid: uid.into(), service_account: "web".into() };
        let address = "https://vault.example:8200".parse().unwrap();
        let server = ServerSpec { address, configured: true, namespace: None, tls: TlsSpec::default() };
        let auth = AuthSpec { mount: "kubernetes".into(), role: "web".into(), audience: None };
        let volume = Volume { target_path: "/pods/mount".into(), pod, server, auth };
        Shelf { kept, volume, refresh: Duration::ZERO, found: AtomicUsize::new(0) }
    }

    #[tokio::test]
    async fn a_templates_text_is_that_of_its_volume_and_its_inputs() {
        let (kept, name) = (Kept::default(), "app.conf".parse().unwrap());
        shelf(&kept, "one").keep_text(&name, [1; 32], &Ok(Arc::new(Secret::from("text"))));
        assert!(shelf(&kept, "one").text(&name, &[1; 32]).is_some_and(|text| text.is_ok_and(|text| text.expose() == b"text")));
        assert!(shelf(&kept, "one").text(&name, &[2; 32]).is_none(), "other inputs");
        assert!(shelf(&kept, "two").text(&name, &[1; 32]).is_none(), "another pod");
        assert!(shelf(&kept, "one").text(&"other.conf".parse().unwrap(), &[1; 32]).is_none(), "another file");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_believed_for_five_minutes() {
        let (kept, name) = (Kept::default(), "app.conf".parse().unwrap());
        let failed = Err(Miss { reason: crate::error::Reason::RenderFailed, what: "too much".into() });
        shelf(&kept, "one").keep_text(&name, [1; 32], &failed);
        assert!(shelf(&kept, "one").text(&name, &[1; 32]).is_some_and(|outcome| outcome.is_err()));
        tokio::time::advance(FAILED).await;
        assert!(shelf(&kept, "one").text(&name, &[1; 32]).is_none());
    }

    #[tokio::test]
    async fn what_is_large_is_not_kept() {
        let (kept, name) = (Kept::default(), "app.conf".parse().unwrap());
        shelf(&kept, "one").keep_text(&name, [1; 32], &Ok(Arc::new(Secret::from(vec![0; ENTRY + 1]))));
        assert!(shelf(&kept, "one").text(&name, &[1; 32]).is_none());
        for pod in 0..=BYTES / ENTRY {
            shelf(&kept, &pod.to_string()).keep_text(&name, [1; 32], &Ok(Arc::new(Secret::from(vec![0; ENTRY]))));
        }
        assert!(shelf(&kept, &(BYTES / ENTRY).to_string()).text(&name, &[1; 32]).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_volume_that_nobody_asks_about_is_forgotten() {
        let (kept, name) = (Kept::default(), "app.conf".parse().unwrap());
        shelf(&kept, "ended").keep_text(&name, [1; 32], &Ok(Arc::new(Secret::from("text"))));
        tokio::time::advance(UNASKED).await;
        shelf(&kept, "new").keep_text(&name, [1; 32], &Ok(Arc::new(Secret::from("text"))));
        assert!(shelf(&kept, "ended").text(&name, &[1; 32]).is_none());
    }
}
