//! Equal secrets have equal bytes and versions on every node with the same version key.

use crate::support::*;

#[tokio::test]
async fn two_nodes_write_the_same_bytes_and_versions_for_every_object() {
    let vault = Vault::start().await;
    vault.key("transit", "orders", json!({})).await;
    let sealed = vault.cipher("orders", canary("sealed"), None).await;
    vault.put("team-a/all", json!({ "b": canary("b"), "a": "1", "z": "3", "m": "it's" })).await;
    vault.put("team-a/deep", json!({ "b": [1, { "z": 1, "a": 2 }], "a": { "y": 1.5, "x": [] } })).await;
    let class = typed(&format!(
        "
- kv: {{mount: secret, path: team-a/all}}
  files:
    - {{objectName: f.json, format: json}}
    - {{objectName: f.yaml, format: yaml}}
    - {{objectName: f.toml, format: toml}}
    - {{objectName: f.env, format: env}}
    - {{objectName: f.properties, format: properties}}
    - {{objectName: meta.json, format: json, from: metadata}}
    - {{directory: d}}
- kv: {{mount: secret, path: team-a/deep}}
  files: [{{objectName: g.json, format: json}}, {{objectName: g.yaml, format: yaml}}, {{objectName: g.toml, format: toml}}, {{objectName: b, secretKey: b}}]
- {{objectName: whole, secretPath: secret/data/team-a/deep}}
- {{objectName: sealed, transit: {{key: orders, ciphertext: '{sealed}'}}}}
- {{objectName: s5, s5: {{key: orders}}, content: 'a={{{{ s5:{sealed} }}}}'}}
- {{objectName: none, optional: true, kv: {{mount: secret, path: team-a/none}}}}"
    ));
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), [7; 32]).unwrap();
    let node = || Provider::of(&vault).flag(format!("--hmac-key-file={}", key.path().display())).start();
    let (one, other, other_key) = (node().await, node().await, Provider::start(&vault).await);
    let (first, second) =
        (one.mount("team-a/web", class.clone()).await, other.mount("team-a/web", class.clone()).await);
    assert_eq!(first.names().len(), 17, "{:?}", first.names());
    for name in first.names() {
        assert_eq!(first.bytes(name), second.bytes(name), "{name}");
    }
    assert_eq!(first.versions(), second.versions());
    assert_eq!(first.remount().await.versions(), first.versions());
    let without = other_key.mount("team-a/web", class).await;
    assert_ne!(
        without.version("sealed"),
        first.version("sealed"),
        "without the key a version reveals nothing"
    );
}
