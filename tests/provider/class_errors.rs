//! Mistakes in a class, as its author reads them: all at once, each with the most similar valid word.

use crate::support::*;

#[tokio::test]
async fn all_mistakes_of_a_class_are_in_one_message_with_the_nearest_words() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let class = typed(
        "
- {objectName: a, kv: {mount: secret, pth: team-a/db}, secretKey: k}
- {objectName: b, kv: {mount: secret, path: team-a/db}, format: jsn}
- {objectName: c, kv: {mount: secret, path: team-a/db}, pionter: /x}
- {objectName: d, transit: {key: orders}}
- {objectName: ../e, kv: {mount: secret, path: team-a/db}, secretKey: k}",
    );
    let refusal = provider.refuses("team-a/web", class.clone()).await;
    let words = ["did you mean path?", "did you mean json?", "did you mean pointer?", "ciphertext", "object"];
    refusal
        .tells("spec.invalid", &words)
        .tells("spec.invalid", &["\"a\"", "\"b\"", "\"c\"", "\"d\"", "../e"]);
    assert_eq!((refusal.code, vault.calls()), (Code::InvalidArgument, vec![]));
    assert_eq!(provider.refuses("team-a/web", class).await, refusal, "a new text is a new event");
}

#[tokio::test]
async fn the_ninth_mistake_is_counted_and_the_message_fits_an_event() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let long = "n".repeat(200);
    for name in ["x", &long] {
        let class = (0..40).map(|at| {
            object(
                json!({ "objectName": format!("{name}{at}"), "kv": { "mont": "secret" }, "format": "xml" }),
            )
        });
        let refusal = provider.refuses("team-a/web", class.reduce(Class::and).unwrap()).await;
        refusal.tells("spec.invalid", &["object"]);
        assert!(name.len() > 1 || refusal.text.contains(" more"), "{}", refusal.text);
    }
    assert_eq!(vault.calls(), [""; 0]);
}

#[tokio::test]
async fn a_class_that_contradicts_itself_is_refused_before_any_call() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    for (fields, named) in [
        ("objectName: f, secretPath: secret/data/x, kv: {mount: secret, path: x}, secretKey: k", "kv"),
        ("objectName: f, kv: {mount: secret, path: x}, transit: {key: k, ciphertext: c}", "transit"),
        ("objectName: f, kv: {mount: secret, path: x}, secretKey: k, pointer: /k", "pointer"),
        ("objectName: f, kv: {mount: secret, path: x}, secretKey: k, format: json", "format"),
        ("objectName: f, directory: d, kv: {mount: secret, path: x}", "directory"),
        ("objectName: f, kv: {mount: secret, path: x}, keys: [a]", "keys"),
        ("directory: d, kv: {mount: secret, path: x}, keys: []", "keys"),
        ("directory: ../d, kv: {mount: secret, path: x}", "directory"),
        ("directory: d, kv: {mount: secret, path: x}, keys: {a: ..data}", "keys"),
        ("directory: d, transit: {key: k, ciphertext: c}", "directory"),
        ("directory: d, kv: {mount: secret, path: x}, keys: {a: f, b: f}", "\"d/f\" is used 2 times"),
        ("kv: {mount: m, path: p}, files: [{objectName: d/a}, {directory: d, keys: [a]}]", "\"d/a\""),
        (
            "kv: {mount: m, path: p}, files: [{objectName: d/a/b}, {directory: d, keys: [a]}]",
            "\"d/a\" and \"d/a/b\"",
        ),
        ("objectName: f, kv: {mount: m, path: p}, encoding: base64", "encoding"),
        ("objectName: f, kv: {mount: m, path: p}, format: json, encoding: hex", "encoding"),
        ("objectName: f, request: {path: p}, encoding: hex", "encoding"),
        ("objectName: f, template: x, sources: {s: {kv: {mount: m, path: p}, encoding: hex}}", "encoding"),
        (
            "objectName: f, transit: {key: k, ciphertext: c, from: {kv: {mount: m, path: p}, secretKey: s}}",
            "from",
        ),
        ("objectName: f, transit: {key: k, from: {kv: {mount: m, path: p}}}", "from"),
        ("objectName: f, transit: {key: k, ciphertext: c}, secretKey: x", "secretKey"),
        ("objectName: f, transit: {key: k, ciphertext: c, context: plain text}", "context"),
        (
            "objectName: f, pki: {mount: m, role: r, commonName: c, uriSans: ['spiffe://é'], privateKey: node}, part: certificate",
            "uriSans",
        ),
        (
            "objectName: f, pki: {mount: m, ca: true}, part: truststore, alias: '', password: {kv: {mount: m, path: p}, secretKey: s}",
            "alias",
        ),
        ("objectName: f, s5: {}", "content"),
        (
            "objectName: f, kvv: {mount: m, path: p}, secretKey: k",
            "field \"kvv\" is unknown: did you mean kv?",
        ),
        ("objectName: f, transitt: {key: k, ciphertext: c}", "did you mean transit?"),
        ("objectName: f, template: x", "template has an effect only with sources"),
        ("objectName: f, content: text, kv: {mount: m, path: p}", "content"),
        ("objectName: f, kv: {mount: m, path: p}, optional: true, default: x", "default"),
        ("objectName: f, kv: {mount: m, path: p, engineVersion: 3}", "engineVersion"),
        ("objectName: f, kv: {mount: m, path: p, engineVersion: 1, version: 2}", "version"),
        ("objectName: f, kv: {mount: m, path: p, version: -2}", "version"),
        ("objectName: f, kv: {mount: m, path: ../../sys/seal}", "path"),
        ("objectName: f, kv: {mount: '', path: p}", "mount"),
        ("objectName: f, kv: {mount: m, path: p}, pointer: no-slash", "pointer"),
        ("objectName: f, kv: {mount: m, path: p}, pointer: /a~2b", "pointer"),
        ("objectName: f, request: {path: p, args: text}", "args"),
        ("kv: {mount: m, path: p}, files: []", "files"),
        ("kv: {mount: m, path: p}, objectName: f, files: [{objectName: g}]", "files"),
        ("kv: {mount: m, path: p}, encoding: base64, files: [{objectName: g, secretKey: k}]", "files"),
        ("kv: {mount: m, path: p}, filePermission: 0400, files: [{objectName: g, secretKey: k}]", "files"),
        ("kv: {mount: m, path: p}, files: [{objectName: g}, {objectName: g, secretKey: k}]", "\"g\""),
        ("kv: {mount: m, path: p}, files: [{objectName: g, kv: {mount: m, path: q}}]", "kv"),
    ] {
        let refusal = provider.refuses("team-a/web", typed(&format!("- {{{fields}}}"))).await;
        assert!(
            refusal.text.starts_with("spec.invalid: ") && refusal.text.contains(named),
            "{fields}\n{}",
            refusal.text
        );
    }
    assert_eq!(vault.calls(), [""; 0]);
}

