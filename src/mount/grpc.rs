//! The service of the driver's sockets: Version and Mount. Each mount is a task of its own that ends in time and catches its panics.
//! `DriverRequest` is what such a mount does differently from a poll, and its response.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use metrics::gauge;
use tokio::time::{Instant, timeout_at};
use tonic::{Request, Response, Status};
use tracing::Instrument;

use super::report::Mounted;
use super::{Caller, Mount, Published, Services, Written, leave_to_driver, mount, report};
use crate::class::{Defaults, MountCall};
use crate::error::{Failure, Reason};
use crate::limits::{Budget, Deadline};
use crate::payload::{File, Payload, VersionKey};
use crate::provider_api::csi_driver_provider_server::CsiDriverProvider;
use crate::provider_api::{
    self, MountRequest, MountResponse, ObjectVersion, VersionRequest, VersionResponse,
};
use crate::spec::{MountSpec, PodToken};
use crate::writer::{EmptyVolume, WriteError};

/// The version of the driver's API. Source: `VersionResponse.version` in proto/service.proto.
const API_VERSION: &str = "v1alpha1";

/// The version of an optional file for which Vault has nothing. It is no digest, so no file can have it.
const ABSENT: &str = "absent";

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

/// One `Mount` call, and the defaults of the socket that it came in by.
struct DriverRequest<'r> {
    request: &'r MountRequest,
    defaults: &'r Defaults,
}

/// The response to a mount that succeeded.
struct MountOutcome {
    response: MountResponse,
    /// Whether the driver has something to write or to store.
    changed: bool,
    /// Whether the content is the last known good content.
    is_stale: bool,
}

impl MountOutcome {
    /// What the log shows of it.
    fn summary(&self) -> Mounted {
        Mounted {
            files: self.response.object_version.len(),
            is_changed: self.changed,
            is_stale: self.is_stale,
        }
    }
}

impl Caller for DriverRequest<'_> {
    type Response = MountOutcome;

    fn parse(&self, services: &Services) -> Result<Mount, Failure> {
        let request = self.request;
        let call = MountCall {
            attributes: &request.attributes,
            secrets: &request.secrets,
            target_path: &request.target_path,
            permission: &request.permission,
            published: &|| services.volumes.remembered_request(&request.target_path),
        };
        let mut spec = MountSpec::parse(&call, self.defaults)?;
        let pod_token = spec.token.take().map(Arc::new);
        // The state of the volume, which its earlier mounts have left, or a new one.
        let volume = services.volumes.open(&spec);
        Ok(Mount { spec: Arc::new(spec), volume, pod_token })
    }

    async fn pod_token(
        &self,
        services: &Services,
        mount: &Mount,
        budget: &Budget,
    ) -> Result<Option<Arc<PodToken>>, Failure> {
        let (from_driver, flavor) = (mount.pod_token.as_ref(), self.defaults.flavor);
        let token = services.pod_tokens.for_request(from_driver, &mount.spec, flavor, budget).await?;
        services.volumes.record_request(&mount.volume, &mount.spec, &token);
        Ok(Some(token))
    }

    fn still_wanted(&self, _: &Mount) -> Result<(), Failure> {
        Ok(())
    }

    /// A definite refusal drops the content: the pod's token is fresh.
    fn fall_back(
        &self,
        services: &Services,
        mount: &Mount,
        failure: Failure,
    ) -> Result<Arc<Payload>, Failure> {
        services.volumes.fall_back(&mount.volume, &mount.spec, failure)
    }

    /// Where vaultmount cannot write and the driver can, the driver does.
    async fn write(
        &self,
        services: &Services,
        mount: &Mount,
        payload: &Payload,
    ) -> Result<Written, WriteError> {
        let (volumes, spec, volume) = (&services.volumes, &mount.spec, &mount.volume);
        // The rotation of driver 1.5, whose requests name no class, does not know what the kubelet does: a volume that vaultmount
        // wrote may be at its end, and must then get no new files.
        let is_rotation = spec.class.is_none() && volume.is_own();
        let empty = if is_rotation { EmptyVolume::IsEnding } else { EmptyVolume::IsNew };
        let Some(writer) = volumes.writer(spec) else {
            leave_to_driver(services, mount, None);
            return Ok(Written::Driver);
        };
        match volumes.write(writer, volume, payload, empty).await {
            Ok(change) => Ok(Written::Vaultmount(change)),
            Err(error) if error.is_possible_end() && is_rotation => Err(error),
            Err(error) if error.is_possible_end() || error.is_for_driver() => {
                leave_to_driver(services, mount, Some(error.to_string()));
                Ok(Written::Driver)
            }
            Err(error) => Err(error),
        }
    }

    fn respond(&self, services: &Services, mount: &Mount, published: &Published) -> MountOutcome {
        let response = response(published, &mount.spec.pod.namespace, &services.version_key);
        let changed = mount.volume.versions_changed(&response.object_version);
        MountOutcome { response, changed, is_stale: published.is_stale }
    }
}

/// One version for each file, with its path as id. The files themselves only if the driver writes them.
fn response(published: &Published, namespace: &str, key: &VersionKey) -> MountResponse {
    let (payload, with_files) = (&published.payload, matches!(published.written, Written::Driver));
    let version =
        |file: &File| ObjectVersion { id: file.path.to_string(), version: key.version(namespace, file) };
    let absent = |name: &String| ObjectVersion { id: name.clone(), version: ABSENT.into() };
    let versions = payload.files().iter().map(version).chain(payload.absent().iter().map(absent));
    let files = payload.files().iter().filter(|_| with_files).map(to_wire);
    MountResponse { object_version: versions.collect(), error: None, files: files.collect() }
}

fn to_wire(file: &File) -> provider_api::File {
    // A copy for the driver, which lives until the response is sent.
    let contents = file.contents.expose().to_vec();
    provider_api::File { path: file.path.to_string(), mode: file.mode.cast_signed(), contents }
}
