//! What all mounts of the process share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::pod_token::PodTokenSource;
use super::templates::CheckedTemplates;
use crate::limits::limiter::FairLimiter;
use crate::limits::{AdmissionConfig, MemoryQuota};
use crate::payload::VersionKey;
use crate::telemetry::log_throttle::LogThrottle;
use crate::tokens::Logins;
use crate::vault::Vaults;
use crate::volume::{VolumeConfig, Volumes};

/// What all mounts of the process share, by every socket.
pub(crate) struct Services {
    /// The state of every volume of the node.
    pub(crate) volumes: Arc<Volumes>,
    /// The servers.
    pub(super) vaults: Vaults,
    /// Where the tokens of pods come from.
    pub(super) pod_tokens: PodTokenSource,
    /// The key of all object versions.
    pub(super) version_key: VersionKey,
    /// Limits the mounts that run at the same time.
    pub(super) admission: FairLimiter,
    /// The memory for responses in flight.
    pub(super) memory: Arc<MemoryQuota>,
    /// Templates whose syntax has been checked.
    pub(super) checked_templates: CheckedTemplates,
    pub(super) log_throttle: LogThrottle,
    /// Tasks that a shutdown waits for.
    pub(super) tasks: TaskTracker,
    /// Cancelled when the process shuts down.
    pub(super) shutdown: CancellationToken,
    mounts: AtomicU64,
}

impl Services {
    /// The services of a process that has not served a mount yet.
    pub(crate) fn new(
        vaults: Vaults,
        pod_tokens: PodTokenSource,
        version_key: VersionKey,
        admission: AdmissionConfig,
        volumes: VolumeConfig,
    ) -> Self {
        let tasks = TaskTracker::new();
        let logins = Logins::new(vaults.clone(), volumes.store.clone(), &tasks);
        Self {
            volumes: Arc::new(Volumes::new(logins, volumes, version_key.clone())),
            vaults,
            pod_tokens,
            version_key,
            admission: FairLimiter::new(admission.mounts, admission.mounts_per_namespace),
            memory: MemoryQuota::of_process(),
            checked_templates: CheckedTemplates::default(),
            log_throttle: LogThrottle::default(),
            tasks,
            shutdown: CancellationToken::new(),
            mounts: AtomicU64::new(0),
        }
    }

    /// A number that no other mount of this process has.
    pub(super) fn next_mount_id(&self) -> u64 {
        self.mounts.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits until every mount has ended and every token that is no longer needed is revoked.
    pub(crate) async fn drain(&self) {
        self.shutdown.cancel();
        self.volumes.close();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
