//! The look around every few seconds: which volumes have ended, which live on, and what is to be forgotten.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use metrics::counter;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info};

use super::mountinfo::MountPoints;
use super::presence::{Look, Presence};
use super::{Volume, Volumes};
use crate::logins::Ending;
use crate::rotation::{Moment, is_forgotten};

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// How long a volume whose mount is seen wants its logins, until the next looks say so again.
const SEEN: Duration = Duration::from_secs(60);

/// Silence after which nobody wants to fill a volume any more that never was: longer than the kubelet's longest pause.
const GIVEN_UP: Duration = Duration::from_secs(150);

impl Volumes {
    /// Looks around for as long as the process lives.
    pub async fn watch(self: Arc<Self>) {
        let mut pace = interval(EVERY);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            self.sweep();
        }
    }

    /// One look: what has ended is let go, which gives back the logins that nobody else holds.
    fn sweep(&self) {
        let now = Moment::now();
        let mounts = self.root.as_ref().and_then(|_| MountPoints::read().inspect_err(|error| debug!("{error}")).ok());
        let look = mounts.as_ref().zip(self.root.as_deref()).and_then(|(mounts, root)| Look::of(mounts, root, now));
        let volumes: Vec<_> = self.all();
        for volume in &volumes {
            if let Some(look) = &look {
                let mut held = volume.held();
                held.presence = std::mem::take(&mut held.presence).after(look, Path::new(&volume.id().target_path));
            }
            self.judge(volume, now);
        }
        self.bytes.store(volumes.iter().map(|volume| volume.bytes()).sum(), Ordering::Relaxed);
        self.count(now);
        self.logins.forget();
    }

    fn judge(&self, volume: &Arc<Volume>, now: Moment) {
        let (presence, asked, answered) = {
            let held = volume.held();
            (held.presence.clone(), held.asked, held.answered)
        };
        match presence {
            // No pod ever had anything of it, so silence is enough.
            Presence::Unknown if !answered && asked.is_none_or(|asked| now.since(asked) > GIVEN_UP) => {
                ended("never_filled");
                self.end(volume);
            }
            Presence::Gone => {
                volume.sessions().iter().for_each(|session| session.ends_by(Ending::Revoked));
                ended("unmounted");
                info!(pod.uid = volume.id().pod.uid, pod.name = volume.id().pod.name, "the volume has ended");
                self.end(volume);
            }
            Presence::Mounted(_) | Presence::Missing(..) | Presence::SeenBefore => {
                volume.tidy(now);
                volume.wants(now + SEEN);
                self.save(volume);
            }
            // Nobody knows whether its pod lives: what it has runs to its TTL.
            Presence::Unknown if asked.is_none_or(|asked| is_forgotten(asked, now)) => {
                volume.sessions().iter().for_each(|session| session.ends_by(Ending::Left));
                ended("forgotten");
                self.end(volume);
            }
            Presence::Unknown => {
                volume.tidy(now);
                self.save(volume);
            }
        }
    }
}

fn ended(how: &'static str) {
    counter!("vaultmount_volumes_ended_total", "how" => how).increment(1);
}
