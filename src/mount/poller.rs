//! Polls of the volumes whose files vaultmount writes itself: each is a mount without a request of the driver.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{Instrument, debug};

use super::grpc::within;
use super::report::Polled;
use super::{Caller, Mount, Published, Services, Written, failure, leave_to_driver, mount, report};
use crate::class::{Defaults, RememberedRequest};
use crate::error::{Failure, Reason};
use crate::limits::{Budget, Period};
use crate::payload::Payload;
use crate::spec::{MountSpec, PodToken};
use crate::volume::{Job, Volume};
use crate::writer::{EmptyVolume, WriteError};

/// Time for one poll. Nobody waits for it, and the next one follows.
const POLL_TIME: Duration = Duration::from_secs(30);

/// The part of `POLL_TIME` for rendering and writing after the calls have run out of time.
const WRITE_TIME: Duration = Duration::from_secs(1);

/// Until the next poll of a volume whose class cannot be parsed any more: after a restart another flag may refuse it.
const UNREADABLE: Period = Period::of(Duration::from_secs(60));

/// Until the next poll of a volume if a mount with another class came first and sets no time itself.
const SUPERSEDED: Period = Period::of(Duration::from_secs(30));

/// Until the next poll of a volume that was at its end at this poll.
const ENDING: Period = Period::of(Duration::from_secs(60));

/// Polls every volume whose files vaultmount writes itself.
#[derive(Clone)]
pub(crate) struct Poller {
    services: Arc<Services>,
    /// One for each kind of socket: a class is parsed with the defaults of the socket that its request came in by.
    defaults: Vec<Arc<Defaults>>,
}

impl Poller {
    /// A poller that parses classes with the `defaults` of the sockets.
    pub(crate) fn new(services: Arc<Services>, defaults: Vec<Arc<Defaults>>) -> Self {
        Self { services, defaults }
    }

    /// Polls each volume when it is due, for as long as the process lives.
    pub(crate) async fn run(self) {
        loop {
            for job in self.services.volumes.next_jobs().await {
                let (poller, tasks) = (self.clone(), &self.services.tasks);
                match job {
                    Job::Poll(volume) => drop(tasks.spawn(async move { poller.poll(&volume).await })),
                    Job::RemoveStale(volume) => {
                        drop(tasks.spawn(async move { poller.services.volumes.remove_stale(&volume).await }))
                    }
                }
            }
        }
    }

    /// One poll of `volume`, reported in one log line.
    async fn poll(&self, volume: &Arc<Volume>) {
        let services = &*self.services;
        let request = volume.remembered_request();
        let known = request.as_ref().and_then(|request| Some((request, self.defaults(request)?)));
        let Some((request, defaults)) = known else { return services.volumes.leave_to_driver(volume) };
        let begun = Instant::now();
        let span = report::span(services.next_mount_id());
        let poll =
            Poll { volume, request, defaults, spec: OnceLock::new() }.run(services).instrument(span.clone());
        // At a shutdown nobody waits for a poll, and the next process polls again.
        let Some(outcome) = services.shutdown.run_until_cancelled(poll).await else { return };
        let target_path = &volume.id().target_path;
        report::poll_ended(&span, &services.log_throttle, target_path, &outcome, begun.elapsed());
    }

    fn defaults(&self, request: &RememberedRequest) -> Option<&Defaults> {
        self.defaults.iter().find(|defaults| defaults.flavor == request.flavor()).map(|defaults| &**defaults)
    }
}

/// One poll of `volume`, whose last request of the driver was `request`.
struct Poll<'p> {
    volume: &'p Arc<Volume>,
    request: &'p RememberedRequest,
    defaults: &'p Defaults,
    /// What `request` is parsed to; empty until then, and if the class cannot be parsed any more.
    spec: OnceLock<Arc<MountSpec>>,
}

impl Poll<'_> {
    /// Runs the mount, and sets the time of the next poll where the mount has not set it.
    async fn run(self, services: &Services) -> Result<Polled, Failure> {
        let deadline = Instant::now() + POLL_TIME;
        let budget = Budget::until(deadline - WRITE_TIME);
        let outcome = within(mount(services, &self, &budget), deadline).await;
        if outcome.is_err() && self.is_superseded() {
            services.volumes.poll_unless_scheduled(self.volume, SUPERSEDED.pause(rand::random()));
            return Ok(Polled::default());
        }
        if outcome.is_err() {
            self.poll_again(services);
        }
        outcome
    }

    /// Whether the driver has requested another class for this volume since.
    fn is_superseded(&self) -> bool {
        self.volume.remembered_request().as_ref() != Some(self.request)
    }

    fn poll_again(&self, services: &Services) {
        match self.spec.get() {
            Some(spec) => services.volumes.schedule_poll(self.volume, spec, false),
            None => services.volumes.poll_after(self.volume, UNREADABLE.pause(rand::random())),
        }
    }
}

impl Caller for Poll<'_> {
    type Response = Polled;

    fn parse(&self, _: &Services) -> Result<Mount, Failure> {
        let id = self.volume.id();
        let spec = MountSpec::from_remembered(self.request, &id.pod, &id.target_path, self.defaults)?;
        let spec = Arc::clone(self.spec.get_or_init(|| Arc::new(spec)));
        Ok(Mount { spec, volume: Arc::clone(self.volume), pod_token: None })
    }

    async fn pod_token(
        &self,
        services: &Services,
        mount: &Mount,
        budget: &Budget,
    ) -> Result<Option<Arc<PodToken>>, Failure> {
        Ok(services.pod_tokens.for_poll(self.volume, &mount.spec, self.defaults.flavor, budget).await)
    }

    fn still_wanted(&self, mount: &Mount) -> Result<(), Failure> {
        if self.is_superseded() { Err(failure::superseded(&mount.spec)) } else { Ok(()) }
    }

    /// A denial is not definite: the token of a poll may be old.
    fn fall_back(
        &self,
        services: &Services,
        mount: &Mount,
        failure: Failure,
    ) -> Result<Arc<Payload>, Failure> {
        if failure.reason == Reason::ReadDenied {
            services.volumes.mark_stale(self.volume);
            services.volumes.save(self.volume);
            return Err(failure);
        }
        services.volumes.fall_back(self.volume, &mount.spec, failure)
    }

    async fn write(
        &self,
        services: &Services,
        mount: &Mount,
        payload: &Payload,
    ) -> Result<Written, WriteError> {
        let volumes = &services.volumes;
        let Some(writer) = volumes.writer(&mount.spec) else {
            leave_to_driver(services, mount, None);
            return Ok(Written::Nobody);
        };
        match volumes.write(writer, self.volume, payload, EmptyVolume::IsEnding).await {
            Ok(change) => Ok(Written::Vaultmount(change)),
            Err(error) if error.is_possible_end() => {
                // The volume may live on after all, so it is polled again.
                debug!("not written: {error}");
                volumes.poll_after(self.volume, ENDING.pause(rand::random()));
                Ok(Written::Nobody)
            }
            Err(error) => Err(error),
        }
    }

    fn respond(&self, _: &Services, _: &Mount, published: &Published) -> Polled {
        let change = match published.written {
            Written::Vaultmount(change) => Some(change),
            Written::Driver | Written::Nobody => None,
        };
        Polled { change, is_stale: published.is_stale }
    }
}
