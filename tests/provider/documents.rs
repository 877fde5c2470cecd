//! A whole secret as one document, mounted and read by the programs that people use.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::tools::tool;
use crate::support::*;

/// Debian's own, for which python3-yaml is packaged.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// Reads standard input in the given language and prints it as JSON.
pub(crate) const READ: &str = "import json, sys, tomllib, yaml; text = sys.stdin.buffer.read(); \
    json.dump(tomllib.loads(text.decode()) if sys.argv[1] == 'toml' else yaml.safe_load(text), sys.stdout)";

/// Prints the properties that it reads, one per line, with the values in base64.
const PROPERTIES: &str = r#"
class Read {
    public static void main(String[] file) throws Exception {
        var read = new java.util.Properties();
        try (var bytes = new java.io.FileInputStream(file[0])) { read.load(bytes); }
        for (var key : read.stringPropertyNames())
            System.out.println(key + " " + java.util.Base64.getEncoder().encodeToString(read.getProperty(key).getBytes("UTF-8")));
    }
}"#;

/// A secret of texts that each language quotes differently.
fn texts() -> Value {
    json!({
        "PLAIN": canary("plain"), "QUOTES": "it's \"quoted\" `here` $HOME ${X} \\n %s", "LINES": "one\n two\n\nthree\n", "UNICODE": "pä$$wörd 🔑 \u{2028}",
        "EMPTY": "", "SPACES": "  both ends  ", "YES": "yes", "NUMBER": "0123", "HASH": "# no comment", "EQUALS": "a=b: c",
    })
}

/// The same secret in every format, `secret.json` and so on.
async fn mounted(data: Value) -> BTreeMap<&'static str, Vec<u8>> {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/all", data).await;
    let formats = ["json", "yaml", "toml", "env", "properties"];
    let files: String = formats
        .iter()
        .map(|format| format!("    - {{objectName: secret.{format}, format: {format}}}\n"))
        .collect();
    let pod = provider
        .mount("team-a/web", typed(&format!("- kv: {{mount: secret, path: team-a/all}}\n  files:\n{files}")))
        .await;
    assert_eq!(vault.count("read secret/data/team-a/all"), 1);
    formats.iter().map(|format| (*format, pod.bytes(&format!("secret.{format}")).to_vec())).collect()
}

#[tokio::test]
async fn a_secret_of_texts_is_the_same_to_every_reader() {
    let files = mounted(texts()).await;
    let json = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    assert_eq!(json(tool("jq", &["."], &files["json"])), texts());
    assert_eq!(json(tool(PYTHON, &["-c", READ, "yaml"], &files["yaml"])), texts());
    assert_eq!(json(tool(PYTHON, &["-c", READ, "toml"], &files["toml"])), texts());
    for (name, value) in texts().as_object().unwrap() {
        let script = format!("{}\nprintf %s \"${name}\"", String::from_utf8_lossy(&files["env"]));
        assert_eq!(tool("sh", &[], script.as_bytes()), value.as_str().unwrap(), "{name}");
    }
    assert_eq!(properties(&files["properties"]), texts());
}

#[tokio::test]
async fn a_secret_of_lists_and_objects_keeps_its_shape() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let data = json!({ "hosts": ["a", { "b": [1, 2.5, true] }], "z": { "y": { "x": "deep" } }, "a": "first", "empty": [], "none": {} });
    vault.put("team-a/all", data.clone()).await;
    let class = "- kv: {mount: secret, path: team-a/all}\n  files: [{objectName: j, format: json}, {objectName: y, format: yaml}, {objectName: t, format: toml}]";
    let pod = provider.mount("team-a/web", typed(class)).await;
    let json = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    assert_eq!(json(tool("jq", &["."], pod.bytes("j"))), data);
    assert_eq!(json(tool(PYTHON, &["-c", READ, "yaml"], pod.bytes("y"))), data);
    assert_eq!(json(tool(PYTHON, &["-c", READ, "toml"], pod.bytes("t"))), data);
}

#[tokio::test]
async fn a_value_that_a_format_cannot_hold_is_named_and_not_shown() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/null", json!({ "gone": null, "a": canary("a") })).await;
    vault.put("team-a/names", json!({ "not-a-name": canary("b") })).await;
    vault.put("team-a/nul", json!({ "NUL": format!("{}\u{0}", canary("c")) })).await;
    for (path, format, named) in
        [("null", "toml", "gone"), ("names", "env", "not-a-name"), ("nul", "env", "NUL")]
    {
        let class = typed(&format!(
            "- {{objectName: doc, kv: {{mount: secret, path: team-a/{path}}}, format: {format}}}"
        ));
        provider
            .refuses("team-a/web", class)
            .await
            .tells("render.failed", &["object \"doc\"", &format!("team-a/{path}"), named]);
    }
}

#[tokio::test]
async fn a_document_changes_only_when_the_secret_does() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/all", json!({ "b": canary("b"), "a": "1" })).await;
    let files =
        "[{objectName: kv}, {objectName: e, format: env}, {objectName: m, format: json, from: metadata}]";
    let class = format!(
        "- kv: {{mount: secret, path: team-a/all}}\n  files: {files}\n- {{objectName: r, request: {{path: secret/data/team-a/all}}}}"
    );
    let pod = provider.mount("team-a/web", typed(&class)).await;
    assert_eq!(
        pod.json("kv"),
        json!({ "a": "1", "b": canary("b") }),
        "without a format a kv source gives its data as JSON"
    );
    assert_eq!(pod.read("e"), format!("a='1'\nb='{}'\n", canary("b")));
    assert_eq!(pod.remount().await.versions(), pod.versions());
    vault.put("team-a/all", json!({ "a": "1", "b": canary("b") })).await;
    let after = pod.remount().await;
    assert_eq!(
        (after.version("kv"), after.version("e")),
        (pod.version("kv"), pod.version("e")),
        "a new version with the old values"
    );
    assert_ne!((after.version("m"), after.version("r")), (pod.version("m"), pod.version("r")));
}

pub(crate) fn properties(bytes: &[u8]) -> Value {
    use base64::Engine;
    let home = tempfile::tempdir().unwrap();
    let (program, file) = (home.path().join("Read.java"), home.path().join("secret.properties"));
    std::fs::write(&program, PROPERTIES).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let printed = tool("java", &[program.to_str().unwrap(), file.to_str().unwrap()], b"");
    let decode =
        |text| String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap();
    printed
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(key, value)| (key.to_owned(), Value::String(decode(value))))
        .collect()
}

#[tokio::test]
async fn a_secret_keeps_its_members_whatever_they_are_called_and_a_response_its_bytes() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/ids", json!({ "request_id": "mine", "lease_id": "mine too" })).await;
    let source = "kv: {mount: secret, path: team-a/ids}, format: json";
    let class =
        format!("- {{objectName: data, {source}}}\n- {{objectName: response, from: response, {source}}}");
    let pod = provider.mount("team-a/web", typed(&class)).await;
    assert_eq!(pod.json("data"), json!({ "request_id": "mine", "lease_id": "mine too" }));
    assert_eq!(pod.json("response")["request_id"], Value::Null);
    assert_eq!(pod.remount().await.read("response"), pod.read("response"));
}
