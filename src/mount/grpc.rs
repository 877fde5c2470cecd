//! The service of the driver's sockets: Version and Mount. Each mount is a task of its own that ends in time and catches its panics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use metrics::gauge;
use tokio::time::{Instant, timeout_at};
use tonic::{Request, Response, Status};
use tracing::Instrument;

use super::driver_request::{DriverRequest, MountOutcome};
use super::{Services, mount, report};
use crate::class::Defaults;
use crate::error::{Failure, Reason};
use crate::limits::{Budget, Deadline};
use crate::provider_api::csi_driver_provider_server::CsiDriverProvider;
use crate::provider_api::{MountRequest, MountResponse, VersionRequest, VersionResponse};

/// The version of the driver's API. Source: `VersionResponse.version` in proto/service.proto.
const API_VERSION: &str = "v1alpha1";

/// Time for rendering after the calls of a mount have run out of time.
const RENDER_TIME: Duration = Duration::from_millis(250);

/// The service as one socket offers it: the defaults follow the socket's name.
#[derive(Clone)]
pub(crate) struct Provider {
    services: Arc<Services>,
    defaults: Arc<Defaults>,
}

impl Provider {
    /// The service with `defaults` for what a class leaves out.
    pub(crate) fn new(services: Arc<Services>, defaults: Arc<Defaults>) -> Self {
        Self { services, defaults }
    }

    /// Runs one mount to its end and reports it in one log line.
    async fn run(self, request: MountRequest, deadline: Instant) -> Result<MountResponse, Failure> {
        let begun = Instant::now();
        let _in_flight = InFlight::begin();
        let span = report::span(self.services.next_mount_id());
        let (budget, caller) = (
            Budget::until(deadline - RENDER_TIME),
            DriverRequest { request: &request, defaults: &self.defaults },
        );
        let outcome =
            within(mount(&self.services, &caller, &budget), deadline).instrument(span.clone()).await;
        let mounted = outcome.as_ref().map(MountOutcome::summary);
        report::mount_ended(
            &span,
            &self.services.log_throttle,
            &request.target_path,
            &mounted,
            begun.elapsed(),
        );
        outcome.map(|outcome| outcome.response)
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
        // A task of its own: if the driver goes away, the mount still ends with its log line and leaves no login open.
        let task = self.services.tasks.spawn(self.clone().run(request.into_inner(), deadline));
        let outcome = task.await.unwrap_or_else(|_| Err(panicked()));
        outcome.map(Response::new).map_err(Status::from)
    }
}

/// The result of `work`, or a failure if it panics or is not ready at `deadline`.
pub(super) async fn within<T>(
    work: impl Future<Output = Result<T, Failure>>,
    deadline: Instant,
) -> Result<T, Failure> {
    match timeout_at(deadline, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(outcome) => outcome.unwrap_or_else(|_| Err(panicked())),
        Err(_) => Err(Failure::new(Reason::Deadline, "the mount did not end in time")),
    }
}

/// The text of a panic may hold a secret, so it is not part of the failure.
fn panicked() -> Failure {
    Failure::new(Reason::Bug, "the mount ended in a panic")
}
