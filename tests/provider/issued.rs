//! Certificates and credentials that a republish must not issue again.

use crate::support::driver::Caller;
use crate::support::*;

/// A root that issues for `example.com`, and a role whose responses have no lease.
async fn pki(vault: &Vault) {
    vault.enable("pki", "pki", json!({})).await;
    vault
        .write("pki/root/generate/internal", json!({ "common_name": "example.com", "key_type": "ec" }))
        .await;
    vault
        .write(
            "pki/roles/web",
            json!({ "allowed_domains": "example.com", "allow_subdomains": true, "key_type": "ec" }),
        )
        .await;
    vault.allow("pki/issue/web", &["update"]).await;
}

fn upstream_certificate(file: &str, ttl: &str) -> Class {
    let arguments = json!({ "common_name": "a.example.com", "ttl": ttl });
    object(
        json!({ "objectName": file, "secretPath": "pki/issue/web", "method": "PUT", "secretArgs": arguments, "secretKey": "certificate" }),
    )
}

#[tokio::test]
async fn a_certificate_is_the_same_at_every_republish_until_seven_tenths_of_its_life() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    pki(&vault).await;
    let ours = json!({
        "objectName": "ours.crt", "part": "certificate",
        "pki": { "mount": "pki", "role": "web", "commonName": "b.example.com", "ttl": "20s" },
    });
    let pod =
        provider.mount("team-a/web", upstream_certificate("upstream.crt", "1h").and(object(ours))).await;
    let again = pod.remount().await;
    assert_eq!(
        (pod.read("upstream.crt"), pod.read("ours.crt")),
        (again.read("upstream.crt"), again.read("ours.crt"))
    );
    assert_eq!(vault.count("update pki/issue/web"), 2);
    let renewed = until("the short one to be replaced", async || {
        let next = again.remount().await;
        (next.read("ours.crt") != pod.read("ours.crt")).then_some(next)
    });
    let renewed = renewed.await;
    assert_eq!(renewed.read("upstream.crt"), pod.read("upstream.crt"));
    assert_eq!(vault.count("update pki/issue/web"), 3);
}

/// An SSH certificate and an X.509 certificate that the response contains only as text, both by `request`, which knows neither engine. Each ends by its own validity.
#[tokio::test]
async fn what_a_request_issued_stays_until_shortly_before_the_end_in_its_response() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.ssh_authority().await;
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ+RjPV9eXFPEhWC9ct3vRYvwRJiTjnGdCTVdm3n0tsM";
    let signed = |name: &str, ttl: &str| {
        let request = json!({ "path": "ssh-ca/sign/web", "method": "POST", "args": { "public_key": key, "valid_principals": "deploy", "ttl": ttl } });
        object(json!({ "objectName": name, "request": request, "secretKey": "signed_key" }))
    };
    let class = signed("short", "20s").and(signed("long", "1h")).with("refresh", "1s");
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!(pod.remount().await.read("short"), pod.read("short"), "older than refresh is not old");
    let renewed = until("the short one to be replaced", async || {
        let next = pod.remount().await;
        (next.read("short") != pod.read("short")).then_some(next)
    });
    assert_eq!(renewed.await.read("long"), pod.read("long"));
    assert_eq!(vault.count("update ssh-ca/sign/web"), 3);
}

#[tokio::test]
async fn the_rotation_loop_of_driver_1_5_gets_the_same_certificate() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    pki(&vault).await;
    let call = provider.call("team-a/web", upstream_certificate("tls.crt", "1h"));
    let first = call.clone().mount().await;
    assert_eq!(call.by(Caller::RotationLoop15).mount().await.read("tls.crt"), first.read("tls.crt"));
    assert_eq!(vault.count("update pki/issue/web"), 1);
}

#[tokio::test]
async fn two_pods_never_share_a_certificate() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    pki(&vault).await;
    let (one, other) = (
        provider.mount("team-a/web", upstream_certificate("tls.crt", "1h")).await,
        provider.mount("team-a/web", upstream_certificate("tls.crt", "1h")).await,
    );
    assert_ne!(one.read("tls.crt"), other.read("tls.crt"));
}

#[tokio::test]
async fn a_write_without_an_end_in_its_response_is_repeated_at_the_refresh() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.enable("transit", "transit", json!({})).await;
    vault.write("transit/keys/orders", json!({})).await;
    vault.allow("transit/random/16", &["update"]).await;
    let random = object(
        json!({ "objectName": "random", "request": { "path": "transit/random/16", "method": "POST" }, "secretKey": "random_bytes" }),
    );
    let kept = provider.mount("team-a/web", random.clone().with("refresh", "30s")).await;
    assert_eq!(kept.remount().await.read("random"), kept.read("random"));
    let each_time = provider.mount("team-a/web", random.with("refresh", "0s")).await;
    assert_ne!(each_time.remount().await.read("random"), each_time.read("random"));
}

#[tokio::test]
async fn a_secret_is_as_old_as_refresh_allows_whatever_its_path_and_members_are_called() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.enable("old", "kv", json!({ "version": "1" })).await;
    vault.allow("old/*", &["read"]).await;
    vault
        .write("old/web/token", json!({ "token": "first", "expiration": 4_000_000_000_u64, "ttl": 86400 }))
        .await;
    let token = object(json!({ "objectName": "token", "secretPath": "old/web/token", "secretKey": "token" }));
    let pod = provider.mount("team-a/web", token.with("refresh", "0s")).await;
    vault.write("old/web/token", json!({ "token": "second", "expiration": 4_000_000_000_u64 })).await;
    assert_eq!((pod.read("token"), pod.remount().await.read("token")), ("first".into(), "second".into()));
}

#[tokio::test]
async fn the_longest_refresh_is_a_day_and_no_panic() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.enable("transit", "transit", json!({})).await;
    vault.allow("transit/random/16", &["update"]).await;
    let random = object(
        json!({ "objectName": "random", "request": { "path": "transit/random/16", "method": "POST" }, "secretKey": "random_bytes" }),
    );
    let kept = provider.mount("team-a/web", random.with("refresh", u64::MAX.to_string())).await;
    assert_eq!(kept.remount().await.read("random"), kept.read("random"));
}
