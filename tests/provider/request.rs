//! Any path of any engine: by `request`, and in the fields of the upstream providers.

use std::fs;

use crate::support::tools::tool;
use crate::support::*;

#[tokio::test]
async fn a_pods_public_key_is_signed_by_the_ssh_engine() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.ssh_authority().await;
    let home = tempfile::tempdir().unwrap();
    let (key, signed) = (home.path().join("id"), home.path().join("id-cert.pub"));
    tool("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "pod", "-f", key.to_str().unwrap()], b"");
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    let args = json!({ "public_key": public, "valid_principals": "deploy", "ttl": "10m" });
    let class = object(json!({
        "request": { "path": "ssh-ca/sign/web", "method": "POST", "args": args },
        "files": [{ "objectName": "id-cert.pub", "secretKey": "signed_key" }, { "objectName": "serial", "secretKey": "serial_number" }],
    }));
    let pod = provider.mount("team-a/web", class).await;
    fs::write(&signed, pod.bytes("id-cert.pub")).unwrap();
    let shown = tool("ssh-keygen", &["-L", "-f", signed.to_str().unwrap()], b"");
    assert!(shown.contains("user certificate") && shown.contains("                deploy\n"), "{shown}");
    assert_eq!(vault.count("update ssh-ca/sign/web"), 1, "serial and certificate are of one answer");
}

#[tokio::test]
async fn a_one_time_code_is_a_file() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.enable("totp", "totp", json!({})).await;
    vault.write("totp/keys/web", json!({ "generate": true, "issuer": "tests", "account_name": "web" })).await;
    vault.allow("totp/code/web", &["read"]).await;
    for class in [
        "- {objectName: code, request: {path: totp/code/web}, secretKey: code}",
        "- {objectName: code, secretPath: totp/code/web, secretKey: code}",
    ] {
        let code = provider.mount("team-a/web", typed(class)).await.read("code");
        assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code:?}");
    }
}

#[tokio::test]
async fn a_list_of_keys_is_a_file_and_its_members_too() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    for key in ["b", "a", "c/d"] {
        vault.put(&format!("team-a/{key}"), json!({ "x": "y" })).await;
    }
    vault.allow("secret/metadata/team-a/*", &["list"]).await;
    let class = typed(
        "
- request: {path: secret/metadata/team-a/, method: LIST}
  files:
    - {objectName: keys, secretKey: keys}
    - {objectName: first, pointer: /keys/0}
- {objectName: upstream, secretPath: secret/metadata/team-a/, method: LIST, secretKey: keys}",
    );
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!(
        (pod.read("keys"), pod.read("first"), pod.read("upstream")),
        (r#"["a","b","c/"]"#.into(), "a".into(), pod.read("keys"))
    );
}

#[tokio::test]
async fn a_request_has_its_query_and_its_body() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("one") })).await;
    vault.put("team-a/db", json!({ "password": canary("two") })).await;
    vault.key("transit", "orders", json!({})).await;
    let sealed = vault.cipher("orders", canary("body"), None).await;
    let class = typed(&format!(
        "
- {{objectName: one, request: {{path: '/v1/secret/data/team-a/db?version=1'}}, secretKey: password}}
- {{objectName: body, request: {{path: transit/decrypt/orders, method: PUT, args: {{ciphertext: '{sealed}'}}}}, secretKey: plaintext, encoding: base64}}"
    ));
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!((pod.read("one"), pod.read("body")), (canary("one"), canary("body")));
}

