//! The metrics, for Prometheus. Modules count by the names in this file through the `metrics` facade, as they log through `tracing`.

use metrics::{Label, Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::error::Reason;

/// A metric, as in the documentation.
struct Metric {
    name: &'static str,
    kind: Kind,
    /// The labels and their values, each in backticks: a word of a short list, never a pod, a path or a role.
    labels: &'static str,
    meaning: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// All metrics.
const METRICS: [Metric; 24] = [
    Metric {
        name: "vaultmount_build_info",
        kind: Kind::Gauge,
        labels: "`version`: the version of vaultmount",
        meaning: "always 1; the label has the version that runs",
    },
    Metric {
        name: "vaultmount_mounts_total",
        kind: Kind::Counter,
        labels: "`reason`: `ok` or a name of errors.md; `stale`: `true` for last known good content, `false`",
        meaning: "mounts that have ended, first ones and republishes; a mount that returned the last known good content has the reason `ok` and `stale=\"true\"`",
    },
    Metric {
        name: "vaultmount_mount_duration_seconds",
        kind: Kind::Histogram,
        labels: "`outcome`: `ok`, `failed`",
        meaning: "time from a mount's request to its response",
    },
    Metric {
        name: "vaultmount_mounts_in_flight",
        kind: Kind::Gauge,
        labels: "",
        meaning: "mounts that have started and not ended",
    },
    Metric {
        name: "vaultmount_looks_total",
        kind: Kind::Counter,
        labels: "`reason`: `ok` or a name of errors.md; `stale`: `true` for last known good content, `false`",
        meaning: "polls of volumes whose files vaultmount writes; a poll that used the last known good content has the reason `ok` and `stale=\"true\"`",
    },
    Metric {
        name: "vaultmount_writes_total",
        kind: Kind::Counter,
        labels: "`change`: `swapped`, `modes` (only modes or owners), `names` (only links: what a killed process left unfinished, or a manual change), `unchanged`, `left` (the driver writes, although the class wants vaultmount to write)",
        meaning: "writes of volumes, at mounts and polls, by vaultmount or left to the driver",
    },
    Metric {
        name: "vaultmount_vault_calls_total",
        kind: Kind::Counter,
        labels: "`kind`: `login`, `read`, `write`, `keep` (renewals, revocations); `status`: the HTTP status, `other`, or `none` without an answer",
        meaning: "calls to Vault; each attempt of a retried call counts",
    },
    Metric {
        name: "vaultmount_logins_closed_total",
        kind: Kind::Counter,
        labels: "`how`: `revoked`, `left` (not revoked, because a pod may still need its leases), `kept` (saved for the next process), `failed`",
        meaning: "Vault tokens that no volume uses any more",
    },
    Metric {
        name: "vaultmount_logins_total",
        kind: Kind::Counter,
        labels: "`outcome`: `ok`, `failed`",
        meaning: "attempted logins",
    },
    Metric {
        name: "vaultmount_tokens",
        kind: Kind::Gauge,
        labels: "",
        meaning: "Vault tokens that volumes use, and those that are being revoked",
    },
    Metric {
        name: "vaultmount_leases",
        kind: Kind::Gauge,
        labels: "",
        meaning: "leases that vaultmount renews",
    },
    Metric {
        name: "vaultmount_volumes",
        kind: Kind::Gauge,
        labels: "`freshness`: `fresh`, `stale` (the last fetch failed, or there was none since the start: the files may be older than Vault's values), `static` (the driver writes and does not republish, so no token arrives), `empty`",
        meaning: "volumes of the node",
    },
    Metric {
        name: "vaultmount_volumes_unseen",
        kind: Kind::Gauge,
        labels: "",
        meaning: "volumes whose mount and pod vaultmount cannot see: it does not notice their end, and their credentials last until their TTL",
    },
    Metric {
        name: "vaultmount_volumes_ended_total",
        kind: Kind::Counter,
        labels: "`how`: `unmounted`, `pod_deleted`, `forgotten` (unseen, and no request for an hour), `never_filled` (never had files, and no request for 150 s)",
        meaning: "volumes that have ended",
    },
    Metric {
        name: "vaultmount_oldest_content_age_seconds",
        kind: Kind::Gauge,
        labels: "",
        meaning: "time since the last successful fetch of the volume with the oldest content, among volumes with last known good content; a restart or a denial removes that content",
    },
    Metric {
        name: "vaultmount_next_expiry_seconds",
        kind: Kind::Gauge,
        labels: "",
        meaning: "time until the first token, lease or certificate expires; `+Inf` if there is none",
    },
    Metric {
        name: "vaultmount_servers_down",
        kind: Kind::Gauge,
        labels: "",
        meaning: "servers whose last probe failed: not reachable, no answer within 5 s, sealed, or a 5xx of `sys/health`; a server that nothing has called for 10 minutes does not count",
    },
    Metric {
        name: "vaultmount_probes_total",
        kind: Kind::Counter,
        labels: "`outcome`: `up`, `down`",
        meaning: "probes of servers (`sys/health`) after a failed call, and while a server is down; calls of pods are not probes",
    },
    Metric {
        name: "vaultmount_connections_refused_total",
        kind: Kind::Counter,
        labels: "",
        meaning: "connections to the sockets that were refused: of a user who may not connect, or beyond the limit",
    },
    Metric {
        name: "vaultmount_health_connections_closed_total",
        kind: Kind::Counter,
        labels: "",
        meaning: "connections to the health port that were closed without a response because 32 were open and a new one arrived",
    },
    Metric {
        name: "vaultmount_task_restarts_total",
        kind: Kind::Counter,
        labels: "`task`: `token-revoker`, `token-renewer`, `volume-sweep`, `pod-watch`, `pod-events`, `poll`, `socket`, `control`",
        meaning: "tasks that were restarted after a panic: each is a defect, and the log contains its location",
    },
    Metric {
        name: "vaultmount_answers_kept_total",
        kind: Kind::Counter,
        labels: "",
        meaning: "calls that were not needed because a credential or certificate issued before is still valid",
    },
    Metric {
        name: "vaultmount_revoked_total",
        kind: Kind::Counter,
        labels: "`what`: `issued` (a lease, certificate or token was revoked), `token` (the Vault token was revoked that had the lease)",
        meaning: "credentials that were found revoked at the server (`--check-revoked`) and are issued again",
    },
    Metric {
        name: "vaultmount_pod_events_total",
        kind: Kind::Counter,
        labels: "`outcome`: `told`, `failed`, `dropped` (256 volumes were waiting)",
        meaning: "pod events about new content (`--pod-events`); all changes of a volume that happen while it waits are one event",
    },
];

/// Upper bounds of the buckets of durations, in seconds: from a mount without a call to the longest that is allowed.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 20.0, 60.0];

impl Metric {
    /// The words between backticks in the labels' text.
    fn words(&self) -> impl Iterator<Item = &'static str> {
        self.labels.split('`').skip(1).step_by(2)
    }

    /// The labels of every series whose labels are known before anything happens.
    fn series(&self) -> Vec<Vec<Label>> {
        let labels: Vec<_> = self.words().collect();
        match labels[..] {
            [] => vec![Vec::new()],
            ["reason", ..] => {
                let of = |reason, stale| {
                    vec![Label::from_static_parts("reason", reason), Label::from_static_parts("stale", stale)]
                };
                let failed = Reason::ALL.iter().map(|reason| of(reason.code(), "false"));
                [of("ok", "true"), of("ok", "false")].into_iter().chain(failed).collect()
            }
            // The status may be any number.
            ["kind", ..] => Vec::new(),
            [label, ref values @ ..] => {
                values.iter().map(|&value| vec![Label::from_static_parts(label, value)]).collect()
            }
        }
    }
}

/// Installs the recorder; call it once. Every counter is 0 from the start, so that Prometheus sees its first increase. The handle renders the
/// values as text.
pub(crate) fn start() -> Result<PrometheusHandle, BuildError> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_duration_seconds".into()), &SECONDS)?;
    let handle = builder.install_recorder()?;
    for metric in METRICS {
        let Metric { name, kind, meaning, .. } = metric;
        match kind {
            Kind::Counter => {
                describe_counter!(name, Unit::Count, meaning);
                for labels in metric.series() {
                    counter!(name, labels).increment(0);
                }
            }
            Kind::Gauge => describe_gauge!(name, Unit::Count, meaning),
            Kind::Histogram => describe_histogram!(name, Unit::Seconds, meaning),
        }
    }
    Ok(handle)
}

