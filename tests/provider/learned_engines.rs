//! What a path creates is learnt from the server, not guessed from words of the path.

use futures::future::join_all;

use crate::support::volume::Volume;
use crate::support::*;

const LOGIN: &str = "update auth/kubernetes/login";

/// A class of one file, with `refresh: 1h`.
fn hourly(entry: serde_json::Value) -> Class {
    object(entry).with("refresh", "1h")
}

/// Five pods of an account that mount `class`, and are republished twice.
async fn five_pods<'p>(provider: &'p Provider, class: &Class) -> Vec<Volume<'p>> {
    let pods = join_all((0..5).map(|_| provider.mount("team-a/web", class.clone()))).await;
    let pods = join_all(pods.iter().map(Volume::remount)).await;
    join_all(pods.iter().map(Volume::remount)).await
}

/// How many lookups of mounts the server received.
fn lookups(vault: &Vault) -> usize {
    vault.calls().iter().filter(|call| call.contains("sys/internal/ui/mounts/")).count()
}

async fn naming() -> Vault {
    let vault = Vault::start().await;
    vault.names_accounts(json!({})).await;
    vault
}

#[tokio::test]
async fn a_kv_secret_is_shared_and_cached_whatever_words_its_path_has() {
    for path in ["team-a/token/x", "team-a/creds/sts", "team-a/key/x", "team-a/auth/x", "team-a/sys/x"] {
        let vault = naming().await;
        let provider = Provider::start(&vault).await;
        vault.put(path, json!({ "value": canary(path), "ttl": 1 })).await;
        // A first pod learns the mount; the others find it known.
        let class = hourly(
            json!({ "objectName": "v", "secretPath": format!("secret/data/{path}"), "secretKey": "value" }),
        );
        let pods = five_pods(&provider, &class).await;
        pods.iter().for_each(|pod| assert_eq!(pod.read("v"), canary(path)));
        let reads = vault.count(&format!("read secret/data/{path}"));
        assert_eq!((reads, vault.count(LOGIN)), (1, 1), "{path}: {:?}", vault.calls());
        assert!((1..=5).contains(&lookups(&vault)), "{path}: {:?}", vault.calls());
    }
}

#[tokio::test]
async fn a_mount_is_looked_up_once_and_only_for_paths_with_such_a_word() {
    let vault = naming().await;
    let provider = Provider::start(&vault).await;
    vault.enable("old", "kv", json!({ "version": "1" })).await;
    vault.allow("old/*", &["read"]).await;
    for path in ["secret/data/team-a/key/a", "secret/data/team-a/key/b", "secret/data/team-a/plain"] {
        vault.write(path, json!({ "data": { "value": canary(path) } })).await;
    }
    vault.write("old/token/c", json!({ "value": canary("v1"), "ttl": "10s" })).await;
    let plain =
        object(json!({ "objectName": "p", "secretPath": "secret/data/team-a/plain", "secretKey": "value" }));
    provider.mount("team-a/web", plain).await;
    assert_eq!(lookups(&vault), 0);
    let class = typed(
        "
- {objectName: a, kv: {mount: secret, path: team-a/key/a}, secretKey: value}
- {objectName: b, secretPath: secret/data/team-a/key/b, secretKey: value}
- {objectName: c, kv: {mount: old, path: token/c, engineVersion: 1}, secretKey: value}",
    );
    let pod = provider.mount("team-a/web", class.clone().with("refresh", "0s")).await;
    assert_eq!((pod.read("b"), pod.read("c")), (canary("secret/data/team-a/key/b"), canary("v1")));
    pod.remount().await.remount().await;
    provider.mount("team-a/web", class).await;
    assert_eq!(lookups(&vault), 2, "one for each mount: {:?}", vault.calls());
}

#[tokio::test]
async fn an_identity_token_is_kept_for_refresh() {
    let vault = naming().await;
    let provider = Provider::start(&vault).await;
    vault.write("identity/oidc/key/app", json!({ "allowed_client_ids": "*" })).await;
    vault.write("identity/oidc/role/app", json!({ "key": "app", "ttl": "24h" })).await;
    vault.write("identity/oidc/role/short", json!({ "key": "app", "ttl": "3s" })).await;
    vault.allow("identity/oidc/token/*", &["read"]).await;
    let token = |role: &str| json!({ "objectName": "t", "secretPath": format!("identity/oidc/token/{role}"), "secretKey": "token" });
    let mut pod = provider.mount("team-a/web", hourly(token("app"))).await;
    for _ in 0..4 {
        pod = pod.remount().await;
    }
    assert_eq!(vault.count("read identity/oidc/token/app"), 1, "{:?}", vault.calls());
    assert_eq!(pod.read("t").split('.').count(), 3);
    // Its own end counts, whatever `refresh` says.
    let short = provider.mount("team-a/web", hourly(token("short"))).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_ne!(short.remount().await.read("t"), short.read("t"));
}

#[tokio::test]
async fn what_belongs_to_a_token_is_read_with_a_token_of_the_volumes_own_by_whatever_field() {
    let vault = naming().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("beside") })).await;
    let db = "- {objectName: db, kv: {mount: secret, path: team-a/db}, secretKey: password}";
    let shared = provider.mount("team-a/web", typed(db)).await;
    for source in [
        "kv: {mount: auth, path: token/lookup-self, engineVersion: 1}",
        "kv: {mount: auth/token, path: lookup-self, engineVersion: 1}",
        "secretPath: auth/token/lookup-self",
    ] {
        let class = typed(&format!("{db}\n- {{objectName: id, {source}, secretKey: id}}"));
        let pod = provider.mount("team-a/web", class).await;
        let token = pod.read("id");
        assert_eq!(
            vault.write("auth/token/revoke", json!({ "token": token })).await,
            json!(null),
            "{source}"
        );
        // The login that the pods share is another one, so it was not revoked.
        let logins = vault.count(LOGIN);
        shared.edited(typed(db).with("refresh", "0s")).mount().await;
        assert_eq!(vault.count(LOGIN), logins, "{source}");
    }
}
