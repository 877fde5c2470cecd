//! Credentials that an operator revokes in an incident: a pod gets others soon.

use crate::support::pki::{certificate, openssl};
use crate::support::postgres::Postgres;
use crate::support::volume::Volume;
use crate::support::*;

/// Looks everything up with every republish.
const AT_ONCE: &str = "--check-revoked=1s";

fn user() -> Class {
    let files = json!([{ "objectName": "username", "secretKey": "username" }, { "objectName": "password", "secretKey": "password" }]);
    object(json!({ "request": { "path": "database/creds/app" }, "files": files }))
}

async fn database() -> (Vault, Postgres) {
    let (vault, postgres) = (Vault::start().await, Postgres::start().await);
    vault.database(&postgres, "app", json!({ "default_ttl": "1h", "max_ttl": "24h" })).await;
    (vault, postgres)
}

#[tokio::test]
async fn a_pod_gets_another_user_when_all_leases_of_the_role_are_revoked() {
    let (vault, postgres) = database().await;
    let provider = Provider::of(&vault).flag(AT_ONCE).start().await;
    let pod = provider.mount("team-a/web", user()).await;
    vault.write("sys/leases/revoke-prefix/database/creds/app", json!({})).await;
    let next = until("another user", async || {
        let next = pod.remount().await;
        (next.read("username") != pod.read("username")).then_some(next)
    })
    .await;
    assert!(postgres.lets_in(&next.read("username"), &next.read("password")));
    assert_eq!((postgres.users().len(), vault.count("read database/creds/app")), (1, 2));
}

#[tokio::test]
async fn a_pod_gets_another_user_when_its_token_is_revoked() {
    let (vault, postgres) = database().await;
    let provider = Provider::of(&vault).flag(AT_ONCE).start().await;
    let pod = provider.mount("team-a/web", user()).await;
    vault.revoke_logins().await;
    let next = until("another user", async || {
        let next = pod.remount().await;
        (next.read("username") != pod.read("username")).then_some(next)
    })
    .await;
    assert!(postgres.lets_in(&next.read("username"), &next.read("password")));
}

#[tokio::test]
async fn a_lease_that_may_not_be_looked_up_is_not_replaced() {
    let (vault, postgres) = database().await;
    vault.role("kubernetes", "web", json!({ "token_no_default_policy": true })).await;
    let provider = Provider::of(&vault).flag(AT_ONCE).start().await;
    let pod = provider.mount("team-a/web", user()).await;
    for _ in 0..4 {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        assert_eq!(pod.remount().await.read("username"), pod.read("username"));
    }
    assert_eq!(postgres.users().len(), 1);
    assert!(vault.count("update sys/leases/lookup") >= 1, "the lease was looked up");
}

#[tokio::test]
async fn a_lease_is_looked_up_once_in_each_interval() {
    let (vault, _postgres) = database().await;
    let provider = Provider::of(&vault).flag("--check-revoked=1h").start().await;
    let pod = provider.mount("team-a/web", user()).await;
    for _ in 0..3 {
        pod.remount().await;
    }
    assert_eq!(vault.count("update sys/leases/lookup"), 0);
}

#[tokio::test]
async fn a_pod_gets_another_certificate_when_its_certificate_is_revoked() {
    let vault = Vault::start().await;
    vault.authorities().await;
    vault.certificates("pki", "web", json!({})).await;
    let provider = Provider::of(&vault).flag(AT_ONCE).start().await;
    let pod = provider
        .mount("team-a/web", certificate(json!({ "commonName": "web.example.com" }), &["certificate"]))
        .await;
    let serial = openssl_serial(&pod.read("certificate"));
    vault.write("pki/revoke", json!({ "serial_number": serial })).await;
    until("another certificate", async || {
        let next = pod.remount().await;
        (openssl_serial(&next.read("certificate")) != serial).then_some(())
    })
    .await;
    assert_eq!(
        vault.calls().iter().filter(|call| call.starts_with("update pki/")).count(),
        2,
        "one more was issued"
    );
}

/// The serial number of a certificate as Vault writes it: `1a:2b:..`.
fn openssl_serial(certificate: &str) -> String {
    let text = openssl(&["x509", "-noout", "-serial"], certificate);
    let hex = text.trim().trim_start_matches("serial=").to_ascii_lowercase();
    let pairs: Vec<_> =
        hex.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned()).collect();
    pairs.join(":")
}

#[tokio::test]
async fn a_policy_that_is_added_to_the_role_is_seen_by_the_first_mount_that_comes_after_it() {
    let vault = Vault::start().await;
    vault.put("other/db", json!({ "password": "one" })).await;
    let provider = Provider::start(&vault).await;
    let class = || {
        object(
            json!({ "objectName": "password", "secretPath": "secret/data/other/db", "secretKey": "password" }),
        )
    };
    provider.refuses("team-a/web", class()).await.tells("vault.read_denied", &["secret/data/other/db"]);
    vault.allow("secret/data/other/db", &["read"]).await;
    until("the policy to be seen", async || provider.call("team-a/web", class()).send().await.ok()).await;
}

/// Runs `vaultmount refresh` at the provider; its exit code, and its output on both streams.
fn refresh(provider: &Provider, arguments: &[&str]) -> (Option<i32>, String) {
    let socket = provider.state().path().join("control.sock");
    let socket = format!("--control-socket={}", socket.display());
    let arguments = [&["refresh", &socket], arguments].concat();
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_vaultmount")).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[tokio::test]
async fn an_operator_has_credentials_and_values_fetched_again() {
    let (vault, postgres) = database().await;
    vault.names_accounts(json!({})).await;
    vault.put("team-a/db", json!({ "password": "one" })).await;
    let provider = Provider::of(&vault).keeping_state().start().await;
    let value =
        json!({ "objectName": "value", "secretPath": "secret/data/team-a/db", "secretKey": "password" });
    let class = || user().and(object(value.clone())).with("refresh", "1h");
    let (web, other) =
        (provider.mount("team-a/web", class()).await, provider.mount("team-b/web", class()).await);
    vault.put("team-a/db", json!({ "password": "two" })).await;
    let of = |pod: &Volume<'_>| (pod.read("username"), pod.read("value"));
    assert_eq!(of(&web.remount().await), of(&web), "the class reads it once in an hour");
    let (code, text) = refresh(&provider, &["--namespace=team-a"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("team-a/web-") && text.contains("1 volumes"), "{text}");
    let next = web.remount().await;
    assert!(next.read("username") != web.read("username") && next.read("value") == "two");
    assert!(postgres.lets_in(&next.read("username"), &next.read("password")));
    assert_eq!(of(&web.remount().await), of(&next), "once");
    assert_eq!(of(&other.remount().await), of(&other), "another namespace's");
}

#[tokio::test]
async fn a_refresh_that_names_nothing_or_nobody_says_so() {
    let vault = Vault::start().await;
    let provider = Provider::of(&vault).keeping_state().start().await;
    assert_eq!(refresh(&provider, &["--role=nobody"]).0, Some(1));
    assert_eq!(refresh(&provider, &[]).0, Some(2));
    let (code, text) = refresh(&provider, &["--pod=web"]);
    assert!(code == Some(2) && text.contains("NAMESPACE/NAME"), "{text}");
    let (code, text) = refresh(&provider, &["--all", "--control-socket=/run/nothing.sock"]);
    assert!(code == Some(3) && text.contains("/run/nothing.sock"), "{text}");
    let socket = provider.state().path().join("control.sock");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}
