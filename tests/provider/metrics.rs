//! Metrics for dashboards.

use crate::support::wait::free_address;
use crate::support::*;

/// The value of `series`, 0 if it is missing.
fn number(text: &str, series: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |number| number.parse().unwrap())
}

#[tokio::test]
async fn mounts_calls_and_logins_are_counted_and_no_name_is_among_the_labels() {
    let vault = Vault::start().await;
    let address = free_address();
    let provider =
        Provider::of(&vault).without("--health-addr").flag(format!("--health-addr={address}")).start().await;
    vault.put("team-a/db", json!({ "password": canary("counted") })).await;
    let pod = provider.mount("team-a/web", kv("db", "team-a/db", "password").with("refresh", "1h")).await;
    pod.remount().await; // its read is young enough
    let transient = kv("db", "team-a/none", "password").with("login", "transient");
    provider.refuses("team-a/web", transient).await.tells("vault.not_found", &[]);
    let text = until("one login to be revoked, and a poll of both volumes", async || {
        let text = reqwest::get(format!("http://{address}/metrics")).await.ok()?.text().await.ok()?;
        let volumes = ["fresh", "empty"]
            .map(|freshness| number(&text, &format!("vaultmount_volumes{{freshness=\"{freshness}\"}}")));
        (volumes == [1, 1] && number(&text, "vaultmount_logins_closed_total{how=\"revoked\"}") == 1)
            .then_some(text)
    });
    let text = text.await;
    for (series, expected) in [
        ("vaultmount_mounts_total{reason=\"ok\",stale=\"false\"}", 2),
        ("vaultmount_mounts_total{reason=\"vault.not_found\",stale=\"false\"}", 1),
        ("vaultmount_mount_duration_seconds_count{outcome=\"ok\"}", 2),
        ("vaultmount_answers_kept_total", 1),
        ("vaultmount_mounts_in_flight", 0),
        ("vaultmount_logins_total{outcome=\"ok\"}", 2),
        ("vaultmount_tokens", 1),
        ("vaultmount_leases", 0),
        ("vaultmount_volumes{freshness=\"empty\"}", 1),
        ("vaultmount_vault_calls_total{kind=\"login\",status=\"200\"}", 2),
        ("vaultmount_vault_calls_total{kind=\"read\",status=\"200\"}", 1),
        ("vaultmount_vault_calls_total{kind=\"read\",status=\"404\"}", 1),
    ] {
        assert_eq!(number(&text, series), expected, "{series}\n{text}");
    }
    for name in ["team-a", "secret/", "web", "db", &canary("counted")] {
        assert!(!text.contains(name), "{name} in the metrics");
    }
}

/// A counter that appears with its first value has no increase for Prometheus.
#[tokio::test]
async fn before_the_first_mount_the_version_is_shown_and_every_counter_is_0() {
    let vault = Vault::start().await;
    let address = free_address();
    let _provider =
        Provider::of(&vault).without("--health-addr").flag(format!("--health-addr={address}")).start().await;
    let text = reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap();
    let version = format!("vaultmount_build_info{{version=\"{}\"}} 1\n", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{text}");
    let errors = include_str!("../../docs/errors.md");
    let reasons: Vec<_> = errors.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert!(reasons.len() > 20, "{reasons:?}");
    let counted = ["mounts", "looks"].into_iter().flat_map(|counter| {
        let of = move |reason: &str, stale| {
            format!("vaultmount_{counter}_total{{reason=\"{reason}\",stale=\"{stale}\"}}")
        };
        let failed = reasons.iter().map(move |reason| of(reason, false));
        [of("ok", true), of("ok", false)].into_iter().chain(failed)
    });
    let others = [
        "writes_total{change=\"left\"}",
        "logins_closed_total{how=\"kept\"}",
        "logins_total{outcome=\"failed\"}",
        "volumes_ended_total{how=\"never_filled\"}",
        "probes_total{outcome=\"down\"}",
        "connections_refused_total",
        "health_connections_closed_total",
        "task_restarts_total{task=\"token-revoker\"}",
        "answers_kept_total",
        "revoked_total{what=\"issued\"}",
        "pod_events_total{outcome=\"dropped\"}",
    ];
    for series in counted.chain(others.map(|series| format!("vaultmount_{series}"))) {
        assert!(text.lines().any(|line| line == format!("{series} 0")), "{series}\n{text}");
    }
}

#[tokio::test]
async fn a_republish_that_reuses_an_issued_credential_is_counted() {
    let vault = Vault::start().await;
    let address = free_address();
    let provider =
        Provider::of(&vault).without("--health-addr").flag(format!("--health-addr={address}")).start().await;
    vault.enable("transit", "transit", json!({})).await;
    vault.write("transit/keys/orders", json!({})).await;
    vault.allow("transit/random/16", &["update"]).await;
    let random = object(
        json!({ "objectName": "random", "request": { "path": "transit/random/16", "method": "POST" }, "secretKey": "random_bytes" }),
    );
    let pod = provider.mount("team-a/web", random.with("refresh", "1h")).await;
    pod.remount().await;
    pod.remount().await;
    let text = reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap();
    assert_eq!(number(&text, "vaultmount_answers_kept_total"), 2, "{text}");
}
