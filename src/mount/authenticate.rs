//! The pod's service account token, and the Vault tokens that the mount needs.

use super::caller::Caller;
use super::{Mount, Services, failure};
use crate::error::Failure;
use crate::limits::Budget;
use crate::plan::Plan;
use crate::volume::FetchContext;

/// Gets the pod's token from the caller, and with it every Vault token that the calls of `plan` need, in parallel.
///
/// Cancelled, it leaves a login that has begun to its own task: the next mount finds it.
pub(super) async fn authenticate<'m, C: Caller>(
    services: &'m Services,
    caller: &C,
    mount: &'m Mount,
    plan: &Plan<'_>,
    budget: &Budget,
) -> Result<FetchContext<'m>, Failure> {
    let pod_token = caller.pod_token(services, mount, budget).await?;
    let context = services.volumes.fetch_context(&mount.volume, &mount.spec, pod_token);
    context.log_in(plan, budget).await.map_err(|error| failure::login(&mount.spec, &error))?;
    Ok(context)
}
