//! A class cannot act as the node, and cannot find out which files the node has.

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use crate::support::provider_setup::Setup;
use crate::support::tls::{Authority, text};
use crate::support::*;

/// A server that requires client certificates, and whose `cert` auth lets the node's certificate read a secret that no pod may read.
async fn mutual(ca: &Authority) -> Vault {
    let vault = Vault::listening(&ca.mutual_listener()).await;
    vault.put("node/db", json!({ "password": canary("nodes-own") })).await;
    vault.put("team-a/db", json!({ "password": canary("pods-own") })).await;
    vault
        .write(
            "sys/policies/acl/node",
            json!({ "policy": "path \"secret/data/*\" { capabilities = [\"read\"] }" }),
        )
        .await;
    for mount in ["cert", "clusters/cert"] {
        vault.write(&format!("sys/auth/{mount}"), json!({ "type": "cert" })).await;
        vault
            .write(
                &format!("auth/{mount}/certs/node"),
                json!({ "certificate": ca.pem(), "token_policies": ["node"] }),
            )
            .await;
    }
    vault
}

/// A provider with its own client certificate for `vault`.
fn with_certificate(vault: &Vault, ca: &Authority) -> Setup {
    let (certificate, key) = ca.certificate(&["provider"]);
    trusting(vault, ca)
        .flag(format!("--vault-tls-client-cert={}", text(&certificate)))
        .flag(format!("--vault-tls-client-key={}", text(&key)))
}

fn trusting(vault: &Vault, ca: &Authority) -> Setup {
    Provider::of(vault).flag(format!("--vault-tls-ca-cert={}", text(&ca.file())))
}

fn reads_of_node(vault: &Vault) -> usize {
    vault.calls().iter().filter(|call| call.contains("secret/data/node")).count()
}

#[tokio::test]
async fn a_class_cannot_read_what_the_node_may_read() {
    let ca = Authority::new("everybody");
    let vault = mutual(&ca).await;
    let class = || kv("db", "node/db", "password");
    let provider = with_certificate(&vault, &ca).start().await;
    let mounts = ["cert", "/cert/", "auth/cert", "clusters/cert"];
    let logins =
        mounts.into_iter().flat_map(|mount| ["shared", "pod", "transient"].map(|login| (mount, login)));
    for (number, (mount, login)) in logins.enumerate() {
        let refusal = provider
            .refuses("team-a/web", class().with("vaultAuthMountPath", mount).with("login", login))
            .await;
        refusal.tells(
            "auth_mount.refused",
            &["service account team-a/web", "the response does not name", "--allow-auth-mount"],
        );
        assert_eq!(
            (refusal.code, vault.revoked().len()),
            (Code::PermissionDenied, number + 1),
            "revoked at once"
        );
    }
    assert_eq!(reads_of_node(&vault), 0);
    assert_eq!(
        provider.mount("team-a/web", kv("db", "team-a/db", "password")).await.read("db"),
        canary("pods-own")
    );
}

#[tokio::test]
async fn a_class_that_names_the_nodes_certificate_itself_cannot_read_as_the_node() {
    let ca = Authority::new("everybody");
    let vault = mutual(&ca).await;
    let (certificate, key) = ca.certificate(&["provider"]);
    let provider = trusting(&vault, &ca).start().await;
    let named = kv("db", "node/db", "password")
        .with("vaultTLSClientCertPath", text(&certificate))
        .with("vaultTLSClientKeyPath", text(&key));
    provider
        .refuses("team-a/web", named.with("vaultAuthMountPath", "cert"))
        .await
        .tells("auth_mount.refused", &[]);
    assert_eq!((reads_of_node(&vault), vault.revoked().len()), (0, 1));
}

#[tokio::test]
async fn a_class_cannot_log_in_as_the_node_by_a_call_of_its_own() {
    let ca = Authority::new("everybody");
    let vault = mutual(&ca).await;
    let provider = with_certificate(&vault, &ca).start().await;
    for (path, method) in
        [("auth/cert/login", "POST"), ("v1/auth//cert/login/", "PUT"), ("auth/clusters/cert/login", "PATCH")]
    {
        let class = object(json!({ "objectName": "token", "secretPath": path, "method": method }));
        provider.refuses("team-a/web", class).await.tells("auth_mount.refused", &["a class may not log in"]);
    }
    assert_eq!(vault.calls().iter().filter(|call| call.contains("cert/login")).count(), 0);
}

