//! What the log tells of a mount: one span while it lasts, one line at its end.

use std::time::Duration;

use metrics::{counter, histogram};
use tracing::field::Empty;
use tracing::{Span, debug, error_span, info, warn};

use super::repeats::Repeats;
use super::wire::MountResponse;
use crate::config::MountSpec;
use crate::engine::{Answers, Fetched};
use crate::error::Failure;
use crate::volume::Payload;

/// The span of a mount that has only just come in; `mount.id` tells two mounts of one pod apart.
pub(super) fn span(id: u64) -> Span {
    error_span!(
        "mount",
        mount.id = id,
        pod.namespace = Empty,
        pod.name = Empty,
        pod.uid = Empty,
        service_account = Empty,
        spc = Empty,
        role = Empty,
        server = Empty,
        vault.calls = Empty,
        vault.request_ids = Empty
    )
}

/// Tells whose mount it is, where its secrets are, and what is odd about its class.
pub(super) fn spec(spec: &MountSpec, repeats: &Repeats) {
    let span = Span::current();
    span.record("pod.namespace", &spec.pod.namespace).record("pod.name", &spec.pod.name).record("pod.uid", &spec.pod.uid);
    span.record("service_account", &spec.pod.service_account).record("role", &spec.auth.role);
    span.record("server", spec.server.address.to_string());
    if let Some(class) = &spec.class {
        span.record("spc", class);
    }
    warnings(spec, &spec.warnings, repeats);
}

/// Tells what is odd about a class or its secrets and no failure.
pub(super) fn warnings(spec: &MountSpec, warnings: &[String], repeats: &Repeats) {
    for warning in warnings {
        let class = spec.class.as_deref().unwrap_or_default();
        if repeats.known(&format!("{}/{class}: {warning}", spec.pod.namespace), Some(warning)) {
            debug!("{warning}");
        } else {
            warn!("{warning}");
        }
    }
}

/// Tells how often Vault was asked, and by which ids its audit log knows the answers.
pub(super) fn answers(calls: usize, answers: &Answers<'_>) {
    let mut ids: Vec<_> = answers.fetched().filter_map(Fetched::request_id).collect();
    ids.sort_unstable();
    ids.dedup();
    Span::current().record("vault.calls", calls).record("vault.request_ids", ids.join(","));
}

/// Tells of a payload that is large, though it travels.
pub(super) fn payload(spec: &MountSpec, payload: &Payload, repeats: &Repeats) {
    if let Some(bytes) = payload.large() {
        warnings(
            spec,
            &[format!("the files hold {bytes} bytes: over 1 MiB the driver is slow, and no Kubernetes Secret can hold them")],
            repeats,
        );
    }
}

/// The one line at the end of a mount of `volume`.
pub(super) fn end(span: &Span, repeats: &Repeats, volume: &str, outcome: &Result<MountResponse, Failure>, took: Duration) {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let failure = outcome.as_ref().err().map(Failure::message);
    count(outcome, took);
    let known = repeats.known(volume, failure.as_deref());
    span.in_scope(|| match outcome {
        Ok(response) => info!(reason = "ok", files = response.files.len(), took_ms, "mounted"),
        Err(failure) if known => debug!(reason = failure.reason.code(), took_ms, "still not mounted: {}", failure.message()),
        Err(failure) => warn!(reason = failure.reason.code(), took_ms, "not mounted: {}", failure.message()),
    });
}

fn count(outcome: &Result<MountResponse, Failure>, took: Duration) {
    let reason = outcome.as_ref().map_or_else(|failure| failure.reason.code(), |_| "ok");
    counter!("vaultmount_mounts_total", "reason" => reason).increment(1);
    let outcome = if outcome.is_ok() { "ok" } else { "failed" };
    histogram!("vaultmount_mount_duration_seconds", "outcome" => outcome).record(took);
}
