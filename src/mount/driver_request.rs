//! A mount that the driver requested.

use std::sync::Arc;

use super::caller::{Caller, Published, Written};
use super::publish::leave_to_driver;
use super::report::Mounted;
use super::{Mount, Services};
use crate::class::{Defaults, MountCall};
use crate::error::Failure;
use crate::limits::Budget;
use crate::payload::{File, Payload, VersionKey};
use crate::provider_api::{self, MountRequest, MountResponse, ObjectVersion};
use crate::spec::{MountSpec, PodToken};
use crate::writer::{EmptyVolume, WriteError};

/// The version of an optional file for which Vault has nothing. It is no digest, so no file can have it.
const ABSENT: &str = "absent";

/// One `Mount` call, and the defaults of the socket that it came in by.
pub(super) struct DriverRequest<'r> {
    pub(super) request: &'r MountRequest,
    pub(super) defaults: &'r Defaults,
}

/// The response to a mount that succeeded.
pub(super) struct MountOutcome {
    pub(super) response: MountResponse,
    /// Whether the driver has something to write or to store.
    pub(super) changed: bool,
}

impl MountOutcome {
    /// What the log shows of it.
    pub(super) fn summary(&self) -> Mounted {
        Mounted { files: self.response.object_version.len(), is_changed: self.changed }
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
        let volume = services.volumes.open(&spec);
        Ok(Mount { spec, volume, pod_token })
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
        MountOutcome { changed: mount.volume.versions_changed(&response.object_version), response }
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