#[tokio::test]
async fn inline_auth_does_not_make_a_class_the_node() {
    let ca = Authority::new("everybody");
    let vault = mutual(&ca).await;
    let provider = with_certificate(&vault, &ca).flag("--inline-auth").start().await;
    let class = kv("db", "node/db", "password").with("vaultAuthMountPath", "cert");
    provider.refuses("team-a/web", class).await.tells("auth_mount.refused", &["--inline-auth"]);
    assert_eq!(reads_of_node(&vault), 0);
}

#[tokio::test]
async fn pods_log_in_at_a_jwt_mount_over_a_connection_with_the_nodes_certificate() {
    let ca = Authority::new("everybody");
    let vault = mutual(&ca).await;
    vault.trust("", "jwt").await;
    vault.role("jwt", "web", json!({})).await;
    let (namespace, name) = ("/kubernetes.io/namespace", "/kubernetes.io/serviceaccount/name");
    let mappings = json!({ namespace: "service_account_namespace", name: "service_account_name" });
    vault.role("jwt", "naming", json!({ "claim_mappings": mappings })).await;
    let other = json!({ namespace: "service_account_name", name: "service_account_namespace" });
    vault.role("jwt", "another", json!({ "claim_mappings": other })).await;
    let class = || kv("db", "team-a/db", "password").with("vaultAuthMountPath", "jwt");
    let provider = with_certificate(&vault, &ca).start().await;
    for role in ["web", "another"] {
        let refusal = provider.refuses("team-a/web", class().with("roleName", role)).await;
        refusal.tells("auth_mount.refused", &["does not name the pod's service account"]);
    }
    let listed = with_certificate(&vault, &ca).flag("--allow-auth-mount=jwt").start().await;
    let default = with_certificate(&vault, &ca).flag("--vault-mount=jwt").start().await;
    for (provider, class) in
        [(&provider, class().with("roleName", "naming")), (&listed, class()), (&default, class())]
    {
        assert_eq!(provider.mount("team-a/web", class).await.read("db"), canary("pods-own"));
    }
}

#[tokio::test]
async fn with_a_list_a_class_uses_its_auth_mounts_and_the_default_one() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("listed-mount") })).await;
    for mount in ["jwt", "clusters/prod", "open", "JWT"] {
        vault.trust("", mount).await;
        vault.role(mount, "web", json!({})).await;
    }
    let class = |mount: &str| kv("db", "team-a/db", "password").with("vaultAuthMountPath", mount);
    let provider = Provider::of(&vault)
        .flag("--allow-auth-mount=/jwt")
        .flag("--allow-auth-mount=auth/clusters/prod/")
        .start()
        .await;
    for mount in ["jwt", "/jwt/", "auth/jwt", "clusters/prod", "kubernetes", ""] {
        assert_eq!(
            provider.mount("team-a/web", class(mount)).await.read("db"),
            canary("listed-mount"),
            "{mount:?}"
        );
    }
    let logins = vault.calls().len();
    for mount in ["open", "auth/open", "/open/", "JWT", "jwt ", "clusters", "jwt/login", "jwt/open"] {
        let refusal = provider.refuses("team-a/web", class(mount)).await;
        refusal.tells("auth_mount.refused", &["--allow-auth-mount"]);
        assert_eq!(refusal.code, Code::PermissionDenied, "{mount}");
    }
    for mount in
        ["jwt/../open", "./open", "jwt//open", "op%65n", "jwt%2f..%2fopen", "open?", "open#", "jwt\\..\\open"]
    {
        provider.refuses("team-a/web", class(mount)).await.tells("spec.invalid", &["vaultAuthMountPath"]);
    }
    let old = kv("db", "team-a/db", "password").with("vaultKubernetesMountPath", "open");
    provider.refuses("team-a/web", old).await.tells("auth_mount.refused", &["\"open\""]);
    assert_eq!(vault.calls().len(), logins, "nothing was sent");
}

#[tokio::test]
async fn an_unusable_list_of_auth_mounts_is_a_start_that_fails() {
    let vault = Vault::start().await;
    for flag in ["--allow-auth-mount=", "--allow-auth-mount=a/../b", "--vault-mount=a%2fb"] {
        let log = Provider::of(&vault).flag(flag).fails().await;
        assert!(log.contains("--allow-auth-mount"), "{flag}\n{log}");
    }
}

