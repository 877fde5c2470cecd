//! Objects that may be missing: `optional` and `default` apply to "not found", never to a denied read or an outage.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::*;

/// A class of one required file, and one with `fields`: path and selector.
async fn with(vault: &Vault, fields: &str) -> Class {
    vault.put("team-a/there", json!({ "password": canary("there"), "null": null, "list": [1] })).await;
    typed(&format!(
        "- {{objectName: there, kv: {{mount: secret, path: team-a/there}}, secretKey: password}}\n- {{{fields}}}"
    ))
}

/// Every kind of "not found": the fields that cause it.
const NOT_FOUND: &[&str] = &[
    "kv: {mount: secret, path: team-a/none}, secretKey: password",
    "kv: {mount: secret, path: team-a/none}, format: yaml",
    "kv: {mount: secret, path: team-a/none}",
    "kv: {mount: secret, path: team-a/there}, secretKey: none",
    "kv: {mount: secret, path: team-a/there}, secretKey: 'null'",
    "kv: {mount: secret, path: team-a/there}, pointer: /list/1",
    "kv: {mount: secret, path: team-a/there, version: 99}, secretKey: password",
    "secretPath: secret/data/team-a/none, secretKey: password",
    "secretPath: secret/data/team-a/none",
    "request: {path: secret/data/team-a/none}, format: json",
    "transit: {key: orders, from: {kv: {mount: secret, path: team-a/none}, secretKey: password}}",
    "s5: {key: orders, from: {kv: {mount: secret, path: team-a/there}, secretKey: none}}",
];

#[tokio::test]
async fn an_optional_file_is_left_out_when_its_secret_is_not_found() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    for fields in NOT_FOUND {
        let pod = provider
            .mount("team-a/web", with(&vault, &format!("objectName: db, optional: true, {fields}")).await)
            .await;
        assert_eq!((pod.names(), pod.version("db")), (vec!["there"], "absent"), "{fields}");
    }
}

#[tokio::test]
async fn a_default_is_written_where_nothing_is_found() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    for fields in NOT_FOUND {
        let pod = provider
            .mount(
                "team-a/web",
                with(&vault, &format!("objectName: db, default: 'none: yet', {fields}")).await,
            )
            .await;
        assert_eq!((pod.read("db"), pod.read("there")), ("none: yet".into(), canary("there")), "{fields}");
    }
    let empty =
        with(&vault, "objectName: db, default: '', kv: {mount: secret, path: team-a/none}, secretKey: x")
            .await;
    assert_eq!(provider.mount("team-a/web", empty).await.read("db"), "");
}

#[tokio::test]
async fn an_optional_file_appears_and_disappears_with_its_secret() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let class = with(
        &vault,
        "objectName: db, optional: true, kv: {mount: secret, path: team-a/db}, secretKey: password",
    )
    .await;
    let pod = provider.mount("team-a/web", class).await;
    vault.put("team-a/db", json!({ "password": canary("came") })).await;
    let came = pod.remount().await;
    assert_eq!(came.read("db"), canary("came"));
    vault.call(reqwest::Method::DELETE, "", "secret/data/team-a/db", &json!({})).await;
    assert_eq!(pod.remount().await.versions(), pod.versions(), "a deleted version is not found");
    vault.write("secret/undelete/team-a/db", json!({ "versions": [1] })).await;
    assert_eq!(pod.remount().await.versions(), came.versions());
    vault.write("secret/destroy/team-a/db", json!({ "versions": [1] })).await;
    assert_eq!(pod.remount().await.names(), ["there"]);
}

#[tokio::test]
async fn a_volume_without_any_file_differs_from_one_that_failed() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let class = typed(
        "- {objectName: db, optional: true, kv: {mount: secret, path: team-a/db}, secretKey: password}",
    );
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!(
        (pod.names(), pod.read(".vaultmount"), pod.version("db")),
        (vec![".vaultmount"], String::new(), "absent")
    );
    vault.put("team-a/db", json!({ "password": canary("came") })).await;
    assert_eq!(pod.remount().await.names(), ["db"]);
}

#[tokio::test]
async fn an_optional_directory_is_empty_when_its_secret_is_not_there() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    for keys in ["'*'", "[user, password]"] {
        let fields = format!(
            "directory: db, keys: {keys}, optional: true, kv: {{mount: secret, path: team-a/{}}}",
            keys.len()
        );
        let pod = provider.mount("team-a/web", with(&vault, &fields).await).await;
        assert_eq!(pod.names(), ["there"], "{keys}");
        vault.put(&format!("team-a/{}", keys.len()), json!({ "user": canary("came") })).await;
        assert_eq!(
            pod.remount().await.names(),
            ["db/user", "there"],
            "{keys}: each listed key is optional by itself"
        );
    }
}

#[tokio::test]
async fn a_denied_read_never_counts_as_not_found() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "orders", json!({})).await;
    vault.key("transit", "others", json!({})).await;
    vault
        .put(
            "team-a/sealed",
            json!({ "foreign": vault.cipher("others", "x", None).await, "text": canary("no-ciphertext") }),
        )
        .await;
    for (fields, reason) in [
        ("kv: {mount: secret, path: team-b/db}, secretKey: password", "vault.read_denied"),
        ("secretPath: secret/data/team-b/db", "vault.read_denied"),
        (
            "transit: {key: denied, from: {kv: {mount: secret, path: team-a/sealed}, secretKey: foreign}}",
            "vault.read_denied",
        ),
        (
            "transit: {key: orders, from: {kv: {mount: secret, path: team-a/sealed}, secretKey: foreign}}",
            "render.failed",
        ),
        ("kv: {mount: secret, path: team-a/sealed}, secretKey: text, encoding: hex", "render.failed"),
    ] {
        for absent in ["optional: true", "default: text"] {
            let class = with(&vault, &format!("objectName: db, {absent}, {fields}")).await;
            provider.refuses("team-a/web", class).await.tells(reason, &["object \"db\""]);
        }
    }
}

#[tokio::test]
async fn an_outage_never_counts_as_not_found() {
    let mut vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let class = with(
        &vault,
        "objectName: db, optional: true, kv: {mount: secret, path: team-a/db}, secretKey: password",
    )
    .await;
    vault.put("team-a/db", json!({ "password": canary("came") })).await;
    let pod = provider.mount("team-a/web", class.clone()).await;
    let strict = provider.mount("team-a/web", class.clone().with("maxStale", "0s")).await;
    vault.seal().await;
    let begun = Instant::now();
    assert_eq!(pod.remount().await.versions(), pod.versions(), "the last good content stands in");
    // A first mount would retry for 18 s.
    assert!(begun.elapsed() < Duration::from_secs(12), "the driver waits: {:?}", begun.elapsed());
    let (old, new) = tokio::join!(strict.remount_fails(), provider.refuses("team-a/web", class.clone()));
    [old, new].iter().for_each(|refusal| _ = refusal.tells("vault.sealed", &[]));
    vault.unseal().await;
    // The next probe of a server that was down is up to 32 s away; until then mounts report what the last one said.
    until("a probe that succeeds", async || {
        provider.call("team-a/web", class.clone()).send().await.is_ok().then_some(())
    })
    .await;
    vault.kill();
    assert_eq!(pod.remount().await.versions(), pod.versions());
    let (old, new) = tokio::join!(strict.remount_fails(), provider.refuses("team-a/web", class));
    [old, new].iter().for_each(|refusal| _ = refusal.tells("vault.unreachable", &[]));
}
