//! Certificates that the server refuses, or that differ from the request.

use serde_json::Value;

use crate::support::faulty::{Faulty, Reply};
use crate::support::pki::{certificate, issued};
use crate::support::*;

#[tokio::test]
async fn a_certificate_that_may_not_be_issued_is_reported_with_its_path() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.root_authority("pki").await;
    vault.allow("pki/issue/unknown", &["update"]).await;
    vault.certificates("pki", "any", json!({ "key_type": "any" })).await;
    vault.certificates("pki", "long", json!({ "max_ttl": "9000h" })).await;
    let ask = |role: &str, name: &str, ttl: &str| {
        certificate(json!({ "role": role, "commonName": name, "ttl": ttl }), &["privateKey"])
    };
    for (class, reason, part) in [
        (ask("other", "web.example.com", "1h"), "vault.read_denied", "policy"),
        (ask("unknown", "web.example.com", "1h"), "vault.rejected", "unknown role"),
        (ask("web", "web.example.org", "1h"), "vault.rejected", "not allowed by this role"),
        (
            ask("any", "web.example.com", "1h"),
            "vault.rejected",
            "not allowed for issuing certificates without providing key_type",
        ),
        (ask("long", "web.example.com", "2000h"), "vault.rejected", "TTL would result in notAfter"),
    ] {
        let path = format!(
            "pki/issue/{}",
            class.parameters()["objects"].split("\"role\":\"").nth(1).unwrap().split('"').next().unwrap()
        );
        provider.refuses("team-a/web", class).await.tells(reason, &["object \"privateKey\"", &path, part]);
    }
}

/// The response is compared with the request: a wrong certificate becomes no file.
#[tokio::test]
async fn a_certificate_of_other_names_or_of_another_key_is_no_file() {
    let (vault, server) = (Vault::start().await, Faulty::start().await);
    let provider = Provider::facing(&server.address()).start().await;
    vault.authorities().await;
    let issue = async |name: &str| {
        vault.write("pki/issue/web", json!({ "common_name": name, "ip_sans": "10.0.0.7" })).await["data"]
            .take()
    };
    let (right, other) = (issue("web.example.com").await, issue("other.example.com").await);
    let with = |field: &str, value: Value| {
        let mut answer = right.clone();
        answer[field] = value;
        json!({ "data": answer })
    };
    let ask = json!({ "commonName": "web.example.com", "ipSans": ["10.0.0.7"] });
    let more = json!({ "commonName": "web.example.com", "altNames": ["a.example.com"] });
    let other_name = json!({ "commonName": "web.example.com", "uriSans": ["spiffe://example.com/web"], "ipSans": ["10.0.0.8"] });
    let node = json!({ "commonName": "web.example.com", "privateKey": "node" });
    for (ask, answer, detail) in [
        (&ask, json!({ "data": other }), "common name is not the requested web.example.com"),
        (&more, json!({ "data": right }), "a.example.com"),
        (&other_name, json!({ "data": right }), "10.0.0.8"),
        (&ask, with("private_key", other["private_key"].clone()), "does not belong to the private key"),
        (&ask, with("certificate", other["certificate"].clone()), "does not belong to the private key"),
        (&ask, with("private_key", json!(canary("key"))), "private key"),
        (&ask, with("private_key", Value::Null), "private key"),
        (&ask, with("certificate", json!(canary("certificate"))), "certificate"),
        (&ask, with("certificate", json!(7)), "certificate"),
        (&ask, with("ca_chain", json!([canary("chain")])), "ca_chain"),
        (&node, json!({ "data": right }), "does not belong to the private key"),
    ] {
        for path in ["pki/issue/web", "pki/sign/web"] {
            server.on(path, [Reply::json(&answer)]);
        }
        let refusal = provider.refuses("team-a/web", certificate(ask.clone(), &["privateKey"])).await;
        let reason = if detail.contains("example") || detail.contains("10.0") {
            "vault.rejected"
        } else {
            "vault.malformed"
        };
        refusal.tells(reason, &["object \"privateKey\"", "pki/roles/web", detail]);
    }
    server.on("pki/issue/web", [Reply::json(&json!({ "data": canary("text") }))]);
    let refusal = provider.refuses("team-a/web", certificate(ask.clone(), &["privateKey"])).await;
    refusal.tells("vault.malformed", &["object \"privateKey\"", "pki/issue/web"]);
    server.on("pki/issue/web", [Reply::json(&json!({ "data": right }))]);
    assert!(
        !provider.mount("team-a/web", certificate(ask, &["privateKey"])).await.read("privateKey").is_empty()
    );
}

/// A field without effect on the part is an error, not ignored.
#[tokio::test]
async fn a_field_without_effect_on_a_part_is_refused_before_any_call() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let password = json!({ "kv": { "mount": "secret", "path": "team-a/store" }, "secretKey": "password" });
    for (file, field) in [
        (json!({ "part": "certificate", "format": "json" }), "format"),
        (json!({ "part": "certificate", "encoding": "base64" }), "part"),
        (json!({ "part": "certificate", "from": "response" }), "part"),
        (json!({ "part": "certificate", "secretKey": "certificate" }), "part"),
        (json!({ "part": "certificate", "keyFormat": "sec1" }), "keyFormat"),
        (json!({ "part": "certificate", "password": password }), "password"),
        (json!({ "part": "pkcs12", "password": password, "storeType": "jks" }), "storeType"),
        (json!({ "secretKey": "certificate", "format": "json" }), "format"),
        (json!({ "secretKey": "private_key", "keyFormat": "sec1" }), "keyFormat"),
        (json!({ "secretKey": "private_key", "alias": "web" }), "alias"),
        (json!({}), "part"),
    ] {
        let mut file: Value = file;
        file["objectName"] = json!("file");
        let class = issued(json!({ "commonName": "web.example.com" }), &json!([file]));
        provider.refuses("team-a/web", class).await.tells("spec.invalid", &[field]);
    }
    assert!(vault.calls().is_empty());
}
