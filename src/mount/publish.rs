//! What a pod is to have, and who writes it.

use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use super::Provider;
use super::{failure, report};
use crate::error::Failure;
use crate::payload::Payload;
use crate::spec::{MountSpec, VolumeWriter};
use crate::volume::Volume;
use crate::writer::{Change, Trigger, WriteError};

/// When a volume is looked at again that was not to be seen at the last look.
const UNSEEN: Duration = Duration::from_secs(60);

/// What the pod has now, and what was written if we did.
pub(crate) type Published = (Arc<Payload>, Option<Change>);

impl Provider {
    /// The last good content for who had no turn; not where we write the files, which nobody has looked at now.
    pub(crate) async fn stand_in(
        &self,
        volume: &Volume,
        spec: &MountSpec,
        failure: Failure,
        why: Trigger,
    ) -> Result<Published, Failure> {
        if self.services.volumes.writer(spec).is_some() {
            return Err(failure);
        }
        self.give(volume, spec, Err(failure), why).await
    }

    /// What the pod is to have: what was fetched, or what stands in for it.
    pub(crate) async fn give(
        &self,
        volume: &Volume,
        spec: &MountSpec,
        fetched: Result<Payload, Failure>,
        why: Trigger,
    ) -> Result<Published, Failure> {
        let volumes = &self.services.volumes;
        let (payload, is_fetched) = match fetched {
            Ok(payload) => (Arc::new(payload), true),
            Err(failure) => (volumes.fall_back(volume, spec, failure, why)?, false),
        };
        report::payload(spec, &payload, &self.services.repeats);
        let written = self.write(volume, spec, &payload, why).await.map_err(|error| {
            // A first mount that fails has given nothing, for whatever is there goes with it.
            if error.is_behind() && volume.is_published() {
                volumes.record_published(volume, spec, is_fetched.then_some(&payload));
            }
            volumes.mark_stale(volume);
            failure::write(spec, &error)
        })?;
        if written.is_some() || why == Trigger::DriverRequest {
            volumes.record_published(volume, spec, is_fetched.then_some(&payload));
            volumes.schedule_poll(volume, spec, is_fetched);
        }
        Ok((payload, written))
    }

    /// Writes the files where we do. Where we cannot, and the driver can, it does.
    async fn write(
        &self,
        volume: &Volume,
        spec: &MountSpec,
        payload: &Payload,
        why: Trigger,
    ) -> Result<Option<Change>, WriteError> {
        let volumes = &self.services.volumes;
        // The rotation loop of driver 1.5, which names no class, does not know what the kubelet does: a volume that we filled may be at its end.
        let is_loop = why == Trigger::DriverRequest && spec.class.is_none() && volume.is_own();
        let occasion = if is_loop { Trigger::Poll } else { why };
        let written = match volumes.writer(spec) {
            Some(writer) => Some(volumes.write(writer, volume, payload, occasion).await),
            None => None,
        };
        let unwritten = match written {
            Some(Ok(change)) => return Ok(Some(change)),
            Some(Err(error)) if error.is_of_an_end() && why == Trigger::Poll => {
                // If it is none, there is more to come.
                debug!("not written: {error}");
                volumes.poll_after(volume, UNSEEN);
                return Ok(None);
            }
            Some(Err(error)) if error.is_of_an_end() && is_loop => return Err(error),
            Some(Err(error))
                if why == Trigger::DriverRequest && (error.is_of_an_end() || error.is_for_driver()) =>
            {
                Some(error.to_string())
            }
            Some(Err(error)) => return Err(error),
            None if spec.written_by == VolumeWriter::Provider && volume.is_kubelets() => {
                Some(volumes.why_not_writable().into())
            }
            None => None,
        };
        volumes.leave_to_driver(volume);
        report::left(spec, unwritten.as_deref(), &self.services.repeats);
        Ok(None)
    }
}
