//! Secrets of KV engines by mount and path: versions, and selectors into their data.

use crate::support::*;

#[tokio::test]
async fn a_kv_path_is_written_without_data() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("plain") })).await;
    let class = "- {objectName: db, kv: {mount: secret, path: team-a/db}, secretKey: password}";
    assert_eq!(provider.mount("team-a/web", typed(class)).await.read("db"), canary("plain"));
    assert_eq!(vault.count("read secret/data/team-a/db"), 1);
}

#[tokio::test]
async fn the_mount_and_the_path_are_where_they_are_however_they_are_spelled() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.enable("teams/kv", "kv", json!({ "version": "2" })).await;
    vault.allow("teams/kv/data/*", &["read"]).await;
    for (path, sent) in [
        ("a/b/c", "a/b/c"),
        ("data/x", "data/x"),
        ("with space", "with%20space"),
        ("käse?x#y%41", "k%C3%A4se%3Fx%23y%2541"),
    ] {
        vault.write(&format!("teams/kv/data/{sent}"), json!({ "data": { "value": canary(path) } })).await;
        let class = object(
            json!({ "objectName": "f", "kv": { "mount": "teams/kv", "path": path }, "secretKey": "value" }),
        );
        assert_eq!(provider.mount("team-a/web", class).await.read("f"), canary(path));
    }
}

#[tokio::test]
async fn a_pinned_version_stays_when_a_newer_one_is_written() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("one") })).await;
    let pinned =
        "- {objectName: pinned, kv: {mount: secret, path: team-a/db, version: 1}, secretKey: password}\n";
    let newest = "- {objectName: newest, kv: {mount: secret, path: team-a/db}, secretKey: password}";
    let pod = provider.mount("team-a/web", typed(&format!("{pinned}{newest}"))).await;
    vault.put("team-a/db", json!({ "password": canary("two") })).await;
    let after = pod.remount().await;
    assert_eq!((after.read("pinned"), after.read("newest")), (canary("one"), canary("two")));
    assert_eq!(after.version("pinned"), pod.version("pinned"));
    let none =
        typed("- {objectName: db, kv: {mount: secret, path: team-a/db, version: 9}, secretKey: password}");
    provider
        .refuses("team-a/web", none)
        .await
        .tells("vault.not_found", &["object \"db\"", "secret/data/team-a/db", "version"]);
}

#[tokio::test]
async fn a_mount_without_versions_is_read_as_such() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.enable("old", "kv", json!({ "version": "1" })).await;
    vault.allow("old/*", &["read"]).await;
    vault
        .write(
            "old/team-a/db",
            json!({ "password": canary("v1"), "data": { "inner": "an object named data" } }),
        )
        .await;
    let class = typed(
        "
- kv: {mount: old, path: team-a/db, engineVersion: 1}
  files:
    - {objectName: db, secretKey: password}
    - {objectName: inner, pointer: /data/inner}
    - {objectName: all.json}",
    );
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!((pod.read("db"), pod.read("inner")), (canary("v1"), "an object named data".into()));
    assert_eq!(
        pod.json("all.json"),
        json!({ "data": { "inner": "an object named data" }, "password": canary("v1") })
    );
    assert_eq!(vault.count("read old/team-a/db"), 1);
}

#[tokio::test]
async fn the_wrong_engine_version_is_reported_as_such() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("v2") })).await;
    vault.enable("old", "kv", json!({ "version": "1" })).await;
    for path in ["old/*", "secret/*"] {
        vault.allow(path, &["read"]).await;
    }
    // A version 1 secret may have `data/` in its path: only then does the server find one.
    vault.write("old/data/team-a/db", json!({ "password": canary("v1") })).await;
    let two = typed("- {objectName: db, kv: {mount: old, path: team-a/db}, secretKey: password}");
    provider
        .refuses("team-a/web", two)
        .await
        .tells("vault.malformed", &["object \"db\"", "old/data/team-a/db", "engineVersion: 1"]);
    let none = typed("- {objectName: db, kv: {mount: old, path: team-a/other}, secretKey: password}");
    provider
        .refuses("team-a/web", none)
        .await
        .tells("vault.no_mount", &["object \"db\"", "old/data/team-a/other", "engineVersion: 1"]);
    let one = typed(
        "- {objectName: db, kv: {mount: secret, path: team-a/db, engineVersion: 1}, secretKey: password}",
    );
    provider
        .refuses("team-a/web", one)
        .await
        .tells("vault.no_mount", &["object \"db\"", "secret/team-a/db", "engineVersion"]);
}

