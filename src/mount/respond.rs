//! A payload -> MountResponse.

use crate::payload::{File, Payload, VersionKey};
use crate::provider_api;
use crate::provider_api::{MountResponse, ObjectVersion};

/// The version of an optional file of which nothing was found: no digest, so no file can have it.
const ABSENT: &str = "absent";

/// What the driver gets: one version a file with its path as id, and the whole volume where it writes that.
pub(crate) fn response(
    payload: &Payload,
    namespace: &str,
    key: &VersionKey,
    with_files: bool,
) -> MountResponse {
    let version =
        |file: &File| ObjectVersion { id: file.path.to_string(), version: key.version(namespace, file) };
    let absent = |name: &String| ObjectVersion { id: name.clone(), version: ABSENT.into() };
    let object_version =
        payload.files().iter().map(version).chain(payload.absent().iter().map(absent)).collect();
    let files = payload.files().iter().filter(|_| with_files).map(to_wire).collect();
    MountResponse { object_version, error: None, files }
}

fn to_wire(file: &File) -> provider_api::File {
    // Goes to the driver; the copy dies with the answer.
    let contents = file.contents.expose().to_vec();
    provider_api::File { path: file.path.to_string(), mode: file.mode.cast_signed(), contents }
}
