//! What was made for a volume and is still of use: certificates, answers of writes and texts of templates, which a republish must not
//! make anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::config::{AuthSpec, MountPath, MountSpec, Pod, ServerSpec, Source};
use crate::engine::{self, Fetched};
use crate::rotation::kept_for;
use crate::secret::Secret;

/// How long a volume is remembered that nobody asks about: far more than the driver's interval, and the keys of a pod that has ended must
/// not stay for ever.
const UNASKED: Duration = Duration::from_secs(3600);

/// Volumes that are remembered at a time, more than a node has.
const VOLUMES: usize = 4096;

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

/// A template's text, and what it was written from.
struct Text {
    inputs: Digest,
    text: Arc<Secret>,
}

/// SHA-256 of everything that a template's text depends on.
pub(super) type Digest = [u8; 32];

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
        let volume =
            Volume { target_path: spec.target_path.clone(), pod: spec.pod.clone(), server: spec.server.clone(), auth: spec.auth.clone() };
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
        self.remember(now, |remembered| drop(remembered.answers.insert(source.clone(), made)));
    }

    /// The text of the template `name`, when it was written from the same `inputs`.
    pub(super) fn text(&self, name: &MountPath, inputs: &Digest) -> Option<Arc<Secret>> {
        let volumes = self.kept.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = volumes.get(&self.volume)?.texts.get(name)?;
        (kept.inputs == *inputs).then(|| Arc::clone(&kept.text))
    }

    /// Keeps a template's text until its inputs change.
    pub(super) fn keep_text(&self, name: &MountPath, inputs: Digest, text: &Arc<Secret>) {
        let text = Text { inputs, text: Arc::clone(text) };
        self.remember(Instant::now(), |remembered| drop(remembered.texts.insert(name.clone(), text)));
    }

    fn remember(&self, now: Instant, change: impl FnOnce(&mut Remembered)) {
        let mut volumes = self.kept.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        volumes.retain(|_, remembered| now < remembered.asked + UNASKED);
        if volumes.len() < VOLUMES || volumes.contains_key(&self.volume) {
            let new = || Remembered { asked: now, answers: HashMap::new(), texts: HashMap::new() };
            let remembered = volumes.entry(self.volume.clone()).or_insert_with(new);
            remembered.asked = now;
            change(remembered);
        }
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
        shelf(&kept, "one").keep_text(&name, [1; 32], &Arc::new(Secret::from("text")));
        assert!(shelf(&kept, "one").text(&name, &[1; 32]).is_some_and(|text| text.expose() == b"text"));
        assert!(shelf(&kept, "one").text(&name, &[2; 32]).is_none(), "other inputs");
        assert!(shelf(&kept, "two").text(&name, &[1; 32]).is_none(), "another pod");
        assert!(shelf(&kept, "one").text(&"other.conf".parse().unwrap(), &[1; 32]).is_none(), "another file");
    }

    #[tokio::test(start_paused = true)]
    async fn a_volume_that_nobody_asks_about_is_forgotten() {
        let (kept, name) = (Kept::default(), "app.conf".parse().unwrap());
        shelf(&kept, "ended").keep_text(&name, [1; 32], &Arc::new(Secret::from("text")));
        tokio::time::advance(UNASKED).await;
        shelf(&kept, "new").keep_text(&name, [1; 32], &Arc::new(Secret::from("text")));
        assert!(shelf(&kept, "ended").text(&name, &[1; 32]).is_none());
    }
}
