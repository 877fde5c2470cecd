//! What the driver's request and a poll do differently.

use std::sync::Arc;

use super::publish::{Published, Written};
use super::{Mount, Services};
use crate::error::Failure;
use crate::limits::Budget;
use crate::payload::Payload;
use crate::spec::PodToken;
use crate::writer::{Trigger, WriteError};

/// Who needs a mount: a request of the driver, or a poll.
pub(super) trait Caller {
    /// What the caller gets in the end.
    type Response;

    /// For the modules below that treat the two differently.
    const TRIGGER: Trigger;

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
