//! Looks of our own at volumes whose files we write: each a mount that nobody asked for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Instrument;

use super::Provider;
use super::{Services, report};
use crate::class::RememberedRequest;
use crate::error::Failure;
use crate::limits::Budget;
use crate::mount::service::ended;
use crate::spec::MountSpec;
use crate::volume::{Job, Volume};
use crate::writer::Change;

/// Time for a look: nobody waits for it, and the next one comes.
const LONGEST: Duration = Duration::from_secs(30);

/// Time of that which is left for rendering and writing once the calls have ended.
const WRITING: Duration = Duration::from_secs(1);

/// When a volume is looked at again whose class cannot be read any more: another flag may have made it so, at a restart.
const UNREADABLE: Duration = Duration::from_secs(60);

/// When a volume is looked at again whose look a mount has overtaken, if the mount does not say.
const OVERTAKEN: Duration = Duration::from_secs(30);

/// Who looks.
#[derive(Clone)]
pub struct Poller {
    services: Arc<Services>,
    /// One for each kind of socket, by whose defaults a class is read.
    providers: Vec<Provider>,
}

impl Poller {
    /// Looks as the `providers` would.
    pub fn new(services: Arc<Services>, providers: Vec<Provider>) -> Self {
        Self { services, providers }
    }

    /// Looks at each volume when its time has come, for as long as the process lives.
    pub async fn run(self) {
        loop {
            for job in self.services.volumes.next_jobs().await {
                let (looks, tasks) = (self.clone(), &self.services.tasks);
                match job {
                    Job::Poll(volume) => drop(tasks.spawn(async move { looks.at(&volume).await })),
                    Job::RemoveStale(volume) => {
                        drop(tasks.spawn(async move { looks.services.volumes.remove_stale(&volume).await }))
                    }
                }
            }
        }
    }

    async fn at(&self, volume: &Arc<Volume>) {
        let published = volume.remembered_request();
        let asked = published.as_ref().and_then(|published| Some((published, self.provider(published)?)));
        let Some((published, provider)) = asked else { return self.services.volumes.leave_to_driver(volume) };
        let begun = Instant::now();
        let span = report::span(self.services.mounts.fetch_add(1, Ordering::Relaxed));
        // Where the process ends nobody waits for a look, and the next process makes its own.
        let look = self.look(volume, published, provider).instrument(span.clone());
        let Some(outcome) = self.services.ending.run_until_cancelled(look).await else { return };
        report::look(&span, &self.services.repeats, &volume.id().target_path, &outcome, begun.elapsed());
    }

    async fn look(
        &self,
        volume: &Arc<Volume>,
        published: &RememberedRequest,
        provider: &Provider,
    ) -> Result<Option<Change>, Failure> {
        let id = volume.id();
        let spec =
            MountSpec::again(published, &id.pod, &id.target_path, &provider.defaults).map_err(Failure::from);
        let mut spec = spec.inspect_err(|_| self.services.volumes.poll_after(volume, UNREADABLE))?;
        let deadline = Instant::now() + LONGEST;
        let budget = Budget::until(deadline - WRITING);
        let outcome = ended(provider.look(volume, &mut spec, &budget), deadline).await;
        if outcome.is_err() && volume.remembered_request().as_ref() != Some(published) {
            // A mount overtook it, with another class: that one says when there is a look again, if it ends well.
            self.services.volumes.poll_unless_scheduled(volume, OVERTAKEN);
            return Ok(None);
        }
        if outcome.is_err() {
            self.services.volumes.schedule_poll(volume, &spec, false);
        }
        outcome
    }

    fn provider(&self, published: &RememberedRequest) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.defaults.flavor == published.flavor())
    }
}
