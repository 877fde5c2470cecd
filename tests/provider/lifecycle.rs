//! The process: health, restart, and a shutdown that loses nothing.

use std::fs;
use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::Instant;

use crate::support::blocking_proxy::BlockingProxy;
use crate::support::wait::free_address;
use crate::support::*;

#[tokio::test]
async fn versions_are_equal_after_a_restart_and_differ_under_another_key() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("version") })).await;
    let keys = tempfile::TempDir::new().unwrap();
    let mut versions = Vec::new();
    for (file, key) in [("one", canary("key-one")), ("one", canary("key-one")), ("two", canary("key-two"))] {
        let path = keys.path().join(file);
        fs::write(&path, key).unwrap();
        let provider = Provider::of(&vault).flag(format!("--hmac-key-file={}", path.display())).start().await;
        versions.push(
            provider.mount("team-a/web", kv("db", "team-a/db", "password")).await.version("db").to_owned(),
        );
    }
    assert_eq!(versions[0], versions[1]);
    assert_ne!(versions[0], versions[2]);
    assert!(!versions[0].is_empty() && !versions[0].contains("version"));
}

#[tokio::test]
async fn a_provider_that_is_stopped_finishes_the_mounts_that_it_began() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("drained") })).await;
    let before = vault.tokens().await;
    let proxy = BlockingProxy::before(&vault).await;
    let mut provider =
        Provider::without_server(&vault).flag(format!("--vault-addr={}", proxy.address())).start().await;
    let call = provider.call("team-a/web", kv("db", "team-a/db", "password"));
    let end = async {
        proxy.reached().await;
        provider.terminate();
        until("its socket to be gone", async || (!provider.socket("vault.sock").exists()).then_some(()))
            .await;
        proxy.open();
    };
    let (pod, ()) = tokio::join!(call.mount(), end);
    assert_eq!(pod.read("db"), canary("drained"));
    assert!(provider.ended().await.success());
    assert_eq!(vault.tokens().await, before, "the mount's token is revoked before the end");
}

#[tokio::test]
async fn a_mount_that_does_not_end_is_answered_before_the_provider_exits() {
    let vault = Vault::start().await;
    let proxy = BlockingProxy::before(&vault).await;
    let setup = Provider::without_server(&vault)
        .flag(format!("--vault-addr={}", proxy.address()))
        .without("--shutdown-timeout");
    let mut provider = setup.flag("--shutdown-timeout=1s").start().await;
    let call = provider.call("team-a/web", kv("db", "team-a/db", "password"));
    let end = async {
        proxy.reached().await;
        provider.terminate();
        Instant::now()
    };
    let (refusal, terminated) = tokio::join!(call.fails(), end);
    refusal.tells("overload", &["stopped before the mount was finished"]);
    assert!(provider.ended().await.success());
    assert!(terminated.elapsed() < Duration::from_secs(5), "{:?}", terminated.elapsed());
}

#[tokio::test]
async fn health_reports_the_socket_and_never_the_server() {
    let mut vault = Vault::start().await;
    let health = free_address();
    let provider =
        Provider::of(&vault).without("--health-addr").flag(format!("--health-addr={health}")).start().await;
    let ask = async |path: &str| {
        reqwest::get(format!("http://{health}/health/{path}")).await.ok().map(|answer| answer.status())
    };
    let turns = async |path: &str, wanted| {
        until("health", async || (ask(path).await == Some(wanted)).then_some(())).await
    };
    turns("ready", StatusCode::OK).await;
    turns("live", StatusCode::OK).await;
    vault.kill();
    assert_eq!((ask("ready").await, ask("live").await), (Some(StatusCode::OK), Some(StatusCode::OK)));
    fs::remove_file(provider.socket("vault.sock")).unwrap();
    until("the socket to be back", async || provider.socket("vault.sock").exists().then_some(())).await;
    turns("ready", StatusCode::OK).await;
}

#[tokio::test]
async fn a_provider_that_cannot_run_logs_why_and_exits() {
    let vault = Vault::start().await;
    for (flag, part) in [
        ("--endpoint=/run/vault", "/run/vault"),
        ("--hmac-key-file=/nowhere/key", "/nowhere/key"),
        ("--vault-addr=nonsense", "--vault-addr"),
        ("--allow-address=not an address", "not an address"),
        ("--no-such-flag", "no-such-flag"),
        ("--vault-tls-client-cert=/tls.crt", "--vault-tls-client-key"),
    ] {
        let log = Provider::of(&vault).flag(flag).fails().await;
        assert!(log.contains(part), "{flag}: {log}");
    }
}

#[tokio::test]
async fn a_mount_is_one_line_of_json_in_the_log() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("line") })).await;
    let provider = Provider::of(&vault).without("--log-level").start().await;
    provider.mount("team-a/web", kv("db", "team-a/db", "password")).await;
    provider.refuses("team-a/web", kv("db", "team-a/none", "password")).await.tells("vault.not_found", &[]);
    let log =
        until("both lines", async || Some(provider.log()).filter(|log| log.contains("vault.not_found")))
            .await;
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |reason: &str| {
        lines.iter().filter(|line| line.to_string().contains(&format!("\"reason\":\"{reason}\""))).count()
    };
    assert_eq!((of("ok"), of("vault.not_found")), (1, 1), "{log}");
    let read = vault.request_ids("secret/data/team-a/db");
    assert!(
        log.contains(&read[0]),
        "the server's own request id {read:?} joins the audit log to the mount: {log}"
    );
}
