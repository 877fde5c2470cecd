//! Which token logs in.

use tokio::time::timeout_at;

use crate::config::{Flavor, MountSpec, Pod, PodToken};
use crate::error::{Failure, Reason};
use crate::kube::Kubernetes;
use crate::vault::Budget;

/// Where a pod's token comes from when the driver brings none.
pub enum Tokens {
    /// Nowhere: the mount fails, and says what the CSIDriver lacks.
    FromDriver,
    /// Asked for from Kubernetes, as the peers do; needs a right that our manifests do not give.
    OrRequested(Kubernetes),
}

impl Tokens {
    /// The token of the wanted audience: the driver's, or one made now.
    pub(super) async fn of(&self, spec: &mut MountSpec, flavor: Flavor, budget: &Budget) -> Result<PodToken, Failure> {
        match (spec.token.take(), self) {
            (Some(token), _) => Ok(token),
            (None, Self::OrRequested(kubernetes)) => requested(kubernetes, spec, flavor, budget).await,
            (None, Self::FromDriver) => Err(missing(spec, flavor, "the driver passed none, and --token-requests is off")),
        }
    }
}

async fn requested(kubernetes: &Kubernetes, spec: &MountSpec, flavor: Flavor, budget: &Budget) -> Result<PodToken, Failure> {
    let token = kubernetes.token(&spec.pod, spec.auth.audience.as_deref());
    match timeout_at(budget.end(), token).await {
        Ok(Ok(token)) => Ok(token),
        Ok(Err(error)) => Err(missing(spec, flavor, &error.to_string())),
        Err(_) => Err(missing(spec, flavor, "the API server did not answer in time")),
    }
}

fn missing(spec: &MountSpec, flavor: Flavor, why: &str) -> Failure {
    let audience = spec.auth.audience.as_deref().unwrap_or(flavor.audience());
    let Pod { namespace, service_account, .. } = &spec.pod;
    Failure::new(
        Reason::TokenMissing,
        format!("no token of service account {namespace}/{service_account} for audience {audience:?}: {why}"),
    )
}
