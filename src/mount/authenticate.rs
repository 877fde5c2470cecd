//! The pod's service account token, and the Vault tokens that the mount needs.

use super::caller::Caller;
use super::{Mount, Services, failure};
use crate::error::Failure;
use crate::limits::Budget;
use crate::plan::Plan;
use crate::volume::FetchContext;

/// Gets the pod's token from the caller, and with it every Vault token that the calls of `plan` need, in parallel.
///
/// Cancelled, it leaves a login that has begun to its own task: the next mount finds it. So it does when the server is down and the time for
/// retries has ended: the pod's author then reads why, while the login may still get its response.
pub(super) async fn authenticate<'m, C: Caller>(
    services: &'m Services,
    caller: &C,
    mount: &'m Mount,
    plan: &Plan<'_>,
    budget: &Budget,
) -> Result<FetchContext<'m>, Failure> {
    let pod_token = caller.pod_token(services, mount, budget).await?;
    let context = services.volumes.fetch_context(&mount.volume, &mount.spec, pod_token);
    let doing = format!("log in at auth/{}", mount.spec.auth.mount);
    let logged_in = tokio::select! {
        biased;
        logged_in = context.log_in(plan, budget) => logged_in,
        error = services.vaults.down(&mount.spec.server, &doing, budget) => Err(error),
    };
    logged_in.map_err(|error| failure::login(&mount.spec, &error))?;
    Ok(context)
}