#[tokio::test]
async fn a_pointer_selects_through_objects_lists_and_odd_names() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let hosts = json!({ "hosts": ["first", { "name": canary("second"), "port": 5432 }], "a/b": { "m~n": "odd", "": "empty" } });
    vault.put("team-a/db", json!({ "primary": hosts })).await;
    let class = typed(
        "
- kv: {mount: secret, path: team-a/db}
  files:
    - {objectName: member, pointer: /primary/hosts/1/name}
    - {objectName: number, pointer: /primary/hosts/1/port}
    - {objectName: item, pointer: /primary/hosts/0}
    - {objectName: list, pointer: /primary/hosts}
    - {objectName: odd, pointer: /primary/a~1b/m~0n}
    - {objectName: empty, pointer: /primary/a~1b/}",
    );
    let pod = provider.mount("team-a/web", class).await;
    let wanted = [
        ("member", canary("second")),
        ("number", "5432".into()),
        ("item", "first".into()),
        ("odd", "odd".into()),
        ("empty", "empty".into()),
    ];
    for (name, value) in wanted {
        assert_eq!(pod.read(name), value, "{name}");
    }
    assert_eq!(pod.read("list"), format!(r#"["first",{{"name":"{}","port":5432}}]"#, canary("second")));
    for pointer in
        ["/primary/hosts/2", "/primary/hosts/-", "/primary/hosts/01", "/primary/hosts/1/name/x", "/x"]
    {
        let class = object(
            json!({ "objectName": "db", "kv": { "mount": "secret", "path": "team-a/db" }, "pointer": pointer }),
        );
        provider
            .refuses("team-a/web", class)
            .await
            .tells("vault.not_found", &["object \"db\"", "secret", "team-a/db", pointer]);
    }
}

#[tokio::test]
async fn metadata_and_response_can_be_mounted_like_data() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("one"), "version": "of data" })).await;
    vault.put("team-a/db", json!({ "password": canary("two"), "version": "of data" })).await;
    vault.write("secret/metadata/team-a/db", json!({ "custom_metadata": { "owner": "team-a" } })).await;
    let class = typed(
        "
- kv: {mount: secret, path: team-a/db}
  files:
    - {objectName: data, secretKey: version}
    - {objectName: version, secretKey: version, from: metadata}
    - {objectName: owner, pointer: /custom_metadata/owner, from: metadata}
    - {objectName: metadata.json, format: json, from: metadata}
    - {objectName: lease, secretKey: renewable, from: response}
    - {objectName: deep, pointer: /data/data/password, from: response}
    - {objectName: response.json, format: json, from: response}
    - {directory: meta, from: metadata, keys: [version, created_time]}",
    );
    let pod = provider.mount("team-a/web", class).await;
    let read = ["data", "version", "owner", "lease", "deep", "meta/version"].map(|name| pod.read(name));
    assert_eq!(read, ["of data", "2", "team-a", "false", &canary("two"), "2"]);
    assert_eq!(pod.json("metadata.json")["version"], 2);
    assert_eq!(pod.json("response.json")["data"]["data"]["password"], canary("two"));
    assert_eq!(
        pod.remount().await.versions(),
        pod.versions(),
        "what differs at every call is not in a document"
    );
    assert_eq!(vault.count("read secret/data/team-a/db"), 2);
}

#[tokio::test]
async fn bytes_deep_in_a_secret_are_decoded() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault
        .put(
            "team-a/store",
            json!({ "stores": [{ "jks": "/u3+7QD/" }, { "hex": "00ff10" }, { "bad": canary("no*hex") }] }),
        )
        .await;
    let class = typed(
        "
- kv: {mount: secret, path: team-a/store}
  files:
    - {objectName: one, pointer: /stores/0/jks, encoding: base64}
    - {objectName: two, pointer: /stores/1/hex, encoding: hex}",
    );
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!(
        (pod.bytes("one"), pod.bytes("two")),
        (&[0xfe, 0xed, 0xfe, 0xed, 0, 0xff][..], &[0, 0xff, 0x10][..])
    );
    let bad = typed(
        "- {objectName: bad, kv: {mount: secret, path: team-a/store}, pointer: /stores/2/bad, encoding: hex}",
    );
    provider
        .refuses("team-a/web", bad)
        .await
        .tells("render.failed", &["object \"bad\"", "/stores/2/bad", "hex"]);
}

