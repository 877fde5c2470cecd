//! Requests in, answers out: each mount is a task of its own, ends in time, and keeps its panics to itself.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use metrics::gauge;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};
use tracing::Instrument;

use super::MountOutcome;
use super::{PodTokenSource, report};
use crate::class::Defaults;
use crate::error::{Failure, Reason};
use crate::limits::AdmissionConfig;
use crate::limits::Deadline;
use crate::limits::admission::AdmissionLimiter;
use crate::limits::{Budget, MemoryQuota};
use crate::mount::templates::CheckedTemplates;
use crate::payload::VersionKey;
use crate::provider_api::csi_driver_provider_server::CsiDriverProvider;
use crate::provider_api::{MountRequest, MountResponse, VersionRequest, VersionResponse};
use crate::spec::{MountCall, MountSpec};
use crate::telemetry::log_throttle::LogThrottle;
use crate::tokens::Logins;
use crate::vault::Vaults;
use crate::volume::{VolumeConfig, Volumes};

/// The API version that the driver asks for and we answer with.
const API_VERSION: &str = "v1alpha1";

/// Time between a mount's own end of its calls and the moment when it is given up on: what rendering may take.
const RENDER_TIME: Duration = Duration::from_millis(250);

/// What all mounts of the process use.
pub struct Services {
    /// Where a pod's token comes from.
    pub(crate) tokens: PodTokenSource,
    /// The key of all versions.
    pub(crate) version_key: VersionKey,
    pub(crate) tasks: TaskTracker,
    pub(crate) ending: CancellationToken,
    pub(crate) mounts: AtomicU64,
    pub(crate) repeats: LogThrottle,
    /// Templates that need no look any more.
    pub(crate) checked: CheckedTemplates,
    /// Who may work.
    pub(crate) turns: AdmissionLimiter,
    /// Memory that answers may take.
    pub(crate) bytes: Arc<MemoryQuota>,
    /// What every volume has.
    pub volumes: Arc<Volumes>,
}

impl Services {
    /// What all mounts use, none begun yet.
    pub fn new(
        vaults: Vaults,
        tokens: PodTokenSource,
        version_key: VersionKey,
        limits: AdmissionConfig,
        setting: VolumeConfig,
    ) -> Self {
        let (tasks, mounts) = (TaskTracker::new(), AtomicU64::new(0));
        let logins = Logins::new(vaults, setting.store.clone(), &tasks);
        let volumes = Arc::new(Volumes::new(logins, setting, version_key.clone()));
        let (turns, bytes) = (AdmissionLimiter::new(limits), MemoryQuota::of_process());
        let ending = CancellationToken::new();
        let (repeats, checked) = (LogThrottle::default(), CheckedTemplates::default());
        Self { tokens, version_key, tasks, ending, mounts, repeats, checked, turns, bytes, volumes }
    }

    /// Waits until every mount has ended, and every token is given back that nobody needs.
    pub async fn drain(&self) {
        self.ending.cancel();
        self.volumes.close();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The service as one socket offers it: defaults follow the socket's name.
#[derive(Clone)]
pub struct Provider {
    pub(crate) services: Arc<Services>,
    pub(crate) defaults: Arc<Defaults>,
}

impl Provider {
    /// The service with `defaults` over what all sockets share.
    pub fn new(services: Arc<Services>, defaults: Arc<Defaults>) -> Self {
        Self { services, defaults }
    }

    /// Sees a mount to its end, which is told in one line.
    async fn told(self, request: MountRequest, deadline: Instant) -> Result<MountResponse, Failure> {
        let begun = Instant::now();
        let _in_flight = InFlight::begin();
        let span = report::span(self.services.mounts.fetch_add(1, Ordering::Relaxed));
        let outcome = self.answered(&request, deadline).instrument(span.clone()).await;
        report::end(&span, &self.services.repeats, &request.target_path, &outcome, begun.elapsed());
        outcome.map(|filled| filled.response)
    }

    /// A panic ends this mount alone, and what takes too long is answered for.
    async fn answered(&self, request: &MountRequest, deadline: Instant) -> Result<MountOutcome, Failure> {
        let budget = Budget::until(deadline - RENDER_TIME);
        ended(self.fill_volume(request, &budget), deadline).await
    }

    pub(crate) fn parse(&self, request: &MountRequest) -> Result<MountSpec, Failure> {
        let call = MountCall {
            attributes: &request.attributes,
            secrets: &request.secrets,
            target_path: &request.target_path,
            permission: &request.permission,
            published: &|| self.services.volumes.remembered_request(&request.target_path),
        };
        MountSpec::parse(&call, &self.defaults).map_err(Failure::from)
    }
}

/// Counts a mount for as long as it lives.
struct InFlight;

impl InFlight {
    fn begin() -> Self {
        gauge!("vaultmount_mounts_in_flight").increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!("vaultmount_mounts_in_flight").decrement(1.0);
    }
}

#[tonic::async_trait]
impl CsiDriverProvider for Provider {
    async fn version(&self, _: Request<VersionRequest>) -> Result<Response<VersionResponse>, Status> {
        Ok(Response::new(VersionResponse {
            version: API_VERSION.into(),
            runtime_name: env!("CARGO_PKG_NAME").into(),
            runtime_version: env!("CARGO_PKG_VERSION").into(),
        }))
    }

    async fn mount(&self, request: Request<MountRequest>) -> Result<Response<MountResponse>, Status> {
        let deadline = Deadline::of(request.extensions());
        // A task too: a caller that goes away neither leaves a login open nor goes untold.
        let told = self.services.tasks.spawn(self.clone().told(request.into_inner(), deadline));
        let outcome = told.await.unwrap_or_else(|_| Err(bug()));
        outcome.map(Response::new).map_err(Status::from)
    }
}

/// What came of `work`, which a panic ends alone, and the deadline.
pub(crate) async fn ended<T>(
    work: impl Future<Output = Result<T, Failure>>,
    deadline: Instant,
) -> Result<T, Failure> {
    match timeout_at(deadline, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(outcome) => outcome.unwrap_or_else(|_| Err(bug())),
        Err(_) => Err(Failure::new(Reason::Deadline, "the mount did not end in time")),
    }
}

/// A panic's own words may hold a value: they stay inside.
fn bug() -> Failure {
    Failure::new(Reason::Bug, "the mount ended in a panic")
}
