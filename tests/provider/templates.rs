//! Files rendered from several secrets.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::documents::{PYTHON, READ, properties};
use crate::support::tools::tool;
use crate::support::volume::Volume;
use crate::support::*;

/// A template over `team-a/db`, as the source `db`.
pub(crate) fn over_db(name: &str, template: &str) -> Class {
    template_of(name, template, &json!({ "db": { "kv": { "mount": "secret", "path": "team-a/db" } } }))
}

fn template_of(name: &str, template: &str, sources: &Value) -> Class {
    object(json!({ "objectName": name, "template": template, "sources": sources }))
}

#[tokio::test]
async fn a_line_is_written_around_a_value() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/devops", json!({ "token": canary("pat") })).await;
    let sources =
        json!({ "devops": { "kv": { "mount": "secret", "path": "team-a/devops" }, "secretKey": "token" } });
    let class = template_of("line", "token value stored on path secret/devops is {{ devops }}\n", &sources);
    let pod = provider.mount("team-a/web", class.clone()).await;
    assert_eq!(pod.read("line"), format!("token value stored on path secret/devops is {}\n", canary("pat")));
    let brackets = class.each("delimiters", "[[ ]]").each("template", "[[ devops ]] {{ devops }}[# gone #]");
    assert_eq!(
        provider.mount("team-a/web", brackets).await.read("line"),
        format!("{} {{{{ devops }}}}", canary("pat"))
    );
}

#[tokio::test]
async fn one_file_takes_values_of_several_engines() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.authorities().await;
    vault.key("transit", "orders", json!({})).await;
    let sealed = vault.cipher("orders", canary("sealed"), None).await;
    vault
        .put(
            "team-a/db",
            json!({ "user": "app", "primary": { "hosts": ["one", canary("two")] }, "empty": null }),
        )
        .await;
    let db = || json!({ "mount": "secret", "path": "team-a/db" });
    let sources = json!({
        "db": { "kv": db() }, "host": { "kv": db(), "pointer": "/primary/hosts/1" }, "meta": { "kv": db(), "from": "metadata" },
        "token": { "transit": { "key": "orders", "ciphertext": sealed } },
        "mount": { "pki": { "mount": "pki", "ca": true } },
        "web": { "pki": { "mount": "pki", "role": "web", "commonName": "web.example.com" } },
        "plain": { "secretPath": "secret/data/team-a/db", "secretKey": "user" },
    });
    let text = "{{ db.user }} {{ host }} {{ meta.version }} {{ token }} {{ plain }} {{ db.none | default(5432) }}{{ db.empty | default('-', true) }}\n\
        {% for host in db.primary.hosts %}{{ loop.index }}={{ host }};{% endfor %}\n{{ mount.ca }}{{ web.chain | certificates | last }}\
        {{ web.privateKey }}";
    let pod = provider.mount("team-a/web", template_of("all", text, &sources)).await;
    let (two, root) = (canary("two"), vault.authority("root").await);
    let start = format!(
        "app {two} 1 {} app 5432-\n1=one;2={two};\n{root}{root}-----BEGIN PRIVATE KEY-----\n",
        canary("sealed")
    );
    assert!(pod.read("all").starts_with(&start), "{}", pod.read("all"));
    assert_eq!(
        vault.count("read secret/data/team-a/db"),
        1 + 1,
        "once, and once for the object of the upstream form"
    );
    assert_eq!((vault.count("update pki/issue/web"), vault.count("update transit/decrypt/orders")), (1, 1));
}

/// Everything that has a meaning in the languages of configuration files.
fn awkward() -> String {
    canary("it's $5 \"q\" \\ `id` #;=:%{}[]!<&>\t~é🔑\nline two")
}

#[tokio::test]
async fn a_password_with_any_character_means_the_same_in_every_language() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let encoded = BASE64_STANDARD.encode(awkward());
    vault.put("team-a/db", json!({ "password": awkward(), "encoded": encoded })).await;
    let lines = [
        ("app.json", "{\"password\": {{ db.password | json }}}"),
        ("app.yaml", "password: {{ db.password | yaml }}\n"),
        ("app.toml", "password = {{ db.password | toml }}\n"),
        ("app.sh", "password={{ db.password | shell }}\n"),
        ("app.env", "password={{ db.password | env }}\n"),
        ("app.url", "{{ db.password | url }}"),
        ("app.b64", "{{ db.password | b64encode }}"),
        ("app.txt", "{{ db.encoded | b64decode }}"),
        ("app.properties", "password={{ db.password | properties }}\n"),
    ];
    let pod = provider
        .mount(
            "team-a/web",
            lines.map(|(name, text)| over_db(name, text)).into_iter().reduce(Class::and).unwrap(),
        )
        .await;
    for (filter, text) in read_back(&pod) {
        assert_eq!(text, awkward(), "{filter}");
    }
}

