//! The content, or the last known good content, becomes the volume's.

use std::sync::Arc;

use super::admit::Permit;
use super::caller::{Caller, Published, Written};
use super::{Mount, Services, failure, report};
use crate::error::Failure;
use crate::payload::Payload;
use crate::spec::VolumeWriter;

/// Publishes `content`. If it could not be fetched for a temporary reason, publishes the last known good content instead.
///
/// Without a permit nobody holds the volume's lock, so files that vaultmount writes itself are not touched.
pub(super) async fn publish<C: Caller>(
    services: &Services,
    caller: &C,
    mount: &Mount,
    permit: Result<Permit, Failure>,
    content: Result<Payload, Failure>,
) -> Result<Published, Failure> {
    let (volumes, spec, volume) = (&services.volumes, &mount.spec, &mount.volume);
    let _permit = match permit {
        Err(failure) if volumes.writer(spec).is_some() => return Err(failure),
        permit => permit,
    };
    let (payload, is_fetched) = match content {
        Ok(payload) => (Arc::new(payload), true),
        Err(failure) => (caller.fall_back(services, mount, failure)?, false),
    };
    report::payload(spec, &payload, &services.log_throttle);
    let fetched = is_fetched.then_some(&payload);
    let written = caller.write(services, mount, &payload).await.map_err(|error| {
        // A first mount that fails publishes nothing: the kubelet removes whatever is there.
        if error.is_after_swap() && volume.is_published() {
            volumes.record_published(volume, spec, fetched);
        }
        volumes.mark_stale(volume);
        failure::write(spec, &error)
    })?;
    if !matches!(written, Written::Nobody) {
        volumes.record_published(volume, spec, fetched);
        volumes.schedule_poll(volume, spec, is_fetched);
    }
    Ok(Published { payload, written })
}

/// From now on the driver writes the files of the volume. Warns if the class wants vaultmount to write them; `why` says why it cannot.
pub(super) fn leave_to_driver(services: &Services, mount: &Mount, why: Option<String>) {
    let (volumes, spec, volume) = (&services.volumes, &mount.spec, &mount.volume);
    let is_wanted = spec.written_by == VolumeWriter::Provider && volume.is_kubelets();
    let why = why.or_else(|| is_wanted.then(|| volumes.why_not_writable().to_owned()));
    volumes.leave_to_driver(volume);
    report::driver_writes(spec, why.as_deref(), &services.log_throttle);
}
