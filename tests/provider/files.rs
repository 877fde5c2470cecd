//! The files of a pod: bytes, names, modes and versions.

use crate::support::*;

#[tokio::test]
async fn a_pod_sees_the_new_password_after_rotation() {
    let (vault, first, second) = (Vault::start().await, canary("first"), canary("second"));
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": first })).await;
    let pod = provider.mount("team-a/web", kv("db", "team-a/db", "password")).await;
    assert_eq!(pod.read("db"), first);
    vault.put("team-a/db", json!({ "password": second })).await;
    assert_eq!(pod.remount().await.read("db"), second);
}

/// The same bytes as the upstream providers write: text unchanged, everything else as Go's compact JSON with the digits of the source.
#[tokio::test]
async fn a_file_holds_exactly_the_bytes_of_its_value() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let rows = [
        ("text", json!(canary("text")), canary("text")),
        ("lines", json!("one\ntwo\r\n\u{0}\u{1f}\"\\<>&"), "one\ntwo\r\n\u{0}\u{1f}\"\\<>&".into()),
        ("unicode", json!("pä$$wörd \u{2028} 🔑"), "pä$$wörd \u{2028} 🔑".into()),
        ("empty", json!(""), String::new()),
        ("number", json!(1_234_567_890_123_u64), "1234567890123".into()),
        ("fraction", json!(0.5), "0.5".into()),
        ("bool", json!(false), "false".into()),
        ("list", json!(["b", "a", 1]), r#"["b","a",1]"#.into()),
        (
            "object",
            json!({ "b": "<&>", "a": { "c": [] } }),
            r#"{"a":{"c":[]},"b":"\u003c\u0026\u003e"}"#.into(),
        ),
    ];
    let data: serde_json::Map<_, _> =
        rows.iter().map(|(key, value, _)| ((*key).into(), value.clone())).collect();
    vault.put("team-a/values", data.into()).await;
    let class = rows.iter().map(|(key, ..)| kv(key, "team-a/values", key)).reduce(Class::and).unwrap();
    let pod = provider.mount("team-a/web", class).await;
    for (key, _, wanted) in &rows {
        assert_eq!(pod.read(key), *wanted, "{key}");
    }
}

#[tokio::test]
async fn an_encoded_text_is_decoded_to_its_bytes() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/store", json!({ "base64": "AP8QYQ==", "hex": "00ff1061" })).await;
    let class = kv("one", "team-a/store", "base64")
        .each("encoding", "base64")
        .and(kv("two", "team-a/store", "hex").each("encoding", "HEX"));
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!(
        (pod.bytes("one"), pod.bytes("two")),
        (&[0, 0xff, 0x10, 0x61][..], &[0, 0xff, 0x10, 0x61][..])
    );
}

#[tokio::test]
async fn a_value_that_is_not_in_its_encoding_fails_without_showing_it() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/store", json!({ "text": canary("no*base64") })).await;
    for encoding in ["base64", "hex"] {
        let class = kv("store", "team-a/store", "text").each("encoding", encoding);
        provider.refuses("team-a/web", class).await.tells("render.failed", &["object \"store\"", encoding]);
    }
}

#[tokio::test]
async fn every_file_has_the_mode_that_its_object_or_else_the_request_names() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("modes") })).await;
    let objects = "
      - {objectName: octal, secretPath: secret/data/team-a/db, secretKey: password, filePermission: 0640}
      - {objectName: new-octal, secretPath: secret/data/team-a/db, secretKey: password, filePermission: 0o600}
      - {objectName: decimal, secretPath: secret/data/team-a/db, secretKey: password, filePermission: 256}
      - {objectName: zero, secretPath: secret/data/team-a/db, secretKey: password, filePermission: 0}
      - {objectName: nested/deep/unset, secretPath: secret/data/team-a/db, secretKey: password}";
    let class = kv("db", "team-a/db", "password").with("objects", objects);
    for (permission, default) in [("420", 0o644), ("", 0o644), ("256", 0o400)] {
        let pod = provider
            .call("team-a/web", class.clone())
            .request(|request| request.permission = permission.into())
            .mount()
            .await;
        let modes: Vec<_> = pod.names().into_iter().map(|name| (name, pod.mode(name))).collect();
        let wanted = [
            ("decimal", 0o400),
            ("nested/deep/unset", default),
            ("new-octal", 0o600),
            ("octal", 0o640),
            ("zero", default),
        ];
        assert_eq!(modes, wanted, "permission {permission:?}");
    }
}

#[tokio::test]
async fn a_version_changes_with_its_content_and_with_nothing_else() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "user": canary("user"), "password": canary("first") })).await;
    let class = kv("user", "team-a/db", "user").and(kv("password", "team-a/db", "password"));
    let pod = provider.mount("team-a/web", class.clone()).await;
    assert_ne!(pod.version("user"), pod.version("password"), "no oracle within a volume");
    assert_eq!(pod.remount().await.versions(), pod.versions(), "nothing changed");
    vault.put("team-a/db", json!({ "user": canary("user"), "password": canary("second") })).await;
    let after = pod.remount().await;
    assert_eq!(after.version("user"), pod.version("user"));
    assert_ne!(after.version("password"), pod.version("password"));
}

#[tokio::test]
async fn a_file_of_the_whole_response_changes_only_when_the_secret_does() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("whole") })).await;
    let pod = provider
        .mount(
            "team-a/web",
            object(json!({ "objectName": "db.json", "secretPath": "secret/data/team-a/db" })),
        )
        .await;
    let start =
        r#"{"request_id":"","lease_id":"","lease_duration":0,"renewable":false,"data":{"data":{"password":"#;
    assert!(pod.read("db.json").starts_with(start), "{}", pod.read("db.json"));
    assert_eq!(pod.json("db.json")["data"]["metadata"]["version"], 1);
    let again = pod.remount().await;
    assert_eq!((again.read("db.json"), again.versions()), (pod.read("db.json"), pod.versions()));
    vault.put("team-a/db", json!({ "password": canary("other") })).await;
    assert_ne!(pod.remount().await.versions(), pod.versions());
}

#[tokio::test]
async fn a_class_as_its_author_types_it_is_read_as_go_yaml_reads_it() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("yaml"), "yes": "key yes", "8": "key 8" })).await;
    let objects = r#"
# comments, anchors and merge keys
- &db
  objectName: "plain"
  secretPath: 'secret/data/team-a/db'
  secretKey: password
- <<: *db
  objectName: merged/by-key
- {<<: *db, "objectName": flow, secretKey: "yes"}
- objectName: number
  secretPath: >-
    secret/data/team-a/db
  secretKey: 8
"#;
    let pod = provider.mount("team-a/web", kv("db", "team-a/db", "password").with("objects", objects)).await;
    assert_eq!(pod.names(), ["flow", "merged/by-key", "number", "plain"]);
    assert_eq!(
        (pod.read("flow"), pod.read("merged/by-key"), pod.read("number")),
        ("key yes".into(), canary("yaml"), "key 8".into())
    );
    assert_eq!(vault.count("read secret/data/team-a/db"), 1);
}
