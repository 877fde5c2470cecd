//! State that survives a restart, and state that cannot be used.

use std::fs;
use std::process::{Command, Output};

use crate::support::blocking_proxy::BlockingProxy;
use crate::support::pki::certificate;
use crate::support::*;

const LOGIN: &str = "update auth/kubernetes/login";
const ISSUE: &str = "update pki/issue/web";

/// A server with a secret and a PKI mount, and a class for both.
async fn seeded() -> (Vault, Class) {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("state") })).await;
    vault.root_authority("pki").await;
    let class = certificate(json!({ "commonName": "a.example.com" }), &["certificate", "privateKey"]);
    (vault, class.and(kv("db", "team-a/db", "password")))
}

/// The files of the records: all their names have the same length.
fn records(provider: &Provider) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(provider.state().path()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| !path.ends_with("lock") && !path.ends_with("control.sock")).collect()
}

fn handover(provider: &Provider, how: &str, key: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vaultmount"));
    command
        .env_clear()
        .args(["handover", how, "--node-name=node-1", "--state-dir"])
        .arg(provider.state().path());
    command.arg(key).arg(provider.state_key()).output().unwrap()
}

#[tokio::test]
async fn a_killed_provider_keeps_its_login_and_the_same_certificate() {
    let (vault, class) = seeded().await;
    let provider = Provider::of(&vault).keeping_state().start().await;
    let pod = provider.mount("team-a/web", class).await;
    for _ in 0..2 {
        provider.kill();
        provider.restart().await;
        let again = pod.remount().await;
        assert_eq!(
            (again.read("certificate"), again.read("privateKey")),
            (pod.read("certificate"), pod.read("privateKey"))
        );
        assert_eq!(again.read("db"), canary("state"));
    }
    assert_eq!((vault.count(LOGIN), vault.count(ISSUE)), (1, 1));
    let (certificate, key) = (pod.read("certificate"), pod.read("privateKey"));
    for record in records(&provider) {
        let bytes = fs::read(&record).unwrap();
        for secret in [canary("state"), key.clone(), certificate.clone()] {
            assert!(
                !bytes.windows(secret.len()).any(|window| window == secret.as_bytes()),
                "{} is not sealed",
                record.display()
            );
        }
    }
}

#[tokio::test]
async fn shared_logins_survive_a_slow_shutdown() {
    let (vault, class) = seeded().await;
    vault.names_accounts(json!({})).await;
    let proxy = BlockingProxy::before(&vault).await;
    let setup = Provider::of(&vault).keeping_state().flag("--shutdown-timeout=6s");
    let mut provider = setup.flag(format!("--allow-address={}", proxy.address())).start().await;
    let shared = class.clone().with("shareScope", "serviceAccount");
    let certificate = provider.mount("team-a/web", shared.clone()).await.read("certificate");
    // Its mount fails after 18 s. The provider drops the volumes after 6 s, and may not treat them as ended in the remaining time.
    let stuck = provider.call("team-a/api", class.with("vaultAddress", proxy.address()));
    let end = async {
        proxy.reached().await;
        provider.terminate();
    };
    tokio::join!(stuck.fails(), end);
    assert!(provider.ended().await.success());
    provider.restart().await;
    assert_eq!(provider.mount("team-a/web", shared).await.read("certificate"), certificate);
    assert_eq!(vault.count(ISSUE), 1);
}

#[tokio::test]
async fn without_a_state_directory_a_restart_logs_in_again() {
    let (vault, class) = seeded().await;
    let provider = Provider::start(&vault).await;
    let pod = provider.mount("team-a/web", class).await;
    provider.kill();
    provider.restart().await;
    assert_ne!(pod.remount().await.read("certificate"), pod.read("certificate"));
    assert_eq!((vault.count(LOGIN), vault.count(ISSUE)), (2, 2));
}

#[tokio::test]
async fn a_damaged_record_costs_one_issue_and_its_token_is_revoked() {
    let (vault, class) = seeded().await;
    let before = vault.tokens().await;
    let provider = Provider::of(&vault).keeping_state().start().await;
    let pod = provider.mount("team-a/web", class).await;
    provider.kill();
    for record in records(&provider) {
        let mut bytes = fs::read(&record).unwrap();
        // The end of the body's base64.
        let at = bytes.len() - 20;
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        fs::write(record, bytes).unwrap();
    }
    provider.restart().await;
    let again = pod.remount().await;
    assert_eq!(again.remount().await.read("certificate"), again.read("certificate"));
    assert_eq!((vault.count(LOGIN), vault.count(ISSUE)), (2, 2));
    until("the first token to be gone", async || (vault.tokens().await == before + 1).then_some(())).await;
    assert!(provider.log().contains("cannot be used"));
}