#[tokio::test]
async fn a_mistake_shows_nothing_of_a_text_or_a_body() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let canary = canary("typed");
    for fields in [
        format!("objectName: f, s5: {{ky: x}}, content: {canary}"),
        format!("objectName: f, kv: {{mount: m, path: p}}, default: [{canary}]"),
        format!("objectName: f, request: {{path: p, args: [{canary}]}}"),
        format!("objectName: f, secretPath: p, secretArgs: {{password: {canary}}}, formt: json"),
        format!("objectName: f, transit: {{key: k, ciphertext: {{a: {canary}}}}}"),
    ] {
        // When the provider ends, this text too is searched for the canary.
        provider.refuses("team-a/web", typed(&format!("- {{{fields}}}"))).await;
    }
    // A warning, not an error: the upstream providers ignore unknown fields.
    vault.put("team-a/db", json!({ "password": "x" })).await;
    let class = typed(&format!(
        "- {{objectName: f, secretPath: secret/data/team-a/db, secretKey: password, formt: {canary}}}"
    ));
    provider.mount("team-a/web", class).await;
}

#[tokio::test]
async fn three_hundred_values_of_the_upstream_form_and_a_stray_field_are_mounted_and_an_empty_class_too() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": "x" })).await;
    let one = "secretPath: secret/data/team-a/db, secretKey: password";
    let objects: String = (0..300).map(|at| format!("- {{objectName: f{at}, {one}}}\n")).collect();
    assert_eq!(provider.mount("team-a/web", typed(&objects)).await.names().len(), 300);
    let stray =
        provider.mount("team-a/web", typed(&format!("- {{objectName: f, {one}, content: text}}"))).await;
    assert_eq!(stray.names(), ["f"]);
    let quiet = provider.call("team-a/web", typed("[]")).mount().await;
    assert!(quiet.names().iter().all(|name| name.starts_with('.')), "{:?}", quiet.names());
    let decimal = format!("- {{objectName: f, {one}, owner: 1000, filePermission: 440}}");
    provider.refuses("team-a/web", typed(&decimal)).await.tells("spec.invalid", &["0670", "0440"]);
}

#[tokio::test]
async fn a_wrong_word_of_a_template_is_named_before_vault_is_called() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let source = json!({ "db": { "kv": { "mount": "secret", "path": "team-a/db" } } });
    let template =
        |name: &str, text: &str| object(json!({ "objectName": name, "template": text, "sources": source }));
    let class = template("one", "x = {{ db.password | toJSON }}")
        .and(template("two", "\n{{ dbb.password }}"))
        .and(template("three", "{{ .db.username }}"));
    let refusal = provider.refuses("team-a/web", class).await;
    for words in [
        ["\"one\"", "column 22", "toJSON"],
        ["\"two\"", "line 2, column 4", "dbb"],
        ["\"three\"", ".db.username", "Go"],
    ] {
        refusal.tells("render.failed", &words);
    }
    assert_eq!(vault.calls(), [""; 0]);
}

#[tokio::test]
async fn a_missing_key_of_a_template_is_named_and_an_optional_source_may_be_missing() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("key") })).await;
    let db = json!({ "kv": { "mount": "secret", "path": "team-a/db" } });
    let text = "{{ db.passwrod }}";
    let wrong = object(json!({ "objectName": "f", "template": text, "sources": { "db": db } }));
    provider
        .refuses("team-a/web", wrong)
        .await
        .tells("render.failed", &["db.passwrod", "did you mean password?"]);
    let gone = json!({ "kv": { "mount": "secret", "path": "team-a/gone" }, "optional": true });
    let flag =
        json!({ "kv": { "mount": "secret", "path": "team-a/db" }, "secretKey": "flag", "default": "off" });
    let text =
        "{{ gone.level | default('info') }} {{ flag }} {{ pod.namespace }} {{ db.password | md5 | length }}";
    let sources = json!({ "db": db, "gone": gone, "flag": flag });
    let class = object(json!({ "objectName": "f", "template": text, "sources": sources }));
    assert_eq!(provider.mount("team-a/web", class).await.read("f"), "info off team-a 32");
    let key = provider.refuses("team-a/web", kv("f", "team-a/db", "PASSWORD")).await;
    key.tells("vault.not_found", &["\"PASSWORD\"", "did you mean \"password\"?", "Case matters"]);
}
