//! Errors of the modules below -> one `Failure` for the author of the pod. The same failure always has the same text.

use std::fmt::Write;

use crate::engine::FetchError;
use crate::error::{Failure, Reason};
use crate::payload::PayloadError;
use crate::spec::MountSpec;
use crate::vault::VaultError;
use crate::writer::WriteError;

/// Objects that a message names; further ones are counted.
const NAMED: usize = 8;

/// Bytes of the texts about objects together with the text about the server, so that a long list does not cut off the end of the message.
const OBJECTS_BYTES: usize = 740;

/// An object that has no file.
pub(super) struct ObjectError {
    pub(super) name: String,
    pub(super) error: FetchError,
}

/// Another mount of the same volume runs, and did not end in time.
pub(super) fn volume_busy(spec: &MountSpec) -> Failure {
    Failure::new(
        Reason::Overload,
        format!("an earlier mount of this volume is still running; the kubelet will retry ({})", place(spec)),
    )
}

/// While a poll waited, the driver requested another class for the volume.
pub(super) fn superseded(spec: &MountSpec) -> Failure {
    Failure::new(
        Reason::Overload,
        format!("the class of the volume changed while a poll waited for it ({})", place(spec)),
    )
}

/// No Vault token.
pub(super) fn login(spec: &MountSpec, error: &VaultError) -> Failure {
    let pod = &spec.pod;
    let account = format!("service account {}/{}", pod.namespace, pod.service_account);
    let failure = Failure::new(error.reason(), format!("{error} ({account}, {})", place(spec)));
    failure.with_remedy(error.has_remedy())
}

/// Some objects have no file. The reason is that of the first one; a different reason of another one stands before its text.
pub(super) fn objects(spec: &MountSpec, errors: &[ObjectError]) -> Failure {
    let reason = errors.first().map_or(Reason::Bug, |first| first.error.reason);
    let (named, rest) = errors.split_at(errors.len().min(NAMED));
    let mut what = String::new();
    for (at, group) in named.chunk_by(|one, next| one.error.what == next.error.what).enumerate() {
        what.push_str(if at == 0 { "" } else { "; " });
        what.push_str(&objects_alike(group, reason));
    }
    let place = place(spec);
    if let Some(limit) = OBJECTS_BYTES.checked_sub(place.len()).filter(|limit| what.len() > *limit) {
        what.truncate(what.floor_char_boundary(limit));
        what.push_str("...");
    }
    if !rest.is_empty() {
        let _ = write!(what, "; and {} more", rest.len());
    }
    // The advice of the reason is for the objects with this reason that have no better one.
    let needs_advice = |one: &ObjectError| one.error.reason == reason && !one.error.has_remedy;
    Failure::new(reason, format!("{what} ({place})")).with_remedy(!errors.iter().any(needs_advice))
}

/// The files were fetched but not written.
pub(super) fn write(spec: &MountSpec, error: &WriteError) -> Failure {
    Failure::new(error.reason(), format!("writing the volume: {error} ({})", place(spec)))
}

/// The files cannot be in one volume together.
pub(super) fn payload(error: &PayloadError) -> Failure {
    Failure::new(error.reason(), error.to_string())
}

/// Objects with the same error, by their names: `objects "user", "password": read database/creds/app: 403`.
fn objects_alike(group: &[ObjectError], reason: Reason) -> String {
    let names: Vec<_> = group.iter().map(|one| format!("{:?}", one.name)).collect();
    let noun = if names.len() == 1 { "object" } else { "objects" };
    let other = group
        .first()
        .filter(|one| one.error.reason != reason)
        .map_or(String::new(), |one| format!("{}: ", one.error.reason));
    let what = group.first().map_or("", |one| one.error.what.as_str());
    format!("{noun} {}: {other}{what}", names.join(", "))
}

fn place(spec: &MountSpec) -> String {
    let namespace = spec
        .server
        .namespace
        .as_ref()
        .map_or(String::new(), |namespace| format!(", namespace {namespace:?}"));
    format!(
        "role {:?}, auth mount {:?}{namespace}, server {}",
        spec.auth.role, spec.auth.mount, spec.server.address
    )
}
