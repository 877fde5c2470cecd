//! Errors of the rooms below -> one Failure, told to the pod's author: the same text for the same failure.

use std::fmt::Write;

use crate::error::{Failure, Reason};
use crate::mount::render::ObjectError;
use crate::payload::PayloadError;
use crate::spec::MountSpec;
use crate::vault::VaultError;
use crate::writer::WriteError;

/// Objects that a message names; the rest is counted.
const NAMED: usize = 8;

/// Another mount of the same volume took all of the time.
pub(crate) fn turn(spec: &MountSpec) -> Failure {
    Failure::new(
        Reason::Overload,
        format!("the mount before of the same volume has not ended ({})", place(spec)),
    )
}

/// While a look waited, the driver came with another class.
pub(crate) fn overtaken(spec: &MountSpec) -> Failure {
    Failure::new(
        Reason::Overload,
        format!("the volume was asked to hold something else while a look waited for it ({})", place(spec)),
    )
}

/// No login.
pub(crate) fn login(spec: &MountSpec, error: &VaultError) -> Failure {
    let pod = &spec.pod;
    let account = format!("service account {}/{}", pod.namespace, pod.service_account);
    Failure::new(error.reason(), format!("{error}, {account} ({})", place(spec)))
}

/// Some objects have no file: the first one's reason stands for all, the others' beside them where they differ.
pub(crate) fn objects(spec: &MountSpec, unfilled: &[ObjectError]) -> Failure {
    let reason = unfilled.first().map_or(Reason::Bug, |first| first.miss.reason);
    let (named, rest) = unfilled.split_at(unfilled.len().min(NAMED));
    let mut what = String::new();
    for (at, group) in named.chunk_by(|one, next| one.miss.what == next.miss.what).enumerate() {
        what.push_str(if at == 0 { "" } else { "; " });
        what.push_str(&told(group, reason));
    }
    if !rest.is_empty() {
        let _ = write!(what, "; and {} more", rest.len());
    }
    Failure::new(reason, format!("{what} ({})", place(spec)))
}

/// The files were fetched, and not written.
pub(crate) fn write(spec: &MountSpec, error: &WriteError) -> Failure {
    Failure::new(error.reason(), format!("writing the volume: {error} ({})", place(spec)))
}

/// The files are no volume together.
pub(crate) fn payload(error: &PayloadError) -> Failure {
    Failure::new(error.reason(), error.to_string())
}

/// Objects that failed alike, by their names: `objects "user", "password": read database/creds/app: 403`.
fn told(group: &[ObjectError], reason: Reason) -> String {
    let names: Vec<_> = group.iter().map(|one| format!("{:?}", one.name)).collect();
    let noun = if names.len() == 1 { "object" } else { "objects" };
    let other = group
        .first()
        .filter(|one| one.miss.reason != reason)
        .map_or(String::new(), |one| format!("{}: ", one.miss.reason));
    let what = group.first().map_or("", |one| one.miss.what.as_str());
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
