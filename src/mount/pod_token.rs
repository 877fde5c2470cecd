//! Where the service account token of a pod comes from.

use std::sync::Arc;

use tokio::time::timeout_at;
use tracing::debug;

use crate::class::Flavor;
use crate::error::{Failure, Reason};
use crate::kube::Kubernetes;
use crate::limits::Budget;
use crate::renewal::UnixMillis;
use crate::spec::{MountSpec, Pod, PodToken};
use crate::volume::Volume;

/// Where the token of a pod comes from.
pub(crate) enum PodTokenSource {
    /// Only from the driver. Without one the mount fails, and the message says what the CSIDriver lacks.
    Driver,
    /// From the driver, otherwise requested from Kubernetes, as the upstream providers do. That needs a right which the manifests in
    /// `deploy/` do not give.
    DriverOrKubernetes(Kubernetes),
}

impl PodTokenSource {
    /// The token for a request of the driver, which passed `from_driver`.
    pub(super) async fn for_request(
        &self,
        from_driver: Option<&Arc<PodToken>>,
        spec: &MountSpec,
        flavor: Flavor,
        budget: &Budget,
    ) -> Result<Arc<PodToken>, Failure> {
        match (from_driver, self) {
            (Some(token), _) => Ok(Arc::clone(token)),
            (None, Self::DriverOrKubernetes(kubernetes)) => {
                requested(kubernetes, spec, flavor, budget).await.map(Arc::new)
            }
            (None, Self::Driver) => {
                Err(missing(spec, flavor, "the driver passed none, and --token-requests is off"))
            }
        }
    }

    /// The token for a poll: the last one that the driver passed for `volume`, or one requested now. `None` if there is neither.
    pub(super) async fn for_poll(
        &self,
        volume: &Volume,
        spec: &MountSpec,
        flavor: Flavor,
        budget: &Budget,
    ) -> Option<Arc<PodToken>> {
        match (volume.pod_token(), self) {
            (Some(token), _) => Some(token),
            (None, Self::DriverOrKubernetes(kubernetes)) if volume.may_request_token(UnixMillis::now()) => {
                let requested = requested(kubernetes, spec, flavor, budget).await;
                let token = requested.inspect_err(|failure| {
                    debug!("{}", failure.message());
                    volume.set_token_refused(UnixMillis::now());
                });
                volume.set_pod_token(token.ok()?)
            }
            (None, Self::DriverOrKubernetes(_) | Self::Driver) => None,
        }
    }
}

async fn requested(
    kubernetes: &Kubernetes,
    spec: &MountSpec,
    flavor: Flavor,
    budget: &Budget,
) -> Result<PodToken, Failure> {
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