#[tokio::test]
async fn a_whole_response_is_written_as_the_upstream_providers_write_it() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("whole"), "html": "<&>" })).await;
    let class = typed(
        "- {objectName: ours, request: {path: secret/data/team-a/db}}\n- {objectName: theirs, secretPath: secret/data/team-a/db}",
    );
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!(pod.read("ours"), pod.read("theirs"));
    assert!(pod.read("ours").starts_with(r#"{"request_id":"","lease_id":"","#), "{}", pod.read("ours"));
    let data = typed("- {objectName: d, request: {path: secret/data/team-a/db}, from: data}");
    assert_eq!(
        provider.mount("team-a/web", data).await.json("d"),
        json!({ "password": canary("whole"), "html": "<&>" })
    );
}

#[tokio::test]
async fn a_pod_can_mount_data_about_its_token_and_its_server() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.allow("sys/internal/counters/*", &["read"]).await;
    vault.allow("identity/entity/name/*", &["read"]).await;
    vault.allow("cubbyhole/*", &["create", "update", "read"]).await;
    vault.write("identity/entity/name/app", json!({ "metadata": { "team": "a" } })).await;
    let class = typed(
        "
- {objectName: role, request: {path: auth/token/lookup-self}, pointer: /meta/role}
- {objectName: team, request: {path: identity/entity/name/app}, pointer: /metadata/team}
- {objectName: capabilities, request: {path: sys/capabilities-self, method: POST, args: {paths: [secret/data/team-a/db]}}, pointer: /secret~1data~1team-a~1db}
- {objectName: cubby, request: {path: cubbyhole/none}, secretKey: x, default: empty}",
    );
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!(
        ["role", "team", "capabilities", "cubby"].map(|name| pod.read(name)),
        ["web", "a", r#"["read"]"#, "empty"]
    );
    assert_eq!(vault.count("read cubbyhole/none"), 1, "it was looked for, and nothing is there");
}

#[tokio::test]
async fn a_volume_that_reads_its_own_tokens_data_logs_in_once_for_it() {
    let vault = Vault::start().await;
    let mut provider = Provider::start(&vault).await;
    let before = vault.tokens().await;
    let class =
        typed("- {objectName: accessor, request: {path: auth/token/lookup-self}, secretKey: accessor}")
            .with("refresh", "0s");
    let pod = provider.mount("team-a/web", class.clone()).await;
    for _ in 0..3 {
        assert_eq!(pod.remount().await.read("accessor"), pod.read("accessor"));
    }
    assert_eq!((vault.count("update auth/kubernetes/login"), vault.tokens().await), (1, before + 1));
    assert_ne!(pod.edited(class.with("login", "transient")).mount().await.read("accessor"), "");
    until("the token of before to be gone", async || (vault.tokens().await == before).then_some(())).await;
    provider.terminate();
    provider.ended().await;
    assert_eq!(vault.tokens().await, before);
}

#[tokio::test]
async fn the_names_of_the_pod_are_replaced_in_paths_arguments_and_file_names() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/web", json!({ "password": canary("own") })).await;
    vault.root_authority("pki").await;
    let class = typed(
        "
- {objectName: 'db-${SERVICE_ACCOUNT_NAME}', kv: {mount: secret, path: '${POD_NAMESPACE}/${SERVICE_ACCOUNT_NAME}'}, secretKey: password}
- {objectName: path, request: {path: 'secret/data/${POD_NAMESPACE}/web'}, secretKey: password}
- {directory: '${POD_NAMESPACE}', kv: {mount: secret, path: team-a/web}, keys: {password: '${SERVICE_ACCOUNT_NAME}'}}
- {objectName: cert, request: {path: pki/issue/web, method: PUT, args: {common_name: '${SERVICE_ACCOUNT_NAME}.example.com', alt_names: '${POD_NAMESPACE}.example.com'}}, secretKey: certificate}
- {objectName: '$${POD_NAME}', kv: {mount: secret, path: team-a/web}, secretKey: password}",
    );
    let pod = provider.mount("team-a/web", class).await;
    for file in ["db-web", "path", "team-a/web", "${POD_NAME}"] {
        assert_eq!(pod.read(file), canary("own"), "{file}");
    }
    let text = crate::support::pki::certificate_text(&pod.read("cert"));
    assert!(text.contains("CN=web.example.com") && text.contains("DNS:team-a.example.com"), "{text}");
    for unknown in [
        "- {objectName: a, kv: {mount: secret, path: 'x/${HOSTNAME}'}, secretKey: k}",
        "- {objectName: a, request: {path: pki/issue/web, args: {common_name: '${HOSTNAME}'}}, secretKey: k}",
        "- {objectName: 'a-${HOSTNAME}', kv: {mount: secret, path: x}, secretKey: k}",
    ] {
        provider
            .refuses("team-a/web", typed(unknown))
            .await
            .tells("spec.invalid", &["POD_NAME", "SERVICE_ACCOUNT_NAME"]);
    }
    let theirs =
        typed("- {objectName: f, secretPath: 'secret/data/team-a/${POD_NAMESPACE}', secretKey: password}");
    provider.refuses("team-a/web", theirs).await.tells("vault.not_found", &["object \"f\""]);
    assert_eq!(vault.count("read secret/data/team-a/team-a"), 0);
}
