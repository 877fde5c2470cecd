//! The mount on one page.

use super::answer;
use super::blame;
use super::contents::contents;
use super::fill::fill;
use super::record;
use super::service::Provider;
use super::templates;
use super::wire::{MountRequest, MountResponse};
use crate::aside;
use crate::config::{MountSpec, PodToken};
use crate::error::Failure;
use crate::plan::Plan;
use crate::vault::Budget;
use crate::volume::Payload;
use crate::volumes::Volume;

/// A mount that succeeded.
pub(super) struct Filled {
    pub(super) response: MountResponse,
    /// Whether the driver has something to write.
    pub(super) changed: bool,
}

impl Provider {
    /// Fills the volume that `request` asks for: all of its files, or the failure that names what is missing.
    pub(super) async fn fill_volume(&self, request: &MountRequest, budget: &Budget) -> Result<Filled, Failure> {
        let mut spec = self.parse(request)?;
        record::spec(&spec, &self.rooms.repeats);
        let volume = self.rooms.volumes.open(&spec);
        let patience = volume.patience(&spec, budget);
        let _place = match self.rooms.turns.take(&spec.pod.namespace, patience.end()).await {
            Ok(place) => place,
            Err(failure) => return self.filled(&volume, &spec, Err(failure)),
        };
        let budget = &patience.of(&spec.pod.namespace, &self.rooms.bytes);
        let token = self.rooms.tokens.of(&mut spec, self.defaults.flavor, budget).await?;
        let Ok(_turn) = volume.turn(budget).await else {
            return self.filled(&volume, &spec, Err(blame::turn(&spec)));
        };
        let fetched = self.fetch(&spec, token, &volume, budget).await;
        self.filled(&volume, &spec, fetched)
    }

    /// The answer: what was fetched, or what stands in for it.
    fn filled(&self, volume: &Volume, spec: &MountSpec, fetched: Result<Payload, Failure>) -> Result<Filled, Failure> {
        let payload = self.rooms.volumes.settle(volume, spec, fetched)?;
        record::payload(spec, &payload, &self.rooms.repeats);
        let response = answer::response(&payload, &spec.pod.namespace, &self.rooms.version_key);
        Ok(Filled { changed: volume.changes(&response.object_version), response })
    }

    /// The content of `volume`, as Vault has it now.
    async fn fetch(&self, spec: &MountSpec, token: PodToken, volume: &Volume, budget: &Budget) -> Result<Payload, Failure> {
        let plan = Plan::new(&spec.objects);
        let visit = self.rooms.volumes.visit(volume, spec, token);
        visit.log_in(&plan, budget).await.map_err(|error| blame::login(spec, &error))?;
        let answers = fill(&plan, &visit, budget).await;
        record::answers(visit.calls(), &answers);
        let mut written = templates::write(&spec.objects, &answers, volume.texts(), budget).await;
        let contents = aside::run_if_large(answers.weight(), || contents(&spec.objects, &answers, &mut written));
        let contents = contents.map_err(|unfilled| blame::objects(spec, &unfilled))?;
        record::warnings(spec, &[contents.warnings, visit.warnings()].concat(), &self.rooms.repeats);
        Payload::new(contents.files, contents.absent).map_err(|error| blame::payload(&error))
    }
}