#[tokio::test]
async fn with_another_key_the_log_names_the_tokens_that_an_operator_must_revoke() {
    let (vault, class) = seeded().await;
    let before = vault.accessors().await;
    let provider = Provider::of(&vault).keeping_state().start().await;
    let pod = provider.mount("team-a/web", class).await;
    let accessors = vault.accessors().await;
    provider.kill();
    fs::write(provider.state_key(), rand::random::<[u8; 32]>()).unwrap();
    provider.restart().await;
    pod.remount().await;
    let accessor = accessors.difference(&before).next().unwrap();
    let log = provider.log();
    let warning = log.lines().find(|line| line.contains("revoke it by its accessor")).expect("a warning");
    assert!(warning.contains(accessor.as_str()), "{warning}");
}

#[tokio::test]
async fn handover_with_revoke_revokes_every_token_and_empties_the_state() {
    let (vault, class) = seeded().await;
    let before = vault.tokens().await;
    let mut provider = Provider::of(&vault).keeping_state().start().await;
    provider.mount("team-a/web", class.clone()).await;
    provider.mount("team-a/web", class).await;
    let held = handover(&provider, "--revoke", "--state-key-file");
    assert!(!held.status.success(), "a provider runs here: {held:?}");
    provider.terminate();
    provider.ended().await;
    assert_eq!(vault.tokens().await, before + 2, "the next process would find them");
    let done = handover(&provider, "--revoke", "--state-key-file");
    assert!(done.status.success(), "{done:?}");
    assert_eq!((vault.tokens().await, records(&provider).len()), (before, 0));
}

#[tokio::test]
async fn handover_opens_state_with_the_version_key_only_if_it_sealed_the_state() {
    let (vault, class) = seeded().await;
    let before = vault.tokens().await;
    let mut provider = Provider::of(&vault).keeping_state().with_one_key().start().await;
    provider.mount("team-a/web", class).await;
    provider.terminate();
    provider.ended().await;
    let kept = handover(&provider, "--revoke", "--state-key-file");
    assert!(!kept.status.success() && vault.tokens().await == before + 1, "{kept:?}");
    let done = handover(&provider, "--revoke", "--hmac-key-file");
    assert!(done.status.success(), "{done:?}");
    assert_eq!((vault.tokens().await, records(&provider).len()), (before, 0));
}

#[tokio::test]
async fn handover_with_keep_empties_the_state_and_makes_no_call() {
    let (vault, class) = seeded().await;
    let before = vault.tokens().await;
    let mut provider = Provider::of(&vault).keeping_state().start().await;
    provider.mount("team-a/web", class).await;
    provider.terminate();
    provider.ended().await;
    let calls = vault.calls().len();
    let done = handover(&provider, "--keep", "--state-key-file");
    assert!(done.status.success(), "{done:?}");
    assert_eq!((vault.tokens().await, vault.calls().len(), records(&provider).len()), (before + 1, calls, 0));
}

#[tokio::test]
async fn a_second_process_waits_for_the_end_of_the_first_and_takes_over_its_state() {
    let (vault, class) = seeded().await;
    let mut first = Provider::of(&vault).keeping_state().start().await;
    let second = Provider::of(&vault).with_state_of(&first).begin();
    let call = second.call("team-a/web", class);
    let certificate = call.clone().to(&first).mount().await.read("certificate");
    assert!(!second.socket("vault.sock").exists(), "it waits");
    first.terminate();
    first.ended().await;
    second.is_ready().await;
    assert_eq!(call.mount().await.read("certificate"), certificate);
    assert_eq!((vault.count(LOGIN), vault.count(ISSUE)), (1, 1));
}

#[tokio::test]
async fn a_killed_provider_keeps_the_login_that_pods_share() {
    let (vault, class) = seeded().await;
    vault.names_accounts(json!({})).await;
    let provider = Provider::of(&vault).keeping_state().start().await;
    let (one, other) = (
        provider.mount("team-a/web", class.clone()).await,
        provider.mount("team-a/web", class.clone()).await,
    );
    provider.kill();
    provider.restart().await;
    tokio::join!(one.remount(), other.remount(), provider.mount("team-a/web", class));
    assert_eq!(vault.count(LOGIN), 1);
}