/// One class and one login. The namespaces of sources are absolute, and the server's policies apply to them.
#[tokio::test]
async fn secrets_of_two_namespaces_are_in_one_volume_with_one_login() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("root") })).await;
    for namespace in ["team", "team/inner"] {
        let (parent, name) = namespace.rsplit_once('/').unwrap_or(("", namespace));
        vault.write_in(parent, &format!("sys/namespaces/{name}"), json!({})).await;
        vault.enable_in(namespace, "secret", "kv", json!({ "version": "2" })).await;
        vault
            .write_in(namespace, "secret/data/db", json!({ "data": { "password": canary(namespace) } }))
            .await;
        vault.allow(&format!("{namespace}/secret/data/*"), &["read"]).await;
    }
    let class = typed(
        "
- {objectName: outer, kv: {mount: secret, path: team-a/db}, secretKey: password}
- {objectName: team, vaultNamespace: team, kv: {mount: secret, path: db}, secretKey: password}
- {objectName: inner, vaultNamespace: /team/inner/, kv: {mount: secret, path: db}, secretKey: password}
- {objectName: upstream, vaultNamespace: team/inner, secretPath: secret/data/db, secretKey: password}
- {objectName: request, vaultNamespace: team, request: {path: secret/data/db}, secretKey: password}",
    );
    let pod = provider.mount("team-a/web", class).await;
    let read = ["outer", "team", "inner", "upstream", "request"].map(|name| pod.read(name));
    assert_eq!(read, ["root", "team", "team/inner", "team/inner", "team"].map(canary));
    assert_eq!(vault.count("update auth/kubernetes/login"), 1);
    let denied = typed(
        "- {objectName: db, vaultNamespace: team, kv: {mount: secret, path: none}, secretKey: password}",
    );
    provider
        .refuses("team-a/web", denied)
        .await
        .tells("vault.not_found", &["object \"db\"", "namespace \"team\""]);
}

#[tokio::test]
async fn a_pod_gets_a_member_of_json_or_yaml_text_inside_a_value() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let config = json!({ "db": { "password": canary("inner"), "port": 5432 } }).to_string();
    let yaml = format!("db:\n  password: {}\n  mode: 0640\n", canary("yaml"));
    vault.put("team-a/db", json!({ "config": config, "settings": yaml, "word": canary("word") })).await;
    let class = typed(
        r#"
- kv: {mount: secret, path: team-a/db}
  files:
    - {objectName: inner, secretKey: config, parse: json, pointer: /db/password}
    - {objectName: across, pointer: /config/db/port, parse: json}
    - {objectName: yaml, secretKey: settings, parse: yaml, pointer: /db/password}
    - {objectName: whole, secretKey: settings, parse: yaml}
    - {objectName: none, secretKey: config, parse: json, pointer: /db/none, default: none}
    - {objectName: db.env, secretKey: config, parse: json, pointer: /db, format: env}
    - {directory: keys, secretKey: config, parse: json, pointer: /db, keys: "*"}
- objectName: page
  sources: {db: {kv: {mount: secret, path: team-a/db}, secretKey: config, parse: json}}
  template: "{{ db.db.port }}"
- {objectName: theirs, secretPath: secret/data/team-a/db, secretKey: config, parse: json, pointer: /db/port}"#,
    );
    let pod = provider.mount("team-a/web", class).await;
    for (file, text) in [
        ("inner", canary("inner").as_str()),
        ("across", "5432"),
        ("yaml", &canary("yaml")),
        ("none", "none"),
        ("keys/password", &canary("inner")),
        ("keys/port", "5432"),
        ("page", "5432"),
        ("theirs", "5432"),
    ] {
        assert_eq!(pod.read(file), text, "{file}");
    }
    assert_eq!(pod.json("whole"), json!({ "db": { "password": canary("yaml"), "mode": 416 } }));
    assert!(pod.read("db.env").contains("port='5432'"), "{}", pod.read("db.env"));
    assert_eq!(vault.count("read secret/data/team-a/db"), 2, "one of kv and one of secretPath");
    let no_json = "- {objectName: f, kv: {mount: secret, path: team-a/db}, secretKey: word, parse: json}";
    provider
        .refuses("team-a/web", typed(no_json))
        .await
        .tells("render.failed", &["object \"f\"", "key \"word\"", "not JSON"]);
    let no_parse = "- {objectName: f, kv: {mount: secret, path: team-a/db}, secretKey: a, pointer: /b}";
    provider.refuses("team-a/web", typed(no_parse)).await.tells("spec.invalid", &["object \"f\"", "parse"]);
}

#[tokio::test]
async fn the_previous_version_follows_each_write() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("one") })).await;
    let class = typed(
        "
- {objectName: new, kv: {mount: secret, path: team-a/db}, secretKey: password}
- {objectName: old, kv: {mount: secret, path: team-a/db, version: -1}, secretKey: password, default: none}",
    );
    vault.put("team-a/db", json!({ "password": canary("two") })).await;
    let pod = provider.mount("team-a/web", class).await;
    assert_eq!((pod.read("new"), pod.read("old")), (canary("two"), canary("one")));
    vault.put("team-a/db", json!({ "password": canary("three") })).await;
    let after = pod.remount().await;
    assert_eq!((after.read("new"), after.read("old")), (canary("three"), canary("two")));
}
