//! A file for every key of a secret.

use crate::support::*;

/// A class of one directory object with these fields.
fn directory(fields: &str) -> Class {
    typed(&format!("- {{kv: {{mount: secret, path: team-a/db}}, {fields}}}"))
}

#[tokio::test]
async fn every_key_becomes_a_file_and_a_new_one_appears_by_itself() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault
        .put(
            "team-a/db",
            json!({ "user": canary("user"), "port": 5432, "nested/ca.pem": "in a directory below", "empty": "", "null": null }),
        )
        .await;
    let pod = provider.mount("team-a/web", directory("directory: etc/db")).await;
    assert_eq!(pod.names(), ["etc/db/empty", "etc/db/nested/ca.pem", "etc/db/port", "etc/db/user"]);
    assert_eq!(
        (pod.read("etc/db/user"), pod.read("etc/db/port"), pod.read("etc/db/empty")),
        (canary("user"), "5432".into(), String::new())
    );
    vault.put("team-a/db", json!({ "user": canary("user"), "password": canary("new") })).await;
    let after = pod.remount().await;
    assert_eq!(after.names(), ["etc/db/password", "etc/db/user"]);
    assert_eq!(after.version("etc/db/user"), pod.version("etc/db/user"));
}

#[tokio::test]
async fn only_the_listed_keys_become_files_with_the_names_of_the_class() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "user": canary("user"), "password": canary("password"), "..odd/": "odd", "tls.key": "key" })).await;
    let pod = provider.mount("team-a/web", directory("directory: db, keys: [user, tls.key]")).await;
    assert_eq!(pod.names(), ["db/tls.key", "db/user"]);
    let pod = provider
        .mount("team-a/web", directory("directory: ., keys: {password: conf/pw, ..odd/: odd, user: user}"))
        .await;
    assert_eq!(pod.names(), ["conf/pw", "odd", "user"]);
    assert_eq!((pod.read("conf/pw"), pod.read("odd")), (canary("password"), "odd".into()));
    let all = typed("- {directory: ., kv: {mount: secret, path: team-a/plain}, keys: '*'}");
    vault.put("team-a/plain", json!({ "a": "1", "b": "2" })).await;
    assert_eq!(provider.mount("team-a/web", all).await.names(), ["a", "b"]);
}

#[tokio::test]
async fn files_of_a_directory_have_its_mode_and_encoding() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "a": "AP8=", "b": "/wA=" })).await;
    let pod =
        provider.mount("team-a/web", directory("directory: d, encoding: base64, filePermission: 0440")).await;
    assert_eq!((pod.bytes("d/a"), pod.bytes("d/b")), (&[0, 0xff][..], &[0xff, 0][..]));
    assert_eq!((pod.mode("d/a"), pod.mode("d/b")), (0o440, 0o440));
}

#[tokio::test]
async fn a_key_that_is_no_file_name_is_logged_and_the_other_keys_become_files() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "good": canary("good") })).await;
    let pod = provider.mount("team-a/web", directory("directory: .")).await;
    let odd = [
        "..x",
        "..data",
        "a/../b",
        "/etc/passwd",
        "a//b",
        ".",
        "",
        "line\nbreak",
        "esc\u{1b}[31m",
        "rtl\u{202e}fdp",
        "z/",
        &"n".repeat(256),
    ];
    let mut data: serde_json::Map<_, _> =
        odd.iter().map(|key| ((*key).to_owned(), json!(canary("odd")))).collect();
    data.insert("good".into(), json!(canary("better")));
    vault.put("team-a/db", data.into()).await;
    let after = pod.remount().await;
    assert_eq!((after.names(), after.read("good")), (vec!["good"], canary("better")));
    let log = provider.log();
    let warnings: Vec<_> =
        log.lines().filter(|line| line.contains("is no file") && line.contains("WARN")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("; and 4 more"), "{warnings:?}");
    for shown in ["..x", "a/../b", "/etc/passwd"] {
        assert!(log.contains(shown), "{shown} is not named");
    }
    assert!(!log.contains('\u{1b}') && !log.contains('\u{202e}'), "a key writes the log's own lines");
}

#[tokio::test]
async fn keys_that_cannot_be_decoded_or_conflict_are_left_out_and_the_others_become_files() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "a": "aGk=", "a/b": "aGk=", "note": "no base64!", "z": "aG8=" })).await;
    let pod = provider.mount("team-a/web", directory("directory: ., encoding: base64")).await;
    assert_eq!((pod.names(), pod.read("a"), pod.read("z")), (vec!["a", "z"], "hi".into(), "ho".into()));
    let log = provider.log();
    assert!(
        log.contains("note")
            && log.contains("is not base64")
            && log.contains("another key has the same file name"),
        "{log}"
    );
    assert!(!log.contains("no base64!"), "a value in the log");
}

