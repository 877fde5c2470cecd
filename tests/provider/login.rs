//! Logins: role, auth mount and token.

use crate::support::driver::Caller;
use crate::support::*;

#[tokio::test]
async fn a_class_chooses_its_audience() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("audience") })).await;
    vault.role("kubernetes", "custom", json!({ "bound_audiences": ["custom-audience"] })).await;
    let class =
        kv("db", "team-a/db", "password").with("audience", "custom-audience").with("roleName", "custom");
    let pod = provider
        .call("team-a/web", class.clone())
        .audiences(&["vault", "custom-audience", "sts.amazonaws.com"])
        .mount()
        .await;
    assert_eq!(pod.read("db"), canary("audience"));
    let refusal = provider.call("team-a/web", class).audiences(&["vault"]).fails().await;
    refusal.tells("token.missing", &["team-a/web", "\"custom-audience\"", "tokenRequests"]);
    assert_eq!(vault.count("update auth/kubernetes/login"), 1);
}

#[tokio::test]
async fn a_mount_logs_in_wherever_its_auth_mount_is() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("mounts") })).await;
    for mount in ["jwt", "clusters/prod"] {
        vault.trust("", mount).await;
        vault.role(mount, "web", json!({})).await;
    }
    let class = kv("db", "team-a/db", "password");
    let provider = Provider::start(&vault).await;
    let flagged = Provider::of(&vault).flag("--vault-mount=clusters/prod").start().await;
    for (provider, class, mount) in [
        (&provider, class.clone().with("vaultAuthMountPath", "jwt"), "jwt"),
        (&provider, class.clone().with("vaultKubernetesMountPath", "/clusters/prod/"), "clusters/prod"),
        (&flagged, class.clone(), "clusters/prod"),
        (&flagged, class.with("vaultAuthMountPath", "kubernetes"), "kubernetes"),
    ] {
        let login = format!("update auth/{mount}/login");
        let before = vault.count(&login);
        assert_eq!(provider.mount("team-a/web", class).await.read("db"), canary("mounts"));
        assert_eq!(vault.count(&login), before + 1);
    }
}

#[tokio::test]
async fn a_login_that_the_role_does_not_allow_names_role_mount_and_account() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.role("kubernetes", "strict", json!({ "bound_audiences": ["somebody-else"] })).await;
    let class = kv("db", "team-a/db", "password");
    for (account, role) in
        [("team-a/web", "absent"), ("team-a/web", "strict"), ("team-a/other", "web"), ("team-b/web", "web")]
    {
        let refusal = provider.refuses(account, class.clone().with("roleName", role)).await;
        let (account, role, address) =
            (format!("service account {account}"), format!("role {role:?}"), vault.address());
        refusal.tells("vault.login_denied", &[&account, &role, "auth mount \"kubernetes\"", &address]);
        assert_eq!(refusal.code, Code::Unauthenticated);
    }
}

#[tokio::test]
async fn a_missing_role_is_reported_by_its_name_and_auth_mount() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.root_authority("root").await;
    vault.write("sys/auth/cluster", json!({ "type": "kubernetes" })).await;
    let config = json!({
        "kubernetes_host": "https://127.0.0.1:1", "kubernetes_ca_cert": vault.authority("root").await, "disable_local_ca_jwt": true,
        "pem_keys": [vault.issuer.public_pem()],
    });
    vault.write("auth/cluster/config", config).await;
    let class = kv("db", "team-a/db", "password").with("roleName", "absent");
    let inline = Provider::of(&vault).flag("--inline-auth").start().await;
    let refusal = inline.refuses("team-a/web", class.clone()).await;
    refusal.tells("vault.rejected", &["auth mount \"kubernetes\" has no role \"absent\": create the role"]);
    for mount in ["kubernetes", "cluster"] {
        let refusal = provider.refuses("team-a/web", class.clone().with("vaultAuthMountPath", mount)).await;
        let says = format!(
            "auth mount {mount:?} has no role \"absent\": create the role there, or correct roleName"
        );
        refusal.tells("vault.login_denied", &[&says, "service account team-a/web"]);
        assert!(!refusal.text.contains("bind the service account"), "{}", refusal.text);
    }
}

#[tokio::test]
async fn a_missing_namespace_is_reported_by_its_name() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let class = kv("db", "team-a/db", "password");
    let refusal = provider.refuses("team-a/web", class.clone().with("vaultNamespace", "team/nowhere")).await;
    let object = object(json!({
        "objectName": "db", "vaultNamespace": "team/nowhere", "kv": { "mount": "secret", "path": "team-a/db" }, "secretKey": "password",
    }));
    for refusal in [refusal, provider.refuses("team-a/web", object).await] {
        refusal.tells("vault.no_mount", &["no namespace \"team/nowhere\": create it, or correct the name"]);
        assert!(!refusal.text.contains("check the mount"), "{}", refusal.text);
    }
}

