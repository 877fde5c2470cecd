//! The mount on one page; a look of our own at a volume is one too.

pub mod authenticate; // which token logs in
pub mod failure; // errors of the rooms below -> one Failure
pub mod fetch; // the plan's calls, each stage all at once
pub mod poller; // looks of our own, in time
pub mod publish; // what a pod is to have, and who writes it
pub mod render; // answers -> files
pub mod report; // what the log tells of a mount
pub mod respond; // a payload -> MountResponse
pub mod service; // requests in, answers out
pub mod templates; // the templates of a mount, written together

pub use authenticate::PodTokenSource;
pub use poller::Poller;
pub use service::{Provider, Services};

use std::sync::Arc;

use crate::blocking;
use crate::error::Failure;
use crate::limits::Budget;
use crate::mount::fetch::fill;
use crate::mount::publish::Published;
use crate::mount::render::contents;
use crate::payload::Payload;
use crate::plan::Plan;
use crate::provider_api::{MountRequest, MountResponse};
use crate::spec::{MountSpec, PodToken};
use crate::volume::Volume;
use crate::writer::{Change, Trigger};

/// A mount that succeeded.
pub(crate) struct MountOutcome {
    pub(crate) response: MountResponse,
    /// Whether the driver has something to write, or to take note of.
    pub(crate) changed: bool,
}

impl Provider {
    /// Fills the volume that `request` asks for: all of its files, or the failure that names what is missing.
    pub(crate) async fn fill_volume(
        &self,
        request: &MountRequest,
        budget: &Budget,
    ) -> Result<MountOutcome, Failure> {
        let mut spec = self.parse(request)?;
        let volume = self.services.volumes.open(&spec);
        let (payload, written) = self.fill(&volume, &mut spec, Trigger::DriverRequest, budget).await?;
        let response =
            respond::response(&payload, &spec.pod.namespace, &self.services.version_key, written.is_none());
        Ok(MountOutcome { changed: volume.versions_changed(&response.object_version), response })
    }

    /// Looks at a volume whose files we wrote: what has changed is written. `None` where the driver writes them from now on.
    pub(crate) async fn look(
        &self,
        volume: &Arc<Volume>,
        spec: &mut MountSpec,
        budget: &Budget,
    ) -> Result<Option<Change>, Failure> {
        let (_, written) = self.fill(volume, spec, Trigger::Poll, budget).await?;
        Ok(written)
    }

    /// Fetches what `volume` is to hold, and writes it where that is ours to do; what was written, if we did.
    async fn fill(
        &self,
        volume: &Arc<Volume>,
        spec: &mut MountSpec,
        why: Trigger,
        budget: &Budget,
    ) -> Result<Published, Failure> {
        report::spec(spec, &self.services.repeats);
        let patience = volume.fetch_budget(spec, budget);
        let _place = match self.services.turns.take(&spec.pod.namespace, patience.end()).await {
            Ok(place) => place,
            Err(failure) => return self.stand_in(volume, spec, failure, why).await,
        };
        let budget = &patience.of(&spec.pod.namespace, &self.services.bytes);
        let token = match why {
            Trigger::DriverRequest => {
                Some(self.services.tokens.of(spec, self.defaults.flavor, budget).await?)
            }
            Trigger::Poll => self.services.tokens.at_hand(volume, spec, self.defaults.flavor, budget).await,
        };
        let Ok(_turn) = volume.lock(budget).await else {
            return self.stand_in(volume, spec, failure::turn(spec), why).await;
        };
        if why == Trigger::Poll && volume.remembered_request().as_ref() != Some(&spec.published) {
            return Err(failure::overtaken(spec));
        }
        let fetched = self.fetch(volume, spec, token, why, budget).await;
        self.give(volume, spec, fetched, why).await
    }

    /// The content of `volume`, as Vault has it now.
    async fn fetch(
        &self,
        volume: &Volume,
        spec: &MountSpec,
        token: Option<Arc<PodToken>>,
        why: Trigger,
        budget: &Budget,
    ) -> Result<Payload, Failure> {
        let plan = Plan::new(&spec.objects);
        let visit = self.services.volumes.fetch_context(volume, spec, token, why);
        templates::check(&spec.objects, &self.services.checked, budget)
            .await
            .map_err(|unfilled| failure::objects(spec, &unfilled))?;
        visit.log_in(&plan, budget).await.map_err(|error| failure::login(spec, &error))?;
        let answers = fill(&plan, &visit, budget).await;
        report::answers(visit.calls(), &answers);
        let mut written = templates::write(&spec.objects, &answers, volume.rendered(), budget).await;
        let had = volume.keyed();
        let contents = blocking::run_if_large(answers.weight(), || {
            contents(&spec.objects, &answers, &mut written, had.as_deref())
        });
        let contents = contents.map_err(|unfilled| failure::objects(spec, &unfilled))?;
        volume.set_next_keyed(contents.keyed());
        report::warnings(spec, &[contents.warnings, visit.warnings()].concat(), &self.services.repeats);
        Payload::new(contents.files, contents.absent).map_err(|error| failure::payload(&error))
    }
}