#[tokio::test]
async fn a_warning_is_logged_three_times_and_not_at_every_republish() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "good": "1", "..x": "2" })).await;
    let pod = provider.mount("team-a/web", directory("directory: .")).await;
    for _ in 0..6 {
        pod.remount().await;
    }
    let log = provider.log();
    assert_eq!(
        log.lines().filter(|line| line.contains("is no file") && line.contains("WARN")).count(),
        3,
        "{log}"
    );
}

#[tokio::test]
async fn a_listed_key_that_is_gone_is_an_error_until_it_is_back() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "user": canary("user"), "password": canary("password") })).await;
    for keys in ["[user, password]", "{user: u, password: p}"] {
        let pod = provider.mount("team-a/web", directory(&format!("directory: db, keys: {keys}"))).await;
        vault.put("team-a/db", json!({ "user": canary("user") })).await;
        pod.remount_fails().await.tells("vault.not_found", &["object \"db/\"", "\"password\"", "team-a/db"]);
        vault.put("team-a/db", json!({ "user": canary("user"), "password": canary("password") })).await;
        assert_eq!(pod.remount().await.versions(), pod.versions());
    }
}

#[tokio::test]
async fn two_objects_with_the_same_file_name_are_both_named() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "user": canary("one") })).await;
    vault.put("team-a/api", json!({ "token": canary("two") })).await;
    let class = typed(
        "
- {directory: app, kv: {mount: secret, path: team-a/db}}
- {directory: ., kv: {mount: secret, path: team-a/api}, keys: {token: app/token}}
- {objectName: other, kv: {mount: secret, path: team-a/api}, secretKey: token}",
    );
    let pod = provider.mount("team-a/web", class.clone()).await;
    assert_eq!(pod.names(), ["app/token", "app/user", "other"]);
    for (key, met) in [("token", "app/token"), ("token/x", "app/token")] {
        let user = canary(&format!("beside {key}"));
        vault.put("team-a/db", json!({ "user": user, key: canary("met") })).await;
        let refusal = provider.refuses("team-a/web", class.clone()).await;
        refusal.tells("spec.invalid", &["\"app/\"", "\"./\"", met]);
        assert!(!refusal.text.contains("\"other\""), "{}", refusal.text);
        // A key that was added does not affect a running pod.
        let pod = pod.remount().await;
        assert_eq!(
            (pod.names(), pod.read("app/user"), pod.read("app/token")),
            (vec!["app/token", "app/user", "other"], user, canary("two"))
        );
        assert!(
            provider.log().contains(&format!("the new file \\\"app/{key}\\\" is left out")),
            "{}",
            provider.log()
        );
    }
}

#[tokio::test]
async fn a_new_key_replaces_no_file_of_a_running_pod_whatever_the_order_of_keys() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    for (old, new) in [("tls/cert", "tls"), ("tls", "tls/cert"), ("caf\u{e9}", "cafe\u{301}")] {
        vault.put("team-a/db", json!({ old: canary("old"), "other": "1" })).await;
        let pod = provider.mount("team-a/web", directory("directory: .")).await;
        vault.put("team-a/db", json!({ old: canary("newer"), new: canary("stranger"), "other": "2" })).await;
        let after = pod.remount().await;
        assert_eq!(
            (after.names(), after.read(old), after.read("other")),
            (pod.names(), canary("newer"), "2".into()),
            "{old} and {new}"
        );
    }
    let log = provider.log();
    assert!(
        log.contains("another key has the same file name") && !log.contains(&canary("stranger")),
        "{log}"
    );
}

#[tokio::test]
async fn a_new_key_of_one_secret_replaces_no_file_of_another_in_the_same_directory() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/api", json!({ "token": canary("api") })).await;
    let directory =
        |path: &str| format!("- {{directory: ., optional: true, kv: {{mount: secret, path: {path}}}}}\n");
    let class = typed(&(directory("team-a/db") + &directory("team-a/api") + &directory("team-a/none")));
    let pod = provider.mount("team-a/web", class).await;
    for other in ["team-a/db", "team-a/none"] {
        vault.put(other, json!({ "token": canary("stranger"), "own": other })).await;
        let pod = pod.remount().await;
        assert_eq!(
            (pod.names(), pod.read("token"), pod.read("own")),
            (vec!["own", "token"], canary("api"), other.into())
        );
        vault.put(other, json!({})).await;
        pod.remount().await;
    }
}

#[tokio::test]
async fn a_directory_of_a_request_has_the_members_of_its_data() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "user": canary("user") })).await;
    let class = typed(
        "- {directory: a, request: {path: secret/data/team-a/db}}\n- {directory: b, secretPath: secret/data/team-a/db}",
    );
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!((pod.names(), pod.read("b/user")), (vec!["a/user", "b/user"], canary("user")));
    assert_eq!(vault.count("read secret/data/team-a/db"), 1);
}
