//! Files -> MountResponse.

use super::wire::{self, MountResponse, ObjectVersion};
use crate::config::Object;
use crate::error::Reason;
use crate::plan::Plan;
use crate::render;
use crate::vault::{Answer, VaultError};
use crate::volume::{File, Payload, VersionKey};

/// An object without a file: which, why, and what was tried.
pub(super) struct Unfilled<'a> {
    pub(super) object: &'a Object,
    pub(super) reason: Reason,
    pub(super) what: String,
}

/// Every file of the volume, or every object that has none.
pub(super) fn files<'a>(plan: &Plan<'a>, answers: &[Result<Answer, VaultError>]) -> Result<Vec<File>, Vec<Unfilled<'a>>> {
    let mut files = Vec::with_capacity(plan.uses.len());
    let mut unfilled = Vec::new();
    for (object, place) in &plan.uses {
        match file(object, &answers[*place]) {
            Ok(file) => files.push(file),
            Err((reason, what)) => unfilled.push(Unfilled { object, reason, what }),
        }
    }
    if unfilled.is_empty() { Ok(files) } else { Err(unfilled) }
}

fn file(object: &Object, answer: &Result<Answer, VaultError>) -> Result<File, (Reason, String)> {
    let answer = answer.as_ref().map_err(|error| (error.reason(), error.to_string()))?;
    let contents = render::contents(object, answer.members()).map_err(|error| (error.reason(), error.to_string()))?;
    Ok(File { path: object.name.clone(), mode: object.mode, contents })
}

/// What the driver gets: the whole volume, and one version a file with its path as id.
pub(super) fn response(payload: Payload, namespace: &str, key: &VersionKey) -> MountResponse {
    let version = |file: &File| ObjectVersion { id: file.path.to_string(), version: key.version(namespace, file) };
    let object_version = payload.files().iter().map(version).collect();
    let files = payload.into_files().into_iter().map(to_wire).collect();
    MountResponse { object_version, error: None, files }
}

fn to_wire(file: File) -> wire::File {
    // Goes to the driver; the copy dies with the answer.
    let contents = file.contents.expose().to_vec();
    wire::File { path: file.path.to_string(), mode: file.mode.cast_signed(), contents }
}