/// The values that other programs read from each file.
fn read_back(pod: &Volume<'_>) -> [(&'static str, String); 9] {
    let json =
        |text: String| serde_json::from_str::<Value>(&text).unwrap()["password"].as_str().unwrap().to_owned();
    let python = |language: &str, name: &str| json(tool(PYTHON, &["-c", READ, language], pod.bytes(name)));
    let sh = |name: &str| tool("sh", &[], format!("{}\nprintf %s \"$password\"", pod.read(name)).as_bytes());
    let unquote = "import sys, urllib.parse; sys.stdout.write(urllib.parse.unquote(sys.stdin.read()))";
    [
        ("json", tool("jq", &["-j", ".password"], pod.bytes("app.json"))),
        ("yaml", python("yaml", "app.yaml")),
        ("toml", python("toml", "app.toml")),
        ("shell", sh("app.sh")),
        ("env", sh("app.env")),
        ("properties", json(properties(pod.bytes("app.properties")).to_string())),
        ("url", tool(PYTHON, &["-c", unquote], pod.bytes("app.url"))),
        ("b64encode", tool("base64", &["-d"], pod.bytes("app.b64"))),
        ("b64decode", pod.read("app.txt")),
    ]
}

#[tokio::test]
async fn a_mistake_is_reported_with_its_line_and_never_with_a_value() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault
        .put("team-a/db", json!({ "password": canary("value"), "null": null, "list": [canary("member")] }))
        .await;
    for (mistake, line, detail) in [
        ("{{ db.password }}\n{{ db.", 2, "a syntax error"),
        ("{% if db.password %}x", 1, "a syntax error"),
        ("\n\n{{ nobody.password }}", 3, "`sources` has no `nobody`"),
        ("\n{{ db.passwrod }}", 2, "`db.passwrod` does not exist"),
        ("{{ db.password | rot13 }}", 1, "there is no filter `rot13`"),
        ("{{ now() }}", 1, "there is no function `now`"),
        ("{{ db.password is odder }}", 1, "there is no test `odder`"),
        ("{{ db.password + 1 }}", 1, "a value of a type that this operation does not accept"),
        ("{{ db.null }}", 1, "null instead of text"),
        ("{{ db.list }}", 1, "a list or a map instead of text"),
        ("{{ db.null | trim }}", 1, "null instead of text"),
        ("{{ db.list | upper }}", 1, "a list or a map instead of text"),
        ("{{ db.list | string }}", 1, "a list or a map instead of text"),
        ("{{ ['x', db.null] | join }}", 1, "null instead of text"),
        ("{{ [db.gone] | join }}", 1, "`db.gone` does not exist"),
        ("{{ '%s' | format(db.null) }}", 1, "null instead of text"),
        ("{{ db.password | b64decode }}", 1, "not base64"),
        ("{{ db.password | certificates }}", 1, "no complete CERTIFICATE block"),
        ("{{ db.password | private_key }}", 1, "PRIVATE KEY block"),
    ] {
        let class = over_db("good", "{{ db.password }}").and(over_db("app.conf", mistake));
        let refusal = provider.refuses("team-a/web", class).await;
        refusal.tells("render.failed", &["object \"app.conf\"", &format!("line {line}"), detail]);
        assert!(!refusal.text.contains("\"good\""), "{refusal:?}");
    }
}

#[tokio::test]
async fn syntax_errors_are_reported_together_before_any_call() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let class = over_db("one", "{{ db.")
        .and(over_db("good", "{{ db.password }}"))
        .and(over_db("two", "\n{% if db.password %}x"));
    for _ in 0..2 {
        let refusal = provider.refuses("team-a/web", class.clone()).await;
        refusal.tells(
            "render.failed",
            &["object \"one\": template: line 1", "object \"two\": template: line 2"],
        );
        assert!(!refusal.text.contains("\"good\""), "{refusal:?}");
    }
    assert_eq!(vault.calls(), [""; 0]);
}

