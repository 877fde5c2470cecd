//! The number of calls to the server, and the tokens that remain on it.

use crate::support::*;

#[tokio::test]
async fn two_keys_of_one_path_are_one_call() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "user": canary("user"), "password": canary("password") })).await;
    let spelled = json!({ "objectName": "spelled", "secretPath": "/v1/secret/data/team-a/db", "secretKey": "user", "method": "GET" });
    let class =
        kv("user", "team-a/db", "user").and(kv("password", "team-a/db", "password")).and(object(spelled));
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!((pod.read("user"), pod.read("password")), (pod.read("spelled"), canary("password")));
    assert_eq!(vault.calls()[..2], ["update auth/kubernetes/login", "read secret/data/team-a/db"]);
}

#[tokio::test]
async fn two_bodies_for_one_path_are_two_calls() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.enable("transit", "transit", json!({})).await;
    vault.write("transit/keys/orders", json!({})).await;
    vault.allow("transit/decrypt/orders", &["update"]).await;
    let mut class = None;
    for name in ["one", "two"] {
        let plain = base64(&canary(name));
        let sealed =
            vault.write("transit/encrypt/orders", json!({ "plaintext": plain })).await["data"]["ciphertext"]
                .take();
        let entry = object(json!({
            "objectName": name, "secretPath": "transit/decrypt/orders", "method": "PUT", "secretArgs": { "ciphertext": sealed },
            "secretKey": "plaintext", "encoding": "base64",
        }));
        class = Some(class.map_or(entry.clone(), |class: Class| class.and(entry)));
    }
    let pod = provider.mount("team-a/web", class.unwrap()).await;
    assert_eq!((pod.read("one"), pod.read("two")), (canary("one"), canary("two")));
    assert_eq!(vault.count("update transit/decrypt/orders"), 2);
}

#[tokio::test]
async fn a_volume_logs_in_once_and_its_token_is_revoked_at_the_end_of_the_process() {
    let vault = Vault::start().await;
    let mut provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("kept") })).await;
    let before = vault.tokens().await;
    let pod = provider.mount("team-a/web", kv("db", "team-a/db", "password")).await;
    pod.remount().await.remount().await;
    assert_eq!((vault.count("update auth/kubernetes/login"), vault.tokens().await), (1, before + 1));
    provider.terminate();
    provider.ended().await;
    assert_eq!((vault.tokens().await, vault.count("update auth/token/revoke-self")), (before, 1));
}

#[tokio::test]
async fn a_transient_login_is_revoked_after_its_mounts_answer() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("revoked") })).await;
    let before = vault.tokens().await;
    let transient = |path, key| kv("db", path, key).with("login", "transient");
    let pod = provider.mount("team-a/web", transient("team-a/db", "password")).await;
    provider.refuses("team-a/web", transient("team-b/db", "password")).await.tells("vault.read_denied", &[]);
    provider.refuses("team-a/web", transient("team-a/db", "nothing")).await.tells("vault.not_found", &[]);
    pod.remount().await;
    until("the tokens to be gone", async || (vault.tokens().await == before).then_some(())).await;
    assert_eq!((vault.count("update auth/kubernetes/login"), vault.revoked().len()), (4, 4));
}

#[tokio::test]
async fn a_token_with_a_lease_stays_valid() {
    let vault = Vault::start().await;
    let mut provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("beside") })).await;
    vault.enable("ssh", "ssh", json!({})).await;
    vault
        .write(
            "ssh/roles/otp",
            json!({ "key_type": "otp", "default_user": "admin", "cidr_list": "0.0.0.0/0" }),
        )
        .await;
    vault.allow("ssh/creds/otp", &["update"]).await;
    let before = vault.tokens().await;
    let otp = json!({ "objectName": "otp", "secretPath": "ssh/creds/otp", "method": "PUT", "secretArgs": { "ip": "127.0.0.1" }, "secretKey": "key" });
    let pod = provider.mount("team-a/web", object(otp).and(kv("db", "team-a/db", "password"))).await;
    let password = pod.read("otp");
    provider.mount("team-a/web", kv("db", "team-a/db", "password")).await;
    provider.terminate();
    provider.ended().await;
    assert_eq!(vault.tokens().await, before + 1, "the other mount's token is gone, and this one is not");
    let verified = vault.write("ssh/verify", json!({ "otp": password })).await;
    assert_eq!(verified["data"]["username"], "admin");
}

#[tokio::test]
async fn a_token_that_a_pod_creates_outlives_the_mount() {
    let vault = Vault::start().await;
    let mut provider = Provider::start(&vault).await;
    vault.allow("auth/token/create", &["update"]).await;
    let before = vault.tokens().await;
    let class = object(
        json!({ "objectName": "token.json", "secretPath": "auth/token/create", "method": "POST", "secretArgs": { "ttl": "5m" } }),
    );
    let accessor = provider.mount("team-a/web", class).await.json("token.json")["auth"]["accessor"].take();
    provider.terminate();
    provider.ended().await;
    assert_eq!(
        vault.tokens().await,
        before + 2,
        "revoking the mount's token would revoke the one that it made"
    );
    vault.write("auth/token/lookup-accessor", json!({ "accessor": accessor })).await;
}

#[tokio::test]
async fn many_objects_are_read_at_once_and_each_only_once() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    for number in 0..40 {
        vault.put(&format!("team-a/{number}"), json!({ "value": canary(&number.to_string()) })).await;
    }
    let class = (0..40)
        .map(|number| kv(&format!("files/{number}"), &format!("team-a/{number}"), "value"))
        .reduce(Class::and)
        .unwrap();
    let pod = provider.mount("team-a/web", class).await;
    for number in 0..40 {
        assert_eq!(pod.read(&format!("files/{number}")), canary(&number.to_string()));
        assert_eq!(vault.count(&format!("read secret/data/team-a/{number}")), 1);
    }
    assert_eq!(vault.count("update auth/kubernetes/login"), 1);
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
