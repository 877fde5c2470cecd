//! The look around every few seconds: which volumes have ended, which live on, and what is to be forgotten.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::FutureExt;
use metrics::counter;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{debug, info};

use super::{Volume, Volumes};
use crate::kube::pods::NodePods;
use crate::renewal::{UnixMillis, is_forgotten};
use crate::supervise::supervise;
use crate::tokens::OnRelease;
use crate::volume::liveness::{LivenessCheck, LivenessVerdict};
use crate::volume::mountinfo::MountPoints;

/// Longest time between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// Time from the first of some new volumes to a look of their own: a pod may be gone before the next comes.
const SOON: Duration = Duration::from_millis(250);

/// How long a volume that is seen to live wants its logins, until the next looks say so again.
const SEEN: Duration = Duration::from_secs(60);

/// Silence after which nobody wants to fill a volume any more that never was: longer than the kubelet's longest pause.
const GIVEN_UP: Duration = Duration::from_secs(150);

impl Volumes {
    /// Looks around for as long as the process lives.
    pub async fn watch(self: Arc<Self>) {
        // Here and not sooner: what an earlier process left is known by now, and no list of pods is older than that.
        let sweeps = supervise("volume-sweep", Arc::clone(&self), |volumes| volumes.sweeps().boxed());
        let follow = supervise("pod-watch", Arc::clone(&self), |volumes| volumes.follow_pods().boxed());
        let post = supervise("pod-events", Arc::clone(&self), |volumes| volumes.post_events().boxed());
        tokio::join!(sweeps, follow, post);
    }

    async fn follow_pods(&self) {
        if let Some(pods) = &self.pods {
            pods.follow().await;
        }
    }

    async fn post_events(&self) {
        if let Some(events) = &self.events {
            events.run().await;
        }
    }

    async fn sweeps(&self) {
        let mut pace = interval(EVERY);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = pace.tick() => {}
                () = self.filled.notified() => sleep(SOON).await,
            }
            self.sweep();
        }
    }

    /// One look: what has ended is let go, which gives back the logins that nobody else holds.
    fn sweep(&self) {
        let now = UnixMillis::now();
        let mounts =
            self.root.as_ref().and_then(|_| MountPoints::read().inspect_err(|error| debug!("{error}")).ok());
        let at_mounts = mounts
            .as_ref()
            .zip(self.root.as_deref())
            .and_then(|(mounts, root)| LivenessCheck::at_mounts(mounts, root, now));
        let pods = self.pods.as_ref().and_then(NodePods::known);
        let looks: Vec<_> = at_mounts
            .into_iter()
            .chain(pods.as_ref().map(|pods| LivenessCheck::at_pods(pods, now)))
            .collect();
        let volumes = self.all();
        // In this order: whoever finds none there any more finds it closed.
        if self.closed.load(Ordering::Relaxed) {
            return;
        }
        for volume in &volumes {
            volume.looked_for(&looks);
            self.judge(volume, now);
        }
        self.bytes.store(volumes.iter().map(|volume| volume.bytes()).sum(), Ordering::Relaxed);
        self.made.store(volumes.iter().map(|volume| volume.shelf.bytes()).sum(), Ordering::Relaxed);
        self.forget_groups();
        self.count(now);
        self.logins.forget();
    }

    fn judge(&self, volume: &Arc<Volume>, now: UnixMillis) {
        let (asked, answered) = {
            let held = volume.held();
            (held.asked, held.answered)
        };
        match volume.known() {
            // No pod ever had anything of it, so silence is enough.
            LivenessVerdict::Nothing
                if !answered && asked.is_none_or(|asked| now.since(asked) > GIVEN_UP) =>
            {
                self.let_go(volume, "never_filled");
            }
            LivenessVerdict::Unmounted => self.revoke(volume, "unmounted"),
            LivenessVerdict::PodDeleted => self.revoke(volume, "pod_deleted"),
            LivenessVerdict::Lives => {
                volume.tidy(now);
                volume.wants(now + SEEN);
                self.save(volume);
            }
            // Nobody knows whether its pod lives: what it has runs to its TTL.
            LivenessVerdict::Nothing if asked.is_none_or(|asked| is_forgotten(asked, now)) => {
                volume
                    .sessions()
                    .iter()
                    .filter(|session| session.leases() > 0)
                    .for_each(|session| session.ends_by(OnRelease::LetExpire));
                self.let_go(volume, "forgotten");
            }
            LivenessVerdict::Nothing => {
                volume.tidy(now);
                self.save(volume);
            }
        }
    }

    fn revoke(&self, volume: &Arc<Volume>, how: &'static str) {
        volume.sessions().iter().for_each(|session| session.ends_by(OnRelease::Revoke));
        if self.let_go(volume, how) {
            info!(
                how,
                pod.uid = volume.id().pod.uid,
                pod.name = volume.id().pod.name,
                "the volume has ended"
            );
        }
    }

    /// Tells whether it is gone; else the next look tries again.
    fn let_go(&self, volume: &Arc<Volume>, how: &'static str) -> bool {
        let is_gone = self.end(volume);
        if is_gone {
            counter!("vaultmount_volumes_ended_total", "how" => how).increment(1);
        }
        is_gone
    }
}