#[tokio::test]
async fn a_missing_source_is_reported_or_skipped_as_the_object_says() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("there") })).await;
    let sources = |path: &str, key: &str| {
        let gone = json!({ "kv": { "mount": "secret", "path": path }, "secretKey": key });
        json!({ "db": { "kv": { "mount": "secret", "path": "team-a/db" } }, "gone": gone })
    };
    for (path, key) in [("team-a/none", "password"), ("team-a/db", "passwrod")] {
        let class = || template_of("app.conf", "{{ db.password }} {{ gone }}", &sources(path, key));
        let path = format!("secret/data/{path}");
        provider
            .refuses("team-a/web", class())
            .await
            .tells("vault.not_found", &["object \"app.conf\"", &path]);
        let pod = provider
            .mount("team-a/web", class().each("optional", true).and(over_db("there", "{{ db.password }}")))
            .await;
        assert_eq!((pod.names(), pod.read("there")), (vec!["there"], canary("there")));
        let pod = provider.mount("team-a/web", class().each("default", "{{ as it is }}")).await;
        assert_eq!(pod.read("app.conf"), "{{ as it is }}");
    }
    for absent in ["optional", "default"] {
        let value = if absent == "optional" { json!(true) } else { json!("text") };
        let denied = template_of("app.conf", "{{ gone }}", &sources("../team-b/db", "password"))
            .each(absent, value.clone());
        provider.refuses("team-a/web", denied).await.tells("spec.invalid", &[]);
        let denied = template_of(
            "app.conf",
            "{{ gone }}",
            &json!({ "gone": { "kv": { "mount": "secret", "path": "team-b/db" } } }),
        );
        provider
            .refuses("team-a/web", denied.each(absent, value.clone()))
            .await
            .tells("vault.read_denied", &["object \"app.conf\""]);
        let wrong = over_db("app.conf", "{{ db.none }}").each(absent, value);
        provider
            .refuses("team-a/web", wrong)
            .await
            .tells("render.failed", &["object \"app.conf\"", "default("]);
    }
}

#[tokio::test]
async fn two_processes_write_the_same_text() {
    let vault = Vault::start().await;
    let (one, other) = (Provider::start(&vault).await, Provider::start(&vault).await);
    let members: serde_json::Map<_, _> =
        (0..50).map(|at| (format!("key-{}", at * 7919 % 50), json!(canary(&at.to_string())))).collect();
    vault.put("team-a/db", members.into()).await;
    let text = "{{ db | json }}\n{{ db | yaml }}\n{% for key, value in db | items %}{{ key }}={{ value }}\n{% endfor %}";
    let class = over_db("app.conf", text);
    let (first, second) =
        (one.mount("team-a/web", class.clone()).await, other.mount("team-a/web", class).await);
    assert_eq!(first.read("app.conf"), second.read("app.conf"));
    assert_eq!(first.remount().await.versions(), first.versions());
}

#[tokio::test]
async fn a_key_and_certificates_that_were_pasted_in_another_form_are_files() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", "QUJD".repeat(16));
    let certificate = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n";
    let whole = format!("{certificate}{key}");
    let indented: String = whole.lines().map(|line| format!("    {line}\n")).collect();
    let glued = whole.replace("-----\n-----", "----------");
    let literal = whole.replace('\n', "\\n");
    let open = "-----BEGIN PRIVATE KEY-----\nQUJD\n";
    vault
        .put("team-a/tls", json!({ "indented": indented, "glued": glued, "literal": literal, "open": open }))
        .await;
    let page = |text: &str| {
        object(
            json!({ "objectName": "page", "sources": { "tls": { "kv": { "mount": "secret", "path": "team-a/tls" } } }, "template": text }),
        )
    };
    for form in ["indented", "glued", "literal"] {
        let text = format!("{{{{ tls.{form} | private_key }}}}{{{{ tls.{form} | certificates | join }}}}");
        assert_eq!(
            provider.mount("team-a/web", page(&text)).await.read("page"),
            format!("{key}{certificate}"),
            "{form}"
        );
    }
    provider
        .refuses("team-a/web", page("{{ tls.open | private_key }}"))
        .await
        .tells("render.failed", &["object \"page\"", "END"]);
}