#[tokio::test]
async fn an_error_never_shows_which_files_the_node_has() {
    let ca = Authority::new("servers");
    let vault = Vault::listening(&ca.listener(&["127.0.0.1"])).await;
    vault.put("team-a/db", json!({ "password": canary("below") })).await;
    let (world, kubelet) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (tls, outside) = (world.path().join("tls"), world.path().join("outside.pem"));
    for directory in [&tls, &tls.join("empty"), &tls.join("directory.pem"), &kubelet.path().join("pods")] {
        fs::create_dir(directory).unwrap();
    }
    let pods = kubelet.path().join("pods/ca.pem");
    for good in [&tls.join("ca.pem"), &outside, &pods] {
        fs::write(good, ca.pem()).unwrap();
    }
    fs::write(tls.join("garbage.pem"), canary("garbage")).unwrap();
    fs::write(tls.join("half.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    fs::File::create(tls.join("large.pem")).unwrap().set_len(2 * 1024 * 1024).unwrap();
    symlink(&outside, tls.join("link.pem")).unwrap();
    symlink("loop.pem", tls.join("loop.pem")).unwrap();
    let (certificate, _) = ca.certificate(&["one"]);
    let (_, key) = ca.certificate(&["other"]);
    for (from, to) in [(certificate, "one.crt"), (key, "other.key")] {
        fs::copy(from, tls.join(to)).unwrap();
    }
    let at = |name: &str| text(&tls.join(name));
    let class = || kv("db", "team-a/db", "password");
    let with_ca = |path: &str| class().with("vaultCACertPath", path);
    let pair = |certificate: &str, key: &str| {
        with_ca(&at("ca.pem")).with("vaultTLSClientCertPath", certificate).with("vaultTLSClientKeyPath", key)
    };
    let kubelet_dir = format!("--kubelet-dir={}", kubelet.path().display());
    let fenced = Provider::of(&vault)
        .flag(format!("--tls-dir={}", tls.display()))
        .flag(kubelet_dir.clone())
        .start()
        .await;
    let open = Provider::of(&vault).flag(kubelet_dir).start().await;
    for provider in [&fenced, &open] {
        for name in ["ca.pem", "empty/../ca.pem"] {
            assert_eq!(provider.mount("team-a/web", with_ca(&at(name))).await.read("db"), canary("below"));
        }
    }
    assert_eq!(
        open.mount("team-a/web", with_ca(&text(&outside))).await.read("db"),
        canary("below"),
        "without the flag as before"
    );
    let wrong = [
        "absent.pem",
        "absent/ca.pem",
        "directory.pem",
        "garbage.pem",
        "half.pem",
        "large.pem",
        "loop.pem",
        "ca.pem/below",
    ];
    let mut texts: Vec<_> = wrong.iter().map(|name| (&open, with_ca(&at(name)))).collect();
    texts.extend(wrong.iter().map(|name| (&fenced, with_ca(&at(name)))));
    for path in [
        text(&outside),
        at("link.pem"),
        at("../outside.pem"),
        "/etc/shadow".into(),
        "/proc/self/environ".into(),
        "/dev/zero".into(),
    ] {
        texts.push((&fenced, with_ca(&path)));
    }
    for provider in [&open, &fenced] {
        texts.push((provider, with_ca(&text(&pods))));
        for directory in
            [at("empty"), at("absent"), at("ca.pem"), text(&tls), text(&kubelet.path().join("pods"))]
        {
            texts.push((provider, class().with("vaultCADirectory", directory)));
        }
        for (certificate, key) in
            [("absent", "absent"), ("one.crt", "absent"), ("one.crt", "one.crt"), ("one.crt", "other.key")]
        {
            texts.push((provider, pair(&at(certificate), &at(key)).with("vaultAddress", vault.address())));
        }
    }
    let mut messages = Vec::new();
    for (provider, class) in texts {
        let refusal = provider.refuses("team-a/web", class).await;
        refusal.tells("vault.tls", &["--tls-dir"]);
        messages.push(refusal.text);
    }
    messages.sort();
    messages.dedup();
    assert_eq!(messages.len(), 1, "{messages:#?}");
}