#[tokio::test]
async fn auth_before_the_name_of_an_auth_mount_is_left_out_with_a_warning() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("prefix") })).await;
    let class = kv("db", "team-a/db", "password");
    provider.mount("team-a/web", class.clone().with("vaultAuthMountPath", "kubernetes")).await;
    assert!(!provider.log().contains("adds auth/ itself"), "{}", provider.log());
    let pod = provider.mount("team-a/web", class.with("vaultAuthMountPath", "auth/kubernetes")).await;
    assert_eq!(pod.read("db"), canary("prefix"));
    assert!(provider.log().contains("vaultmount adds auth/ itself"), "{}", provider.log());
}

#[tokio::test]
async fn a_missing_auth_mount_is_reported() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let refusal = provider
        .refuses("team-a/web", kv("db", "team-a/db", "password").with("vaultAuthMountPath", "nowhere"))
        .await;
    refusal.tells("vault.login_unclear", &["auth mount \"nowhere\"", &vault.address()]);
}

#[tokio::test]
async fn the_environments_own_token_is_never_used_for_a_pod() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("own") })).await;
    vault.put("team-b/db", json!({ "password": canary("foreign") })).await;
    let token = vault.root_token();
    let provider = Provider::of(&vault).env("VAULT_TOKEN", token).env("BAO_TOKEN", token).start().await;
    assert_eq!(
        provider.mount("team-a/web", kv("db", "team-a/db", "password")).await.read("db"),
        canary("own")
    );
    provider.refuses("team-a/web", kv("db", "team-b/db", "password")).await.tells("vault.read_denied", &[]);
    assert_eq!(vault.count("update auth/kubernetes/login"), 2);
    for name in ["VAULT_TOKEN", "BAO_TOKEN"] {
        assert!(provider.log().contains(name), "no warning about {name}");
    }
}

#[tokio::test]
async fn the_sync_controller_mounts_for_an_account_that_has_no_pod_here() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("synced") })).await;
    let pod = provider
        .call("team-a/web", kv("db", "team-a/db", "password"))
        .by(Caller::SyncController)
        .mount()
        .await;
    assert_eq!(pod.read("db"), canary("synced"));
}

#[tokio::test]
async fn the_rotation_loop_of_driver_1_5_sees_the_new_value() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("first") })).await;
    let class = kv("db", "team-a/db", "password");
    let first = provider.mount("team-a/web", class.clone()).await;
    let call = provider.call("team-a/web", class).by(Caller::RotationLoop15);
    assert_eq!(call.clone().mount().await.versions(), first.versions());
    vault.put("team-a/db", json!({ "password": canary("second") })).await;
    assert_eq!(call.mount().await.read("db"), canary("second"));
}

#[tokio::test]
async fn driver_1_5_keeps_the_pods_own_role_and_follows_a_class_that_was_edited_right_after_the_mount() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "user": canary("user"), "password": canary("password") })).await;
    vault.role("kubernetes", "own", json!({})).await;
    let class = kv("db", "team-a/db", "password").with("login", "transient").with("refresh", "1h");
    let first = provider.call("team-a/web", class).attribute("roleName", Some("own")).mount().await;
    assert_eq!(first.read("db"), canary("password"));
    let edited = kv("db", "team-a/db", "user").with("login", "transient").with("refresh", "0s");
    let call = first.edited(edited).by(Caller::RotationLoop15);
    assert_eq!(call.clone().mount().await.read("db"), canary("user"));
    vault.put("team-a/db", json!({ "user": canary("another") })).await;
    assert_eq!(call.mount().await.read("db"), canary("another"));
    let logins: Vec<_> =
        vault.requests().into_iter().filter(|request| request["path"] == "auth/kubernetes/login").collect();
    assert!(logins.len() == 3 && logins.iter().all(|login| login["data"]["role"] == "own"), "{logins:?}");
    let log = provider.log();
    assert_eq!(log.matches("parameter roleName differs between the class").count(), 1, "{log}");
    assert_eq!(log.matches("parameter objects differs between the class").count(), 1, "{log}");
}

#[tokio::test]
async fn volume_attributes_win_over_the_classs_parameters() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("own") })).await;
    vault.role("kubernetes", "other", json!({})).await;
    provider
        .call("team-a/web", kv("db", "team-a/db", "password"))
        .attribute("roleName", Some("other"))
        .mount()
        .await;
    assert_eq!(vault.requests()[0]["data"]["role"], "other");
}

#[tokio::test]
async fn every_form_of_an_empty_secrets_field_is_taken() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("secrets") })).await;
    for secrets in ["null", "{}", "", &json!({ "unused": canary("publish-ref") }).to_string()] {
        let call = provider
            .call("team-a/web", kv("db", "team-a/db", "password"))
            .request(|request| request.secrets = secrets.into());
        assert_eq!(call.mount().await.read("db"), canary("secrets"));
    }
}
