//! The log of a mount: one span while it runs, one line at its end.

use std::time::Duration;

use metrics::{counter, histogram};
use tracing::field::Empty;
use tracing::{Span, debug, error_span, info, record_all, warn};

use crate::engine::{Fetched, Responses};
use crate::error::Failure;
use crate::payload::Payload;
use crate::spec::MountSpec;
use crate::telemetry::log_throttle::LogThrottle;
use crate::writer::Change;

/// The span of a mount that has just begun. `mount.id` distinguishes two mounts of one pod.
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

/// Records the pod, the class and the server in the span, and logs the warnings about the class.
pub(super) fn spec(spec: &MountSpec, throttle: &LogThrottle) {
    // One call for all fields: every call formats all fields of the span again.
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
    warnings(spec, &spec.warnings, throttle);
}

/// Logs what is unusual about a class or its secrets but does not fail the mount.
pub(super) fn warnings(spec: &MountSpec, warnings: &[String], throttle: &LogThrottle) {
    for warning in warnings {
        let class = spec.class.as_deref().unwrap_or_default();
        if throttle.is_known(&format!("{}/{class}: {warning}", spec.pod.namespace), Some(warning)) {
            debug!("{warning}");
        } else {
            warn!("{warning}");
        }
    }
}

/// Records the number of calls to Vault, and the request ids by which Vault's audit log names them.
pub(super) fn responses(calls: usize, responses: &Responses<'_>) {
    let mut ids: Vec<_> = responses.fetched().filter_map(Fetched::request_id).collect();
    ids.sort_unstable();
    ids.dedup();
    record_all!(Span::current(), vault.calls = calls, vault.request_ids = ids.join(","));
}

/// Warns of a payload that is large but can still be sent.
pub(super) fn payload(spec: &MountSpec, payload: &Payload, throttle: &LogThrottle) {
    if let Some(bytes) = payload.large_size() {
        warnings(
            spec,
            &[format!(
                "the files hold {bytes} bytes: over 1 MiB the driver is slow, and no Kubernetes Secret can hold them"
            )],
            throttle,
        );
    }
}

/// Warns that the driver writes the files although the class wants vaultmount to, and says `why`.
pub(super) fn driver_writes(spec: &MountSpec, why: Option<&str>, throttle: &LogThrottle) {
    let Some(why) = why else { return };
    counter!("vaultmount_writes_total", "change" => "left").increment(1);
    // Once for each class: `why` names the path of one pod, so its text differs for every pod.
    let class = format!("{}/{}: writer", spec.pod.namespace, spec.class.as_deref().unwrap_or_default());
    let known = throttle.is_known(&class, Some("left"));
    let warning = format!(
        "writer: provider has no effect: the driver writes the files, and root owns them. {why}. deploy/own-writer gives the rights"
    );
    if known { debug!("{warning}") } else { warn!("{warning}") }
}

/// A poll that succeeded.
#[derive(Default)]
pub(super) struct Polled {
    /// What was written; `None` if the driver writes the volume from now on, or if the volume is at its end.
    pub(super) change: Option<Change>,
    /// Whether the content is the last known good content.
    pub(super) is_stale: bool,
}

/// The values of the label `stale`.
fn stale_label(is_stale: bool) -> &'static str {
    if is_stale { "true" } else { "false" }
}

/// The one log line at the end of a poll of `volume`, and its count. At debug if nothing changed.
pub(super) fn poll_ended(
    span: &Span,
    throttle: &LogThrottle,
    volume: &str,
    outcome: &Result<Polled, Failure>,
    took: Duration,
) {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let reason = outcome.as_ref().map_or_else(|failure| failure.reason.code(), |_| "ok");
    let stale = outcome.as_ref().is_ok_and(|polled| polled.is_stale);
    counter!("vaultmount_looks_total", "reason" => reason, "stale" => stale_label(stale)).increment(1);
    let failure = outcome.as_ref().err().map(Failure::message);
    let known = throttle.is_known(&format!("look {volume}"), failure.as_deref());
    span.in_scope(|| match outcome {
        Ok(Polled { change: Some(change), .. }) if *change != Change::Unchanged => {
            info!(reason, stale, change = change.name(), took_ms, "the files were written")
        }
        Ok(_) => debug!(reason, stale, took_ms, "nothing changed"),
        Err(failure) if known => debug!(reason, took_ms, "the poll still fails: {}", failure.message()),
        Err(failure) => warn!(reason, took_ms, "the poll failed: {}", failure.message()),
    });
}

/// A mount that succeeded, as its log line shows it.
pub(super) struct Mounted {
    pub(super) files: usize,
    /// Whether the driver has something to write or to store.
    pub(super) is_changed: bool,
    /// Whether the content is the last known good content.
    pub(super) is_stale: bool,
}

/// The one log line at the end of a mount of `volume`, and its count. At debug if the driver has nothing to write.
pub(super) fn mount_ended(
    span: &Span,
    throttle: &LogThrottle,
    volume: &str,
    outcome: &Result<Mounted, &Failure>,
    took: Duration,
) {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let failure = outcome.as_ref().err().map(|failure| failure.message());
    let reason = outcome.as_ref().map_or_else(|failure| failure.reason.code(), |_| "ok");
    let is_ok = if outcome.is_ok() { "ok" } else { "failed" };
    let stale = outcome.as_ref().is_ok_and(|mounted| mounted.is_stale);
    counter!("vaultmount_mounts_total", "reason" => reason, "stale" => stale_label(stale)).increment(1);
    histogram!("vaultmount_mount_duration_seconds", "outcome" => is_ok).record(took);
    let known = throttle.is_known(volume, failure.as_deref());
    span.in_scope(|| match outcome {
        Ok(Mounted { files, is_changed: true, .. }) => info!(reason, stale, files, took_ms, "mounted"),
        Ok(Mounted { files, is_changed: false, .. }) => {
            debug!(reason, stale, files, took_ms, "nothing changed")
        }
        Err(failure) if known => debug!(reason, took_ms, "still not mounted: {}", failure.message()),
        Err(failure) => warn!(reason, took_ms, "not mounted: {}", failure.message()),
    });
}
