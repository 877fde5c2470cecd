//! The CAs of a PKI mount, for pods that need no certificate of their own.

use serde_json::Value;

use crate::support::faulty::{Faulty, Reply};
use crate::support::pki::certificate;
use crate::support::*;

const PARTS: [&str; 3] = ["ca", "issuingCa", "chain"];

fn cas(mount: &str) -> Class {
    let files: Vec<Value> = PARTS.iter().map(|part| json!({ "objectName": part, "part": part })).collect();
    object(json!({ "pki": { "mount": mount, "ca": true }, "files": files }))
}

#[tokio::test]
async fn the_cas_of_a_mount_are_read_without_any_policy_and_nothing_is_issued() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    vault.call(reqwest::Method::DELETE, "", "sys/policies/acl/web", &json!({})).await;
    let (issuing, root) = (vault.authority("pki").await, vault.authority("root").await);
    let wanted = [
        ("root", [root.clone(), root.clone(), root.clone()]),
        ("pki", [root.clone(), issuing.clone(), format!("{issuing}{root}")]),
    ];
    for (mount, files) in wanted {
        let pod = provider.mount("team-a/web", cas(mount)).await;
        assert_eq!(PARTS.map(|part| pod.read(part)), files, "{mount}");
        assert_eq!(vault.count(&format!("read {mount}/cert/ca_chain")), 1);
        assert_eq!(pod.remount().await.versions(), pod.versions(), "equal bytes");
    }
    assert!(!vault.calls().iter().any(|call| call.contains("/issue/") || call.contains("/sign/")));
}

#[tokio::test]
async fn a_mount_without_its_root_returns_its_topmost_ca() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.root_authority("root").await;
    vault.intermediate("pki").await;
    let (pod, issuing) = (provider.mount("team-a/web", cas("pki")).await, vault.authority("pki").await);
    assert_eq!(PARTS.map(|part| pod.read(part)), [issuing.clone(), issuing.clone(), issuing.clone()]);
}

/// Servers differ: the chain of a root is the root itself or empty.
#[tokio::test]
async fn a_root_whose_chain_is_empty_is_its_own_ca() {
    let (vault, server) = (Vault::start().await, Faulty::start().await);
    let provider = Provider::facing(&server.address()).start().await;
    vault.root_authority("root").await;
    let root = vault.authority("root").await;
    server.on("root/cert/ca_chain", [Reply::json(&json!({ "data": { "certificate": "" } }))]);
    server.on("root/cert/ca", [Reply::json(&json!({ "data": { "certificate": root } }))]);
    let pod = provider.mount("team-a/web", cas("root")).await;
    assert_eq!(PARTS.map(|part| pod.read(part)), [root.clone(), root.clone(), root]);
}

#[tokio::test]
async fn a_mount_without_a_ca_is_reported_with_its_path() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.enable("empty", "pki", json!({})).await;
    let refusal = provider.refuses("team-a/web", cas("empty")).await;
    refusal.tells(
        "vault.rejected",
        &["objects \"ca\", \"issuingCa\", \"chain\"", "empty/cert/ca_chain", "no default issuer"],
    );
    provider
        .refuses("team-a/web", cas("nowhere"))
        .await
        .tells("vault.read_denied", &["nowhere/cert/ca_chain"]);
}

#[tokio::test]
async fn after_a_rotation_every_pod_gets_the_ca_that_signs_now() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.root_authority("pki").await;
    let old = vault.authority("pki").await;
    let new = json!({ "common_name": "Example Root", "key_type": "ec", "issuer_name": "new" });
    vault.write("pki/root/rotate/internal", new).await;
    let leaf = certificate(json!({ "commonName": "web.example.com" }), &["issuingCa"]);
    assert_eq!(provider.mount("team-a/web", leaf.clone()).await.read("issuingCa"), old);
    vault.write("pki/config/issuers", json!({ "default": "new" })).await;
    let (new, pod) = (vault.authority("pki").await, provider.mount("team-a/web", cas("pki")).await);
    assert_ne!(new, old);
    assert_eq!(
        [pod.read("ca"), pod.read("issuingCa"), provider.mount("team-a/web", leaf).await.read("issuingCa")],
        [new.clone(), new.clone(), new]
    );
}

#[tokio::test]
async fn a_part_that_needs_an_issued_certificate_is_refused_before_any_call() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    for part in ["certificate", "certificateChain", "fullChain", "privateKey", "bundle"] {
        let class =
            object(json!({ "objectName": "file", "pki": { "mount": "pki", "ca": true }, "part": part }));
        provider
            .refuses("team-a/web", class)
            .await
            .tells("spec.invalid", &["part", "ca, issuingCa, chain or truststore"]);
    }
    assert!(vault.calls().is_empty());
}
