//! Ciphertexts of transit in a class or in KV, decrypted into files.

use crate::support::*;

/// A class of `files` from ciphertexts in the class itself, all of the key `orders`.
fn inline(files: &[(&str, &str)]) -> Class {
    let one = |(name, sealed): &(&str, &str)| {
        object(json!({ "objectName": name, "transit": { "key": "orders", "ciphertext": sealed } }))
    };
    files.iter().map(one).reduce(Class::and).unwrap()
}

#[tokio::test]
async fn a_ciphertext_in_the_class_is_opened_into_a_file() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "orders", json!({})).await;
    let sealed = vault.cipher("orders", canary("inline"), None).await;
    let pod = provider.mount("team-a/web", inline(&[("db", &sealed)])).await;
    assert_eq!(pod.read("db"), canary("inline"));
    assert_eq!(pod.remount().await.versions(), pod.versions());
    assert!(!provider.log().contains(&sealed), "a ciphertext in the log");
}

/// The role may do nothing else: neither read the key's properties nor a secret.
#[tokio::test]
async fn the_right_to_decrypt_is_all_that_a_pod_needs() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "orders", json!({})).await;
    let only = "path \"transit/decrypt/orders\" { capabilities = [\"update\"] }";
    vault.write("sys/policies/acl/least", json!({ "policy": only })).await;
    vault
        .role("kubernetes", "least", json!({ "token_policies": ["least"], "token_no_default_policy": true }))
        .await;
    let sealed = vault.cipher("orders", canary("least"), None).await;
    let pod = provider.mount("team-a/web", inline(&[("db", &sealed)]).with("roleName", "least")).await;
    assert_eq!(pod.read("db"), canary("least"));
}

#[tokio::test]
async fn a_ciphertext_in_kv_is_decrypted_into_a_file() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("tenants/transit", "orders", json!({})).await;
    let sealed = vault.cipher("tenants/transit/orders", canary("kept"), None).await;
    vault
        .put("team-a/db", json!({ "sealed": { "password": sealed }, "newline": format!("{sealed}\n") }))
        .await;
    let class = typed(
        "
- objectName: one
  transit: {mount: tenants/transit, key: orders, from: {kv: {mount: secret, path: team-a/db}, pointer: /sealed/password}}
- objectName: two
  transit: {mount: tenants/transit, key: orders, from: {kv: {mount: secret, path: team-a/db}, secretKey: newline}}",
    );
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!((pod.read("one"), pod.read("two")), (canary("kept"), canary("kept")));
    assert_eq!(
        (vault.count("read secret/data/team-a/db"), vault.count("update tenants/transit/decrypt/orders")),
        (1, 1)
    );
}

#[tokio::test]
async fn a_derived_key_opens_with_the_context_of_each_ciphertext() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "orders", json!({ "derived": true })).await;
    let (one, two) = (
        vault.cipher("orders", canary("one"), Some("alice")).await,
        vault.cipher("orders", canary("two"), Some("bob")).await,
    );
    let file = |name: &str, sealed: &str, context: Option<&str>| {
        let context = context.map(|context| json!(context));
        object(
            json!({ "objectName": name, "transit": { "key": "orders", "ciphertext": sealed, "context": context } }),
        )
    };
    let class = file("one", &one, Some("YWxp\nY2U=\n")).and(file("two", &two, Some("Ym9i")));
    let pod = provider.mount("team-a/web", class.clone()).await;
    assert_eq!((pod.read("one"), pod.read("two")), (canary("one"), canary("two")));
    assert_eq!(vault.count("update transit/decrypt/orders"), 1);
    // The server accepts a batch with a context in every item or in none.
    let refusal = provider
        .refuses("team-a/web", class.and(file("other", &one, Some("Ym9i"))).and(file("none", &one, None)))
        .await;
    refusal.tells(
        "render.failed",
        &["object \"other\"", "encrypted with another key or context", "object \"none\"", "set the context"],
    );
    assert!(!refusal.text.contains("\"one\"") && !refusal.text.contains("\"two\""), "{}", refusal.text);
}

