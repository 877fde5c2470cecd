//! The mount on one page.

use super::answer;
use super::blame;
use super::contents::contents;
use super::fill::fill;
use super::record;
use super::service::Provider;
use super::templates;
use super::wire::{MountRequest, MountResponse};
use crate::error::Failure;
use crate::plan::Plan;
use crate::vault::Budget;
use crate::volume::Payload;

impl Provider {
    /// Fills the volume that `request` asks for: all of its files, or the failure that names what is missing.
    pub(super) async fn fill_volume(&self, request: &MountRequest, budget: Budget) -> Result<MountResponse, Failure> {
        let mut spec = self.parse(request)?;
        record::spec(&spec, &self.rooms.repeats);
        let token = self.rooms.tokens.of(&mut spec, self.defaults.flavor, budget).await?;
        let plan = Plan::new(&spec.objects);
        let server = self.rooms.vaults.server(&spec.server).map_err(|error| blame::server(&spec, &error))?;
        let login = server.login(&spec.auth, &token.jwt, budget).await.map_err(|error| blame::login(&spec, &error))?;
        let shelf = self.rooms.kept.of(&spec);
        shelf.only(&spec.objects);
        let answers = fill(&plan, &login, &shelf, budget).await;
        self.rooms.close(login);
        record::answers(plan.calls() - shelf.found(), &answers);
        let mut written = templates::write(&spec.objects, &answers, &shelf, budget).await;
        let contents = contents(&spec.objects, &answers, &mut written).map_err(|unfilled| blame::objects(&spec, &unfilled))?;
        record::warnings(&spec, &contents.warnings, &self.rooms.repeats);
        let payload = Payload::new(contents.files, contents.absent).map_err(|error| blame::payload(&error))?;
        record::payload(&spec, &payload, &self.rooms.repeats);
        Ok(answer::response(payload, &spec.pod.namespace, &self.rooms.version_key))
    }
}
