//! Keystores: their content as Java and OpenSSL read it, and their password.

use serde_json::Value;

use crate::support::pki::{certificate, certified_key, issued, openssl, public_key};
use crate::support::tools::tool;
use crate::support::volume::Volume;
use crate::support::*;

/// The value with the password, in the secret `team-a/store`.
fn password() -> Value {
    json!({ "kv": { "mount": "secret", "path": "team-a/store" }, "secretKey": "password" })
}

fn store(name: &str, part: &str) -> Value {
    json!({ "objectName": name, "part": part, "password": password() })
}

fn with(mut file: Value, field: &str, value: &str) -> Value {
    file[field] = json!(value);
    file
}

/// Output of Java's keytool.
fn keytool(arguments: &[&str]) -> String {
    tool("keytool", &[&["-J-XX:TieredStopAtLevel=1"], arguments].concat(), b"")
}

/// Saves the file for programs that take a path.
fn saved(provider: &Provider, pod: &Volume<'_>, name: &str) -> String {
    let path = provider.home().join(name);
    std::fs::write(&path, pod.bytes(name)).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn java_and_openssl_open_every_keystore_of_one_issue_with_the_password_of_a_secret() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    let secret = canary("store, \"password\" 'x'");
    vault.put("team-a/store", json!({ "password": secret })).await;
    let files = json!([
        { "objectName": "tls.crt", "part": "certificate" }, { "objectName": "tls.key", "part": "privateKey" },
        store("key.p12", "pkcs12"), with(store("key.jks", "jks"), "alias", "Web"),
        store("trust.p12", "truststore"), with(with(store("trust.jks", "truststore"), "storeType", "jks"), "alias", "example"),
    ]);
    let pod = provider.mount("team-a/web", issued(json!({ "commonName": "web.example.com" }), &files)).await;
    assert_eq!((vault.count("update pki/issue/web"), vault.count("read secret/data/team-a/store")), (1, 1));
    let root = vault.authority("root").await;
    for (name, form, alias, kind) in [
        ("key.p12", "PKCS12", "certificate", "PrivateKeyEntry"),
        ("key.jks", "JKS", "Web", "PrivateKeyEntry"),
        ("trust.p12", "PKCS12", "ca", "trustedCertEntry"),
        ("trust.jks", "JKS", "example", "trustedCertEntry"),
    ] {
        let path = saved(&provider, &pod, name);
        let open = ["-keystore", &path, "-storetype", form, "-storepass", &secret];
        let listed = keytool(&[&["-list"], &open[..]].concat());
        assert!(listed.contains("contains 1 entry") && listed.contains(kind), "{name}: {listed}");
        let exported =
            openssl(&["x509"], &keytool(&[&["-exportcert", "-rfc", "-alias", alias], &open[..]].concat()));
        let wanted = if kind == "PrivateKeyEntry" { pod.read("tls.crt") } else { root.clone() };
        assert_eq!(exported, wanted, "{name}");
    }
    let path = provider.home().join("key.p12").display().to_string();
    let open = ["pkcs12", "-in", &path, "-passin", &format!("pass:{secret}"), "-nodes"];
    assert_eq!(openssl(&["pkey"], &openssl(&open, "")), pod.read("tls.key"));
    assert_eq!(
        openssl(&[&open[..], &["-nokeys"]].concat(), "").matches("BEGIN CERTIFICATE").count(),
        3,
        "leaf, issuer and root"
    );
    assert_eq!(public_key(&pod.read("tls.key")), certified_key(&pod.read("tls.crt")));
}

/// A pod moves to another node, or the process is replaced: an unchanged truststore keeps its bytes.
#[tokio::test]
async fn two_processes_write_the_same_truststore_to_the_byte() {
    let vault = Vault::start().await;
    let (one, other) = (Provider::start(&vault).await, Provider::start(&vault).await);
    vault.authorities().await;
    vault.put("team-a/store", json!({ "password": canary("same") })).await;
    let files =
        json!([store("trust.p12", "truststore"), with(store("trust.jks", "truststore"), "storeType", "jks")]);
    let class = object(json!({ "pki": { "mount": "pki", "ca": true }, "files": files }));
    let (first, second) =
        (one.mount("team-a/web", class.clone()).await, other.mount("team-a/web", class).await);
    for name in ["trust.p12", "trust.jks"] {
        assert_eq!(first.bytes(name), second.bytes(name), "{name}");
    }
    vault.put("team-a/store", json!({ "password": canary("other") })).await;
    assert_ne!(first.remount().await.bytes("trust.p12"), second.bytes("trust.p12"), "its password changed");
}

#[tokio::test]
async fn a_new_password_rewrites_the_keystore_and_issues_nothing() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    let files = json!([{ "objectName": "tls.key", "part": "privateKey" }, store("key.p12", "pkcs12")]);
    vault.put("team-a/store", json!({ "password": canary("old") })).await;
    let pod = provider.mount("team-a/web", issued(json!({ "commonName": "web.example.com" }), &files)).await;
    vault.put("team-a/store", json!({ "password": canary("new") })).await;
    let pod = pod.remount().await;
    let path = saved(&provider, &pod, "key.p12");
    let read = openssl(
        &["pkcs12", "-in", &path, "-passin", &format!("pass:{}", canary("new")), "-nodes", "-nocerts"],
        "",
    );
    assert_eq!(openssl(&["pkey"], &read), pod.read("tls.key"));
    assert_eq!(vault.count("update pki/issue/web"), 1);
}

#[tokio::test]
async fn an_invalid_password_is_reported_without_its_value() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    for part in ["pkcs12", "jks", "truststore"] {
        for secret in [String::new(), canary("pässword"), canary("line\nfeed")] {
            vault.put("team-a/store", json!({ "password": secret })).await;
            let class = issued(json!({ "commonName": "web.example.com" }), &json!([store("store", part)]));
            let refusal = provider.refuses("team-a/web", class).await;
            refusal
                .tells("render.failed", &["object \"store\"", "password", "printable ASCII and not empty"]);
        }
    }
}

#[tokio::test]
async fn a_keystore_without_a_password_or_with_one_that_is_not_there_is_no_file() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    for part in ["pkcs12", "jks", "truststore"] {
        let bare = certificate(json!({ "commonName": "web.example.com" }), &[part]);
        provider.refuses("team-a/web", bare).await.tells("spec.invalid", &["password"]);
        let absent = issued(json!({ "commonName": "web.example.com" }), &json!([store("store", part)]));
        provider
            .refuses("team-a/web", absent)
            .await
            .tells("vault.not_found", &["object \"store\"", "secret/data/team-a/store"]);
    }
}

#[tokio::test]
async fn an_alias_that_a_keystore_cannot_hold_is_reported() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    vault.put("team-a/store", json!({ "password": canary("store") })).await;
    for alias in ["", "🔑", "a\nb"] {
        let file = with(store("store.p12", "pkcs12"), "alias", alias);
        let refusal = provider
            .refuses("team-a/web", issued(json!({ "commonName": "web.example.com" }), &json!([file])))
            .await;
        refusal.tells("spec.invalid", &["files[0].alias"]);
    }
    assert_eq!(vault.calls(), [""; 0], "nothing is issued for it");
}