#[tokio::test]
async fn bytes_stay_bytes_and_an_encoding_decodes_once_more() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "orders", json!({})).await;
    let bytes: Vec<u8> = (0..=255).collect();
    let (raw, empty) = (vault.cipher("orders", &bytes, None).await, vault.cipher("orders", "", None).await);
    let (base64, hex) =
        (vault.cipher("orders", "AP8Q", None).await, vault.cipher("orders", "00FF10", None).await);
    let encoded =
        |name: &str, sealed: &str, encoding: &str| inline(&[(name, sealed)]).each("encoding", encoding);
    let class = inline(&[("raw", &raw), ("empty", &empty)])
        .and(encoded("base64", &base64, "base64"))
        .and(encoded("hex", &hex, "hex"));
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!((pod.bytes("raw"), pod.bytes("empty")), (&bytes[..], &[][..]));
    assert_eq!((pod.bytes("base64"), pod.bytes("hex")), (&[0, 0xff, 0x10][..], &[0, 0xff, 0x10][..]));
    provider
        .refuses("team-a/web", encoded("bad", &raw, "base64"))
        .await
        .tells("render.failed", &["object \"bad\"", "base64"]);
}

#[tokio::test]
async fn a_ciphertext_that_cannot_be_opened_is_named_and_no_other() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    for key in ["orders", "others"] {
        vault.key("transit", key, json!({})).await;
    }
    let good = vault.cipher("orders", canary("good"), None).await;
    let foreign = vault.cipher("others", canary("foreign"), None).await;
    let cut = &good[..good.len() - 8];
    for (sealed, cause) in [
        (foreign.as_str(), "another key or context"),
        ("canary Kanarienvogel7Qx", "not a complete transit ciphertext"),
        ("vault:v9:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "no such version"),
        (cut, "object \"bad\""),
    ] {
        let refusal = provider
            .refuses("team-a/web", inline(&[("good", &good), ("bad", sealed), ("fine", &good)]))
            .await;
        refusal.tells("render.failed", &["object \"bad\"", "transit/decrypt/orders", cause]);
        assert!(!refusal.text.contains("good") && !refusal.text.contains("fine"), "{}", refusal.text);
    }
    provider.mount("team-a/web", inline(&[("good", &good)])).await;
}

#[tokio::test]
async fn old_and_new_versions_of_a_key_are_opened_together() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "orders", json!({})).await;
    let one = vault.cipher("orders", canary("one"), None).await;
    vault.write("transit/keys/orders/rotate", json!({})).await;
    let two = vault.cipher("orders", canary("two"), None).await;
    let pod = provider.mount("team-a/web", inline(&[("one", &one), ("two", &two)])).await;
    assert_eq!((pod.read("one"), pod.read("two")), (canary("one"), canary("two")));
    assert_eq!(vault.count("update transit/decrypt/orders"), 1);
    vault.write("transit/keys/orders/config", json!({ "min_decryption_version": 2 })).await;
    let refusal = pod.remount_fails().await;
    refusal.tells("render.failed", &["object \"one\"", "min_decryption_version", "encrypt the value again"]);
    assert!(!refusal.text.contains("\"two\""), "{}", refusal.text);
}

#[tokio::test]
async fn a_missing_key_and_a_denied_one_have_different_errors() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "orders", json!({})).await;
    vault.allow("transit/decrypt/none", &["update"]).await;
    let sealed = vault.cipher("orders", "x", None).await;
    let of =
        |key: &str| typed(&format!("- {{objectName: db, transit: {{key: {key}, ciphertext: '{sealed}'}}}}"));
    provider
        .refuses("team-a/web", of("denied"))
        .await
        .tells("vault.read_denied", &["object \"db\"", "transit/decrypt/denied", "403"]);
    let missing = provider.refuses("team-a/web", of("none")).await;
    assert!(missing.text.contains("transit/decrypt/none"), "{}", missing.text);
    let lost = typed(&format!(
        "- {{objectName: db, transit: {{mount: nowhere, key: orders, ciphertext: '{sealed}'}}}}"
    ));
    provider
        .refuses("team-a/web", lost)
        .await
        .tells("vault.read_denied", &["object \"db\"", "nowhere/decrypt/orders"]);
}
