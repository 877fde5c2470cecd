//! One call for equal requests, whatever the number of files with its response.

use crate::support::*;

/// The calls between login and the end of the token.
fn between(vault: &Vault) -> Vec<String> {
    vault.calls().into_iter().filter(|call| !call.contains(" auth/")).collect()
}

#[tokio::test]
async fn files_of_one_source_are_one_call() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "user": canary("user"), "password": canary("password") })).await;
    for source in [
        "kv: {mount: secret, path: team-a/db}",
        "request: {path: secret/data/team-a/db}",
        "secretPath: secret/data/team-a/db",
    ] {
        let before = vault.count("read secret/data/team-a/db");
        let files = "[{objectName: u, secretKey: user}, {objectName: p, pointer: /password}, {objectName: all.env, format: env}, {directory: d}]";
        let pod = provider.mount("team-a/web", typed(&format!("- {source}\n  files: {files}"))).await;
        assert_eq!(pod.names(), ["all.env", "d/password", "d/user", "p", "u"], "{source}");
        assert_eq!((pod.read("p"), pod.read("d/user")), (canary("password"), pod.read("u")), "{source}");
        assert_eq!(vault.count("read secret/data/team-a/db"), before + 1, "{source}");
    }
}

#[tokio::test]
async fn objects_of_equal_sources_are_one_call() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "user": canary("user"), "password": canary("password") })).await;
    let class = typed(
        "
- {objectName: a, kv: {mount: secret, path: team-a/db}, secretKey: user}
- {objectName: b, kv: {mount: /secret/, path: /team-a/db}, secretKey: password}
- {objectName: c, kv: {path: team-a/db, mount: secret, engineVersion: 2}, secretKey: user, filePermission: 0400}
- {directory: d, kv: {mount: secret, path: team-a/db}, optional: true}",
    );
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!(
        (pod.read("a"), pod.read("b"), pod.read("c")),
        (canary("user"), canary("password"), canary("user"))
    );
    assert_eq!(between(&vault), ["read secret/data/team-a/db"]);
}

#[tokio::test]
async fn other_versions_and_namespaces_are_other_calls() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("one") })).await;
    vault.put("team-a/db", json!({ "password": canary("two") })).await;
    let class = typed(
        "
- {objectName: one, kv: {mount: secret, path: team-a/db, version: 1}, secretKey: password}
- {objectName: two, kv: {mount: secret, path: team-a/db, version: 2}, secretKey: password}
- {objectName: newest, kv: {mount: secret, path: team-a/db}, secretKey: password}",
    );
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!(
        (pod.read("one"), pod.read("two"), pod.read("newest")),
        (canary("one"), canary("two"), canary("two"))
    );
    assert_eq!(between(&vault).len(), 3);
}

#[tokio::test]
async fn all_ciphertexts_of_a_key_are_decrypted_by_one_call() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.key("transit", "orders", json!({})).await;
    let [inline, kept, marked, again] = ["inline", "kept", "marked", "again"].map(canary);
    let (inline_sealed, kept_sealed) =
        (vault.cipher("orders", &inline, None).await, vault.cipher("orders", &kept, None).await);
    let (marked_sealed, again_sealed) =
        (vault.cipher("orders", &marked, None).await, vault.cipher("orders", &again, None).await);
    vault
        .put(
            "team-a/sealed",
            json!({ "kept": kept_sealed, "text": format!("a={{{{ s5:{again_sealed} }}}}") }),
        )
        .await;
    let class = typed(&format!(
        "
- {{objectName: inline, transit: {{key: orders, ciphertext: '{inline_sealed}'}}}}
- {{objectName: kept, transit: {{key: orders, from: {{kv: {{mount: secret, path: team-a/sealed}}, secretKey: kept}}}}}}
- {{objectName: marked, s5: {{key: orders}}, content: 'm={{{{ s5:{marked_sealed} }}}} {{{{ s5:{inline_sealed} }}}}'}}
- {{objectName: again, s5: {{key: orders, from: {{kv: {{mount: secret, path: team-a/sealed}}, secretKey: text}}}}}}"
    ));
    let pod = provider.mount("team-a/web", class).await;
    let wanted = [inline.clone(), kept, format!("m={marked} {inline}"), format!("a={again}")];
    assert_eq!(["inline", "kept", "marked", "again"].map(|name| pod.read(name)), wanted);
    assert_eq!(between(&vault), ["read secret/data/team-a/sealed", "update transit/decrypt/orders"]);
    let sent =
        vault.requests().into_iter().find(|request| request["path"] == "transit/decrypt/orders").unwrap();
    assert_eq!(sent["data"]["batch_input"].as_array().unwrap().len(), 4, "each ciphertext is sent once");
}

#[tokio::test]
async fn two_keys_and_two_mounts_need_separate_calls() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let mut class = None;
    for (mount, key) in [("transit", "one"), ("transit", "two"), ("other", "one")] {
        vault.key(mount, key, json!({})).await;
        let sealed = vault.cipher(&format!("{mount}/{key}"), canary(&format!("{mount}{key}")), None).await;
        let entry = object(
            json!({ "objectName": format!("{mount}/{key}"), "transit": { "mount": mount, "key": key, "ciphertext": sealed } }),
        );
        class = Some(class.map_or(entry.clone(), |class: Class| class.and(entry)));
    }
    let pod = provider.mount("team-a/web", class.unwrap()).await;
    assert_eq!((pod.read("transit/two"), pod.read("other/one")), (canary("transittwo"), canary("otherone")));
    let mut calls = between(&vault);
    calls.sort();
    assert_eq!(
        calls,
        ["update other/decrypt/one", "update transit/decrypt/one", "update transit/decrypt/two"]
    );
}

#[tokio::test]
async fn a_ciphertext_within_a_ciphertext_is_opened_in_turn() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    for key in ["inner", "outer"] {
        vault.key("transit", key, json!({})).await;
    }
    let inner = vault.cipher("inner", canary("deep"), None).await;
    let outer = vault.cipher("outer", &inner, None).await;
    let class = typed(&format!(
        "- {{objectName: deep, transit: {{key: inner, from: {{transit: {{key: outer, ciphertext: '{outer}'}}}}}}}}"
    ));
    assert_eq!(provider.mount("team-a/web", class).await.read("deep"), canary("deep"));
    assert_eq!(between(&vault), ["update transit/decrypt/outer", "update transit/decrypt/inner"]);
}
