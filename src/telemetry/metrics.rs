//! What is counted, for Prometheus. Rooms count by the names here through the `metrics` facade, as they log through `tracing`.

use std::fmt::Write;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// A series of numbers, as the documentation knows it.
struct Metric {
    name: &'static str,
    kind: Kind,
    /// What tells its series apart: words of a few, never a pod, a path or a role.
    labels: &'static str,
    meaning: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Everything that is counted.
const METRICS: [Metric; 21] = [
    Metric {
        name: "vaultmount_mounts_total",
        kind: Kind::Counter,
        labels: "`reason`: `ok` or a name of errors.md",
        meaning: "mounts that have ended, first ones and republishes; one that the last good content stood in for counts as `ok`",
    },
    Metric {
        name: "vaultmount_mount_duration_seconds",
        kind: Kind::Histogram,
        labels: "`outcome`: `ok`, `failed`",
        meaning: "from a mount's request to its answer",
    },
    Metric {
        name: "vaultmount_mounts_in_flight",
        kind: Kind::Gauge,
        labels: "",
        meaning: "mounts that have begun and not ended",
    },
    Metric {
        name: "vaultmount_looks_total",
        kind: Kind::Counter,
        labels: "`reason`: `ok` or a name of errors.md",
        meaning: "looks of our own at volumes whose files we write; one that the last good content stood in for counts as `ok`",
    },
    Metric {
        name: "vaultmount_writes_total",
        kind: Kind::Counter,
        labels: "`change`: `swapped`, `modes` (modes or owners alone), `names` (what a kill had left to do, or somebody's hand), `unchanged`, `left` (the driver writes, though the class wants us to)",
        meaning: "volumes that we wrote, at mounts and looks, or had the driver write",
    },
    Metric {
        name: "vaultmount_vault_calls_total",
        kind: Kind::Counter,
        labels: "`kind`: `login`, `read`, `write`, `keep` (renewals, revocations); `status`: the HTTP status, `other`, or `none` without an answer",
        meaning: "tries of calls to Vault, repeated ones counted each time",
    },
    Metric {
        name: "vaultmount_logins_closed_total",
        kind: Kind::Counter,
        labels: "`how`: `revoked`, `left` (a pod may still need what hangs on it), `kept` (for the next process), `failed`",
        meaning: "logins that nobody uses any more",
    },
    Metric {
        name: "vaultmount_logins_total",
        kind: Kind::Counter,
        labels: "`outcome`: `ok`, `failed`",
        meaning: "logins that were tried",
    },
    Metric {
        name: "vaultmount_tokens",
        kind: Kind::Gauge,
        labels: "",
        meaning: "tokens that volumes hold, and those that are on their way back",
    },
    Metric {
        name: "vaultmount_leases",
        kind: Kind::Gauge,
        labels: "",
        meaning: "leases that are kept alive",
    },
    Metric {
        name: "vaultmount_volumes",
        kind: Kind::Gauge,
        labels: "`freshness`: `fresh`, `stale` (the last question failed, or none came since the start: the files may be older than Vault's values), `static` (nobody asks, so no token comes, and the driver writes), `empty`",
        meaning: "volumes of the node",
    },
    Metric {
        name: "vaultmount_volumes_unseen",
        kind: Kind::Gauge,
        labels: "",
        meaning: "volumes of which neither mount nor pod is seen, so that nobody tells their end and what they have runs to its TTL",
    },
    Metric {
        name: "vaultmount_volumes_ended_total",
        kind: Kind::Counter,
        labels: "`how`: `unmounted`, `pod_deleted`, `forgotten` (an hour of silence, and unseen), `never_filled` (no files ever, and nobody asked for 150 s)",
        meaning: "volumes that were let go",
    },
    Metric {
        name: "vaultmount_oldest_content_age_seconds",
        kind: Kind::Gauge,
        labels: "",
        meaning: "since the least fresh volume was filled from Vault, of those whose last good content is held: after a restart or a denial there is none",
    },
    Metric {
        name: "vaultmount_next_expiry_seconds",
        kind: Kind::Gauge,
        labels: "",
        meaning: "to the first end of a token, a lease or a certificate; `+Inf` without any",
    },
    Metric {
        name: "vaultmount_servers_down",
        kind: Kind::Gauge,
        labels: "",
        meaning: "servers that did not answer when they were last asked, which is every two seconds while somebody waits",
    },
    Metric {
        name: "vaultmount_connections_refused_total",
        kind: Kind::Counter,
        labels: "",
        meaning: "callers of the sockets that are neither root, nor we, nor listed, or one too many",
    },
    Metric {
        name: "vaultmount_health_connections_closed_total",
        kind: Kind::Counter,
        labels: "",
        meaning: "connections to the health port that ended without an answer because 32 were open and a new one came",
    },
    Metric {
        name: "vaultmount_task_restarts_total",
        kind: Kind::Counter,
        labels: "`task`: `token-revoker`, `token-renewer`, `volume-sweep`, `pod-watch`, `pod-events`, `poll`, `socket`",
        meaning: "tasks that panicked and were started again: each is a defect, and the log names its place",
    },
    Metric {
        name: "vaultmount_answers_kept_total",
        kind: Kind::Counter,
        labels: "",
        meaning: "calls that were not made because what they would make is there and still of use",
    },
    Metric {
        name: "vaultmount_pod_events_total",
        kind: Kind::Counter,
        labels: "`outcome`: `told`, `failed`, `dropped` (256 volumes waited already)",
        meaning: "events on pods of new content (`--pod-events`); what adds up in a volume while it waits is told once",
    },
];

/// Bounds of the durations' buckets, in seconds: from a warm mount to the longest that is allowed.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 20.0, 60.0];

/// Begins to count; may be called once. The handle gives the numbers as text.
pub fn start() -> Result<PrometheusHandle, BuildError> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_duration_seconds".into()), &SECONDS)?;
    let handle = builder.install_recorder()?;
    for Metric { name, kind, meaning, .. } in METRICS {
        match kind {
            Kind::Counter => describe_counter!(name, Unit::Count, meaning),
            Kind::Gauge => describe_gauge!(name, Unit::Count, meaning),
            Kind::Histogram => describe_histogram!(name, Unit::Seconds, meaning),
        }
    }
    Ok(handle)
}

/// The table of `docs/metrics.md`, in Markdown.
pub fn reference() -> String {
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
            "# Metrics\n\n`GET :8080/metrics` (`--health-addr`), in Prometheus' text format. Labels are words of a few: no pod, path, role or value.\n\
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
        let metrics = METRICS.iter().map(|Metric { name, kind, labels, .. }| {
            // Of the labels' description what is between backticks.
            let words: Vec<_> = labels.split('`').skip(1).step_by(2).collect();
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
