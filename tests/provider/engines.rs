//! Other engines, other paths, other namespaces.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::support::*;

#[tokio::test]
async fn kv_version_1_is_read_by_its_plain_path() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.enable("old", "kv", json!({ "version": "1" })).await;
    vault.allow("old/*", &["read"]).await;
    vault.write("old/team-a/db", json!({ "password": canary("kv1"), "data": "text" })).await;
    let password =
        object(json!({ "objectName": "db", "secretPath": "old/team-a/db", "secretKey": "password" }));
    let data = object(json!({ "objectName": "data", "secretPath": "old/team-a/db", "secretKey": "data" }));
    let pod = provider.mount("team-a/web", password.and(data)).await;
    assert_eq!((pod.read("db"), pod.read("data")), (canary("kv1"), "text".into()));
}

#[tokio::test]
async fn query_parameters_reach_the_engine() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("version-one") })).await;
    vault.put("team-a/db", json!({ "password": canary("version-two") })).await;
    let one = object(
        json!({ "objectName": "one", "secretPath": "secret/data/team-a/db?version=1", "secretKey": "password" }),
    );
    let pod = provider.mount("team-a/web", one.and(kv("latest", "team-a/db", "password"))).await;
    assert_eq!((pod.read("one"), pod.read("latest")), (canary("version-one"), canary("version-two")));
}

#[tokio::test]
async fn a_path_with_special_characters_is_read() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    for (path, sent) in [
        ("with space", "with%20space"),
        ("ümlaut", "%C3%BCmlaut"),
        ("plus+and", "plus+and"),
        ("at@colon:", "at@colon:"),
    ] {
        vault.put(&format!("team-a/{sent}"), json!({ "value": canary(path) })).await;
        let pod = provider.mount("team-a/web", kv("file", &format!("team-a/{path}"), "value")).await;
        assert_eq!(pod.read("file"), canary(path));
    }
}

#[tokio::test]
async fn two_certificates_of_one_role_are_two_certificates() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
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
    let issue = |file: &str, name: &str, key: Option<&str>| {
        let arguments = json!({ "common_name": name, "ttl": "1h" });
        object(
            json!({ "objectName": file, "secretPath": "pki/issue/web", "method": "PUT", "secretArgs": arguments, "secretKey": key.unwrap_or("") }),
        )
    };
    let class = issue("a.json", "a.example.com", None)
        .and(issue("b.crt", "b.example.com", Some("certificate")))
        .and(issue("b.key", "b.example.com", Some("private_key")));
    let pod = provider.mount("team-a/web", class).await;
    let whole = pod.json("a.json");
    assert_eq!(whole["request_id"], "");
    assert!(names(whole["data"]["certificate"].as_str().unwrap(), "a.example.com"));
    assert!(names(&pod.read("b.crt"), "b.example.com"));
    assert!(pod.read("b.key").starts_with("-----BEGIN EC PRIVATE KEY-----\n"));
    assert_eq!(vault.count("update pki/issue/web"), 2, "key and certificate of one body belong together");
    let key = pod.read("b.key");
    assert!(!provider.log().contains(key.lines().nth(1).unwrap()), "a key in the log");
}

#[tokio::test]
async fn login_and_reads_are_made_in_the_classs_namespace() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.write("sys/namespaces/team", json!({})).await;
    vault.enable_in("team", "secret", "kv", json!({ "version": "2" })).await;
    vault.trust("team", "kubernetes").await;
    vault.role_in("team", "kubernetes", "web", json!({})).await;
    vault.allow_in("team", "secret/data/team-a/*", &["read"]).await;
    vault.write_in("team", "secret/data/team-a/db", json!({ "data": { "password": canary("inner") } })).await;
    vault.put("team-a/db", json!({ "password": canary("outer") })).await;
    let class = kv("db", "team-a/db", "password");
    for spelling in ["team", "/team/"] {
        let pod = provider.mount("team-a/web", class.clone().with("vaultNamespace", spelling)).await;
        assert_eq!(pod.read("db"), canary("inner"), "{spelling}");
    }
    let flagged = Provider::of(&vault).flag("--vault-namespace=team").start().await;
    assert_eq!(flagged.mount("team-a/web", class.clone()).await.read("db"), canary("inner"));
    let missing = flagged.refuses("team-a/web", kv("db", "team-a/none", "password")).await;
    missing.tells("vault.not_found", &["namespace \"team\""]);
    assert_eq!(provider.mount("team-a/web", class).await.read("db"), canary("outer"));
}

/// Whether a PEM certificate holds `name`; DER keeps it as plain text.
fn names(certificate: &str, name: &str) -> bool {
    let lines: String = certificate.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(lines).unwrap().windows(name.len()).any(|window| window == name.as_bytes())
}
