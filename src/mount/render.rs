//! Responses -> the files of the volume, all of them or an error that names what is missing.

use super::files::files;
use super::{Mount, Services, failure, report, templates};
use crate::blocking;
use crate::engine::Responses;
use crate::error::Failure;
use crate::limits::Budget;
use crate::payload::Payload;
use crate::volume::FetchContext;

/// Renders the templates, then all files, and checks them together. The volume remembers which files came from keys.
pub(super) async fn render(
    services: &Services,
    mount: &Mount,
    context: &FetchContext<'_>,
    responses: Responses<'_>,
    budget: &Budget,
) -> Result<Payload, Failure> {
    let (spec, volume) = (&mount.spec, &mount.volume);
    let mut rendered = templates::render(&spec.objects, &responses, volume.texts(), budget).await;
    let previous = volume.keyed();
    let files = blocking::run_if_large(responses.weight(), || {
        files(&spec.objects, &responses, &mut rendered, previous.as_deref())
    });
    let files = files.map_err(|errors| failure::objects(spec, &errors))?;
    volume.will_have(files.keyed());
    let warnings = [files.warnings, context.warnings()].concat();
    report::warnings(spec, &warnings, &services.log_throttle);
    Payload::new(files.files, files.absent).map_err(|error| failure::payload(&error))
}
