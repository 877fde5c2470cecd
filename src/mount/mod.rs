//! One mount, from the request to the files of the volume. Each stage is one file; `mount` below shows their order.
//!
//! Two callers use it: `driver_request` answers a `Mount` call of the driver, and `poller` polls the volumes whose files vaultmount writes
//! itself. What differs between the two is in `Caller`. `grpc` and `poller` run each mount as a task with a deadline, and report its end.

mod admit; // waits for a free slot of the node and for the volume's own lock
mod authenticate; // the pod's token and the Vault tokens that the mount needs
mod caller; // what the driver's request and a poll do differently
mod driver_request; // a mount that the driver requested, and its response
mod failure; // errors of the modules below -> one Failure
mod fetch; // the calls of the plan, each stage of it in parallel
mod grpc; // the service of the driver's sockets: Version and Mount
mod pod_token; // where the service account token of a pod comes from
mod poller; // polls of the volumes whose files vaultmount writes itself
mod publish; // the content, or the last known good content, becomes the volume's
mod render; // responses -> the files of the volume
mod report; // the span and the log lines of a mount
mod services; // what all mounts of the process share
mod templates; // the templates of a mount: their syntax, and their texts

use std::sync::Arc;

use crate::error::Failure;
use crate::limits::Budget;
use crate::plan::Plan;
use crate::spec::{MountSpec, PodToken};
use crate::volume::Volume;

use admit::admit;
use authenticate::authenticate;
use caller::Caller;
use fetch::fetch;
use publish::publish;
use render::render;

pub(crate) use grpc::Provider;
pub(crate) use pod_token::PodTokenSource;
pub(crate) use poller::Poller;
pub(crate) use services::Services;

/// One mount while it runs: what it must publish, and the state of the volume.
struct Mount {
    spec: MountSpec,
    volume: Arc<Volume>,
    /// The pod's service account token, if the driver passed one.
    pod_token: Option<Arc<PodToken>>,
}

/// Brings the volume of `caller` up to date: all of its files, or the failure that names what is missing.
///
/// `permit` and the result of the three stages after it go into `publish` as they are, also when they failed: a temporary failure is
/// answered there with the last known good content.
async fn mount<C: Caller>(services: &Services, caller: &C, budget: &Budget) -> Result<C::Response, Failure> {
    let mount = &caller.parse(services)?;
    let plan = Plan::new(&mount.spec.objects);
    let permit = admit(services, caller, mount, budget).await;
    let content = async {
        let budget = permit.as_ref().map_err(Failure::clone)?.budget();
        templates::check(&services.checked_templates, mount, budget).await?;
        let context = authenticate(services, caller, mount, &plan, budget).await?;
        let responses = fetch(&context, &plan, budget).await;
        render(services, mount, &context, responses, budget).await
    };
    let content = content.await;
    let published = publish(services, caller, mount, permit, content).await?;
    Ok(caller.respond(services, mount, &published))
}