/// The table of `docs/metrics.md`.
#[cfg(test)]
pub(crate) fn reference() -> String {
    use std::fmt::Write;

    let mut text = String::from("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n");
    for Metric { name, kind, labels, meaning } in METRICS {
        let _ =
            writeln!(text, "| `{name}` | {} | {labels} | {meaning} |", format!("{kind:?}").to_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_of_metrics_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        let text = format!(
            "# Metrics\n\n`GET :8080/metrics` (`--health-addr`), in Prometheus' text format. The values of a label are a short list of words: never a pod, path, role or secret.\n\
             Written from `src/telemetry/metrics.rs`.\n\n{}",
            reference()
        );
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            text,
            "run `UPDATE_DOCS=1 cargo test --lib metrics`"
        );
    }

    /// Names, labels and their values of `tests/golden/names-0.1.0.txt`: dashboards and alerts use them. A new one is added there by hand.
    #[test]
    fn metrics_keep_the_names_of_0_1_0() {
        let metrics = METRICS.iter().map(|metric| {
            let (Metric { name, kind, .. }, words) = (metric, metric.words().collect::<Vec<_>>());
            format!("metric {name} {} {}", format!("{kind:?}").to_lowercase(), words.join(" "))
        });
        crate::state::golden::is_named("metric", metrics);
    }

    #[test]
    fn names_end_in_their_unit() {
        for Metric { name, kind, .. } in METRICS {
            let unit = match kind {
                Kind::Counter => "_total",
                Kind::Histogram => "_seconds",
                // A number of things has none.
                Kind::Gauge if name.contains("age") || name.contains("expiry") => "_seconds",
                Kind::Gauge => "",
            };
            assert!(name.starts_with("vaultmount_") && name.ends_with(unit), "{name}");
        }
    }
}
