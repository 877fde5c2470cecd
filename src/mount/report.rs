//! What the log tells of a mount: one span while it lasts, one line at its end.

use std::time::Duration;

use metrics::{counter, histogram};
use tracing::field::Empty;
use tracing::{Span, debug, error_span, info, record_all, warn};

use super::MountOutcome;
use crate::engine::{Fetched, Responses};
use crate::error::Failure;
use crate::payload::Payload;
use crate::spec::MountSpec;
use crate::telemetry::log_throttle::LogThrottle;
use crate::writer::Change;

/// The span of a mount that has only just come in; `mount.id` tells two mounts of one pod apart.
pub(crate) fn span(id: u64) -> Span {
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
pub(crate) fn spec(spec: &MountSpec, repeats: &LogThrottle) {
    // At once: every call writes all that the span has anew.
    record_all!(
        Span::current(),
        pod.namespace = spec.pod.namespace,
        pod.name = spec.pod.name,
        pod.uid = spec.pod.uid,
        service_account = spec.pod.service_account,
        spc = spec.class,
        role = spec.auth.role,
        server = %spec.server.address
    );
    warnings(spec, &spec.warnings, repeats);
}

/// Tells what is odd about a class or its secrets and no failure.
pub(crate) fn warnings(spec: &MountSpec, warnings: &[String], repeats: &LogThrottle) {
    for warning in warnings {
        let class = spec.class.as_deref().unwrap_or_default();
        if repeats.is_known(&format!("{}/{class}: {warning}", spec.pod.namespace), Some(warning)) {
            debug!("{warning}");
        } else {
            warn!("{warning}");
        }
    }
}

/// Tells how often Vault was asked, and by which ids its audit log knows the answers.
pub(crate) fn answers(calls: usize, answers: &Responses<'_>) {
    let mut ids: Vec<_> = answers.fetched().filter_map(Fetched::request_id).collect();
    ids.sort_unstable();
    ids.dedup();
    record_all!(Span::current(), vault.calls = calls, vault.request_ids = ids.join(","));
}

/// Tells of a payload that is large, though it travels.
pub(crate) fn payload(spec: &MountSpec, payload: &Payload, repeats: &LogThrottle) {
    if let Some(bytes) = payload.large_size() {
        warnings(
            spec,
            &[format!(
                "the files hold {bytes} bytes: over 1 MiB the driver is slow, and no Kubernetes Secret can hold them"
            )],
            repeats,
        );
    }
}

/// Tells why the driver writes the files of a class that wants us to, if so.
pub(crate) fn left(spec: &MountSpec, why: Option<&str>, repeats: &LogThrottle) {
    let Some(why) = why else { return };
    counter!("vaultmount_writes_total", "change" => "left").increment(1);
    // Each pod of a class has the same reason, in a path of its own.
    let class = format!("{}/{}: writer", spec.pod.namespace, spec.class.as_deref().unwrap_or_default());
    let known = repeats.is_known(&class, Some("left"));
    let told = format!(
        "writer: provider has no effect, the driver writes the files, as root's: {why}; deploy/own-writer gives the rights"
    );
    if known { debug!("{told}") } else { warn!("{told}") }
}

/// The one line at the end of a look of our own at `volume`: nothing to speak of is told to those who ask for everything.
pub(crate) fn look(
    span: &Span,
    repeats: &LogThrottle,
    volume: &str,
    outcome: &Result<Option<Change>, Failure>,
    took: Duration,
) {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let reason = outcome.as_ref().map_or_else(|failure| failure.reason.code(), |_| "ok");
    counter!("vaultmount_looks_total", "reason" => reason).increment(1);
    let failure = outcome.as_ref().err().map(Failure::message);
    let known = repeats.is_known(&format!("look {volume}"), failure.as_deref());
    span.in_scope(|| match outcome {
        Ok(Some(change)) if *change != Change::Unchanged => {
            info!(reason, change = change.name(), took_ms, "the files were written")
        }
        Ok(_) => debug!(reason, took_ms, "nothing changed"),
        Err(failure) if known => debug!(reason, took_ms, "the look still fails: {}", failure.message()),
        Err(failure) => warn!(reason, took_ms, "the look failed: {}", failure.message()),
    });
}

/// The one line at the end of a mount of `volume`; below `info` where the driver has nothing to write.
pub(crate) fn end(
    span: &Span,
    repeats: &LogThrottle,
    volume: &str,
    outcome: &Result<MountOutcome, Failure>,
    took: Duration,
) {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let failure = outcome.as_ref().err().map(Failure::message);
    count(outcome, took);
    let known = repeats.is_known(volume, failure.as_deref());
    span.in_scope(|| match outcome {
        Ok(MountOutcome { response, changed: true }) => {
            info!(reason = "ok", files = response.object_version.len(), took_ms, "mounted")
        }
        Ok(MountOutcome { response, .. }) => {
            debug!(reason = "ok", files = response.object_version.len(), took_ms, "nothing changed")
        }
        Err(failure) if known => {
            debug!(reason = failure.reason.code(), took_ms, "still not mounted: {}", failure.message())
        }
        Err(failure) => warn!(reason = failure.reason.code(), took_ms, "not mounted: {}", failure.message()),
    });
}

fn count(outcome: &Result<MountOutcome, Failure>, took: Duration) {
    let reason = outcome.as_ref().map_or_else(|failure| failure.reason.code(), |_| "ok");
    counter!("vaultmount_mounts_total", "reason" => reason).increment(1);
    let outcome = if outcome.is_ok() { "ok" } else { "failed" };
    histogram!("vaultmount_mount_duration_seconds", "outcome" => outcome).record(took);
}
