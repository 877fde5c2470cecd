//! Checks every few seconds which volumes have ended, and removes them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::FutureExt;
use metrics::counter;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, info};

use super::liveness::{LivenessCheck, LivenessVerdict};
use super::mountinfo::MountPoints;
use super::{Volume, Volumes};
use crate::kube::pods::NodePods;
use crate::limits::Period;
use crate::renewal::{UnixMillis, is_forgotten};
use crate::supervise::supervise;
use crate::tokens::OnRelease;

/// Time between two checks.
const EVERY: Period = Period::of(Duration::from_secs(5));

/// Time from the first publish of a volume to a check of its own: its pod may be deleted before the next regular check.
const SOON: Duration = Duration::from_millis(250);

/// How long a volume that lives wants its tokens. Every check extends it.
const SEEN: Duration = Duration::from_secs(60);

/// Time without a request after which a volume that never was published is removed: longer than the kubelet's longest pause.
const GIVEN_UP: Duration = Duration::from_secs(150);

impl Volumes {
    /// Checks the volumes, follows the pods and posts events, until the process ends.
    pub(crate) async fn watch(self: Arc<Self>) {
        // The records of an earlier process have been read by now, and no list of pods is older than they are.
        let reaper =
            supervise("volume-sweep", Arc::clone(&self), |volumes| volumes.check_regularly().boxed());
        let follow = supervise("pod-watch", Arc::clone(&self), |volumes| volumes.follow_pods().boxed());
        let post = supervise("pod-events", Arc::clone(&self), |volumes| volumes.post_events().boxed());
        tokio::join!(reaper, follow, post);
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

    async fn check_regularly(&self) {
        let mut next = Instant::now();
        loop {
            tokio::select! {
                () = sleep_until(next) => {}
                () = self.first_published.notified() => sleep(SOON).await,
            }
            self.check();
            next = Instant::now() + EVERY.pause(rand::random());
        }
    }

    /// Checks all volumes once. Removes those that have ended, which revokes the tokens that no other volume uses.
    fn check(&self) {
        let now = UnixMillis::now();
        let mounts =
            self.root.as_ref().and_then(|_| MountPoints::read().inspect_err(|error| debug!("{error}")).ok());
        let by_mounts = mounts
            .as_ref()
            .zip(self.root.as_deref())
            .and_then(|(mounts, root)| LivenessCheck::of_mounts(mounts, root, now));
        let pods = self.pods.as_ref().and_then(NodePods::known);
        let by_pods = pods.as_ref().map(|pods| LivenessCheck::of_pods(pods, now));
        let checks: Vec<_> = by_mounts.into_iter().chain(by_pods).collect();
        let volumes = self.all();
        // After the list was taken: `close` sets `closed` before it empties the list, so an empty list is never taken for the end of all volumes.
        if self.closed.load(Ordering::Relaxed) {
            return;
        }
        for volume in &volumes {
            volume.observe(&checks);
            self.judge(volume, now);
        }
        self.content_bytes.store(volumes.iter().map(|volume| volume.bytes()).sum(), Ordering::Relaxed);
        self.issued_bytes.store(volumes.iter().map(|volume| volume.issued.bytes()).sum(), Ordering::Relaxed);
        self.remove_empty_groups();
        self.set_gauges(now);
        self.logins.remove_old();
    }

    fn judge(&self, volume: &Arc<Volume>, now: UnixMillis) {
        let (requested_at, is_published) = {
            let state = volume.state();
            (state.requested_at, state.is_published)
        };
        match volume.verdict() {
            // No pod ever had any of its files, so a time without requests is enough.
            LivenessVerdict::Nothing
                if !is_published && requested_at.is_none_or(|at| now.since(at) > GIVEN_UP) =>
            {
                self.remove_ended(volume, "never_filled");
            }
            LivenessVerdict::Unmounted => self.revoke(volume, "unmounted"),
            LivenessVerdict::PodDeleted => self.revoke(volume, "pod_deleted"),
            LivenessVerdict::Lives => {
                volume.drop_expired(now);
                volume.want_tokens_until(now + SEEN);
                self.save(volume);
            }
            // Its pod may still be running, so what was issued for it expires with its TTL.
            LivenessVerdict::Nothing if requested_at.is_none_or(|at| is_forgotten(at, now)) => {
                let tokens = volume.tokens();
                let leasing = tokens.iter().filter(|token| token.lease_count() > 0);
                leasing.for_each(|token| token.set_on_release(OnRelease::LetExpire));
                drop(tokens);
                self.remove_ended(volume, "forgotten");
            }
            LivenessVerdict::Nothing => {
                volume.drop_expired(now);
                self.save(volume);
            }
        }
    }

    fn revoke(&self, volume: &Arc<Volume>, how: &'static str) {
        volume.tokens().iter().for_each(|token| token.set_on_release(OnRelease::Revoke));
        if self.remove_ended(volume, how) {
            let pod = &volume.id().pod;
            info!(how, pod.uid, pod.name, "the volume has ended");
        }
    }

    /// Removes a volume and counts it. Returns whether it was removed; otherwise the next check tries again.
    fn remove_ended(&self, volume: &Arc<Volume>, how: &'static str) -> bool {
        let is_removed = self.remove(volume);
        if is_removed {
            counter!("vaultmount_volumes_ended_total", "how" => how).increment(1);
        }
        is_removed
    }
}
