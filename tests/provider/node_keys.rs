//! Private keys that are generated on the node and never leave it.

use serde_json::Value;

use crate::support::pki::{certificate, certificate_text, certified_key, issued, public_key};
use crate::support::*;

const KINDS: [(&str, &str); 4] = [
    ("ec-p256", "prime256v1"),
    ("ec-p384", "secp384r1"),
    ("ed25519", "ED25519"),
    ("rsa-2048", "Public-Key: (2048 bit)"),
];

/// Checks that no private key is in the audit log, which has all bodies and responses in plain text.
fn sees_no_key(vault: &Vault) {
    let log = vault.audit();
    assert!(
        log.contains("BEGIN CERTIFICATE REQUEST") && log.contains("\"ca_chain\""),
        "the log shows bodies and answers"
    );
    assert!(!log.contains("PRIVATE KEY"));
}

#[tokio::test]
async fn a_key_made_on_the_node_is_never_shown_to_the_server() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    vault.certificates("pki", "any", json!({ "key_type": "any" })).await;
    for (kind, shown) in KINDS {
        let ask = json!({
            "role": "any", "commonName": "web.example.com", "altNames": ["a.example.com"], "ipSans": ["10.0.0.7", "fd00::7"],
            "uriSans": ["spiffe://example.com/web"], "ttl": "1h", "privateKey": "node", "keyType": kind,
        });
        let pod = provider
            .mount("team-a/web", certificate(ask, &["certificate", "privateKey", "certificateChain"]))
            .await;
        assert_eq!(public_key(&pod.read("privateKey")), certified_key(&pod.read("certificate")), "{kind}");
        let text = certificate_text(&pod.read("certificate"));
        for name in [
            "CN=web.example.com",
            "DNS:web.example.com",
            "DNS:a.example.com",
            "IP Address:10.0.0.7",
            "URI:spiffe://example.com/web",
            shown,
        ] {
            assert!(text.contains(name), "{kind}: {name} in {text}");
        }
        assert_eq!(pod.labels("certificateChain").len(), 2);
        assert!(!provider.log().contains(pod.read("privateKey").lines().nth(1).unwrap()), "a key in the log");
    }
    assert_eq!((vault.count("update pki/sign/any"), vault.count("update pki/issue/any")), (KINDS.len(), 0));
    sees_no_key(&vault);
}

/// Without `keyType` the key is P-256, which the usual role for ECDSA accepts.
#[tokio::test]
async fn every_volume_has_a_key_of_its_own_and_keeps_it_with_its_certificate() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    let class = certificate(
        json!({ "commonName": "web.example.com", "privateKey": "node" }),
        &["certificate", "privateKey"],
    );
    let first = provider.mount("team-a/web", class.clone()).await;
    let second = provider.mount("team-a/web", class).await;
    assert_ne!(first.read("privateKey"), second.read("privateKey"));
    assert_eq!(first.remount().await.versions(), first.versions());
    for pod in [first, second] {
        assert_eq!(public_key(&pod.read("privateKey")), certified_key(&pod.read("certificate")));
    }
}

/// A role may take names from the call instead of the request, and may drop them.
#[tokio::test]
async fn a_role_that_takes_names_from_the_call_gives_the_same_certificate() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    vault.certificates("pki", "call", json!({ "use_csr_common_name": false, "use_csr_sans": false })).await;
    let ask = json!({ "role": "call", "commonName": "web.example.com", "altNames": ["a.example.com"], "ipSans": ["10.0.0.7"], "privateKey": "node" });
    let pod = provider.mount("team-a/web", certificate(ask, &["certificate"])).await;
    let text = certificate_text(&pod.read("certificate"));
    assert!(
        text.contains("CN=web.example.com")
            && text.contains("DNS:a.example.com")
            && text.contains("IP Address:10.0.0.7"),
        "{text}"
    );
}

#[tokio::test]
async fn a_key_of_another_type_than_the_roles_is_reported_with_the_path() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    let ask = json!({ "commonName": "web.example.com", "privateKey": "node", "keyType": "ed25519" });
    let refusal = provider.refuses("team-a/web", certificate(ask, &["privateKey"])).await;
    refusal.tells(
        "vault.rejected",
        &["object \"privateKey\"", "pki/sign/web", "400 (role requires keys of type"],
    );
}

#[tokio::test]
async fn the_error_for_a_form_that_the_key_does_not_have_names_the_one_to_use() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    vault.certificates("pki", "any", json!({ "key_type": "any" })).await;
    let rows = [
        ("rsa-2048", "sec1", "pkcs8 or pkcs1, the formats of a key of RSA"),
        ("ec-p256", "pkcs1", "pkcs8 or sec1, the formats of a key of ECDSA"),
        ("ed25519", "sec1", "pkcs8, the formats of a key of Ed25519"),
    ];
    for (kind, form, instead) in rows {
        for part in ["privateKey", "bundle"] {
            let file = json!([{ "objectName": "tls.key", "part": part, "keyFormat": form }]);
            let ask: Value = json!({ "role": "any", "commonName": "web.example.com", "privateKey": "node", "keyType": kind });
            provider
                .refuses("team-a/web", issued(ask, &file))
                .await
                .tells("spec.invalid", &["object", "keyFormat", instead]);
        }
    }
    assert_eq!(vault.calls(), [""; 0], "nothing is issued for it");
}
