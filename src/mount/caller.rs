//! What the driver's request and a poll do differently.

use std::sync::Arc;

use super::{Mount, Services};
use crate::error::Failure;
use crate::limits::Budget;
use crate::payload::Payload;
use crate::spec::PodToken;
use crate::writer::{Change, WriteError};

/// Who writes the files of a volume.
pub(super) enum Written {
    /// vaultmount.
    Vaultmount(Change),
    /// The driver will, from the response.
    Driver,
    /// Nobody: a poll found the volume at its end, or found that the driver writes it from now on.
    Nobody,
}

/// The content that the pod has from now on, and who wrote it.
pub(super) struct Published {
    pub(super) payload: Arc<Payload>,
    pub(super) written: Written,
}

/// Who needs a mount: a request of the driver, or a poll.
pub(super) trait Caller {
    /// The result that is returned to the caller.
    type Response;

    /// The spec of the mount, and its volume.
    fn parse(&self, services: &Services) -> Result<Mount, Failure>;

    /// The pod's service account token. `None` if a poll has none: a Vault token that exists may be enough.
    async fn pod_token(
        &self,
        services: &Services,
        mount: &Mount,
        budget: &Budget,
    ) -> Result<Option<Arc<PodToken>>, Failure>;

    /// Fails if the mount became pointless while it waited for the volume's lock.
    fn still_wanted(&self, mount: &Mount) -> Result<(), Failure>;

    /// The last known good content after `failure`, if the failure is temporary.
    fn fall_back(
        &self,
        services: &Services,
        mount: &Mount,
        failure: Failure,
    ) -> Result<Arc<Payload>, Failure>;

    /// Writes the files where vaultmount does that for this volume.
    async fn write(
        &self,
        services: &Services,
        mount: &Mount,
        payload: &Payload,
    ) -> Result<Written, WriteError>;

    /// What the caller gets for a mount that succeeded.
    fn respond(&self, services: &Services, mount: &Mount, published: &Published) -> Self::Response;
}
