//! One mount, from the request to the files of the volume. `mount` shows the order of its stages, which follow it in the same order;
//! `templates` and `render` are files of their own.
//!
//! Two callers use it: `grpc` responds to a `Mount` call of the driver, and `poller` polls the volumes whose files vaultmount writes itself.
//! What differs between the two is in `Caller`. Both run each mount as a task with a deadline, and report its end.

mod failure; // errors of the modules below -> one Failure
mod grpc; // the service of the driver's sockets: Version, and Mount with its response
mod pod_token; // where the service account token of a pod comes from
mod poller; // polls of the volumes whose files vaultmount writes itself
mod render; // responses -> the files of the volume
mod report; // the span and the log lines of a mount
mod services; // what all mounts of the process share
mod templates; // the templates of a mount: their syntax, and their texts

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};
use tokio::sync::OwnedMutexGuard;

use crate::engine::{FetchResult, Responses};
use crate::error::Failure;
use crate::limits::{Budget, limiter};
use crate::payload::Payload;
use crate::plan::{Plan, Stage};
use crate::spec::{MountSpec, PodToken, Source, VolumeWriter};
use crate::volume::{FetchContext, Volume};
use crate::writer::{Change, WriteError};

use render::render;

pub(crate) use grpc::Provider;
pub(crate) use pod_token::PodTokenSource;
pub(crate) use poller::Poller;
pub(crate) use services::Services;

/// One mount while it runs: what it must publish, and the state of the volume.
struct Mount {
    spec: Arc<MountSpec>,
    volume: Arc<Volume>,
    /// The pod's service account token, if the driver passed one.
    pod_token: Option<Arc<PodToken>>,
}

/// Who needs a mount: a request of the driver, or a poll.
trait Caller {
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

/// Who writes the files of a volume.
enum Written {
    /// vaultmount.
    Vaultmount(Change),
    /// The driver will, from the response.
    Driver,
    /// Nobody: a poll found the volume at its end, or found that the driver writes it from now on.
    Nobody,
}

/// The content that the pod has from now on, and who wrote it.
struct Published {
    payload: Arc<Payload>,
    written: Written,
    /// Whether it is the last known good content, because Vault could not be reached in time.
    is_stale: bool,
}

/// Brings the volume of `caller` up to date: all of its files, or the failure that names what is missing.
///
/// `permit` and the result of the three stages after it go into `publish` as they are, also when they failed: after a temporary
/// failure it publishes the last known good content.
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

/// The right to work on one volume, until it is dropped.
struct Permit {
    budget: Budget,
    _lock: OwnedMutexGuard<()>,
    _slot: limiter::Permit,
}

impl Permit {
    /// Time and memory for the calls of the mount.
    fn budget(&self) -> &Budget {
        &self.budget
    }
}

/// Waits for a slot, then for the lock of the volume: one mount of a volume runs at a time, because two would issue everything twice. Both
/// waits end early if the volume has last known good content that can be returned instead.
///
/// Cancelled while it waits, it leaves nothing behind: a slot is released when it is dropped.
async fn admit<C: Caller>(
    services: &Services,
    caller: &C,
    mount: &Mount,
    budget: &Budget,
) -> Result<Permit, Failure> {
    let (spec, volume) = (&mount.spec, &mount.volume);
    report::spec(spec, &services.log_throttle);
    let budget = volume.fetch_budget(spec, budget);
    let slot = services.admission.acquire(&spec.pod.namespace, budget.end()).await?;
    let budget = budget.of(&spec.pod.namespace, &services.memory);
    let lock = volume.lock(&budget).await.map_err(|_| failure::volume_busy(spec))?;
    caller.still_wanted(mount)?;
    Ok(Permit { budget, _lock: lock, _slot: slot })
}

/// Gets the pod's token from the caller, and with it every Vault token that the calls of `plan` need, in parallel.
///
/// Cancelled, it leaves a login that has begun to its own task: the next mount finds it. So it does when the server is down and the time for
/// retries has ended: the pod's author then reads why, while the login may still get its response.
async fn authenticate<C: Caller>(
    services: &Services,
    caller: &C,
    mount: &Mount,
    plan: &Plan<'_>,
    budget: &Budget,
) -> Result<Arc<FetchContext>, Failure> {
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

/// Calls of one mount in flight at a time: two round trips for all but the largest classes, and no pod can use the
/// whole concurrency of a server alone.
const IN_FLIGHT: usize = 32;

/// Makes each call of `plan` once, except those whose response the volume already has. A class of KV secrets has one stage without batches.
async fn fetch<'a>(context: &Arc<FetchContext>, plan: &Plan<'a>, budget: &Budget) -> Responses<'a> {
    let mut responses = Responses::default();
    for stage in &plan.stages {
        let found: Vec<_> =
            stream::iter(calls(stage, context, &responses, budget)).buffered(IN_FLIGHT).collect().await;
        found.into_iter().flatten().for_each(|(source, result)| responses.add(source, result));
    }
    report::responses(context.calls(), &responses);
    responses
}

type Call<'c, 'a> = BoxFuture<'c, Vec<(&'a Source, FetchResult)>>;

fn calls<'c, 'a: 'c>(
    stage: &'c Stage<'a>,
    context: &'c Arc<FetchContext>,
    responses: &'c Responses<'a>,
    budget: &'c Budget,
) -> Vec<Call<'c, 'a>> {
    let reads = stage.reads.iter();
    let reads =
        reads.map(|source| async move { vec![(*source, context.read(source, budget).await)] }.boxed());
    let batches = stage.batches.iter().map(|batch| context.open(batch, responses, budget).boxed());
    reads.chain(batches).collect()
}

/// Publishes `content`. If it could not be fetched for a temporary reason, publishes the last known good content instead.
///
/// Without a permit nobody holds the volume's lock, so files that vaultmount writes itself are not touched.
async fn publish<C: Caller>(
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
    Ok(Published { payload, written, is_stale: !is_fetched })
}

/// From now on the driver writes the files of the volume. Warns if the class wants vaultmount to write them; `why` says why it cannot.
fn leave_to_driver(services: &Services, mount: &Mount, why: Option<String>) {
    let (volumes, spec, volume) = (&services.volumes, &mount.spec, &mount.volume);
    let is_wanted = spec.written_by == VolumeWriter::Provider && volume.is_kubelets();
    let why = why.or_else(|| is_wanted.then(|| volumes.why_not_writable().to_owned()));
    volumes.leave_to_driver(volume);
    report::driver_writes(spec, why.as_deref(), &services.log_throttle);
}
