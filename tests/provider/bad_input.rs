//! Bad input: a clear error that names the field, no call to the server, and a process that keeps running.

use crate::support::driver::Call;
use crate::support::token::Account;
use crate::support::*;

/// The mistake, the mount, the reason, and the words that the text must name.
type Row<'p> = (&'static str, Call<'p>, &'static str, &'static [&'static str]);

const SPEC: &str = "spec.invalid";
const TOKENS: &str = "csi.storage.k8s.io/serviceAccount.tokens";

/// Makes every mount of `rows`, and a valid one at the end.
async fn refused_without_a_call(vault: &Vault, provider: &Provider, rows: Vec<Row<'_>>) {
    for (what, call, reason, parts) in rows {
        let refusal = call.clone().fails().await;
        assert!(refusal.text.chars().all(|letter| !letter.is_control()), "{what}: {:?}", refusal.text);
        refusal.tells(reason, parts);
        assert_eq!(call.fails().await, refusal, "{what}: a new text is a new event");
    }
    assert_eq!(vault.calls(), [""; 0]);
    vault.put("team-a/db", json!({ "password": canary("lives") })).await;
    provider.mount("team-a/web", kv("db", "team-a/db", "password")).await;
}

fn db() -> Class {
    kv("db", "team-a/db", "password")
}

#[tokio::test]
async fn a_malformed_request_is_refused() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let call = || provider.call("team-a/web", db());
    let attributes = |text: String| call().request(|request| request.attributes = text);
    let gone = |key: &str| call().attribute(&format!("csi.storage.k8s.io/{key}"), None);
    let rows: Vec<Row<'_>> = vec![
        ("no JSON", attributes(format!("{{\"{TOKENS}\": \"{}\"", canary("cut"))), SPEC, &["attributes"]),
        ("a list", attributes(json!([canary("list")]).to_string()), SPEC, &["attributes"]),
        (
            "a number",
            attributes(json!({ "roleName": 7, "objects": canary("number") }).to_string()),
            SPEC,
            &["attributes"],
        ),
        ("nothing", attributes(" ".into()), SPEC, &["attributes"]),
        ("deep", attributes("[".repeat(100_000)), SPEC, &["attributes"]),
        ("large", call().attribute("vaultNamespace", Some(&"n".repeat(600 * 1024))), SPEC, &[]),
        (
            "a large parameter",
            call().attribute("vaultNamespace", Some(&"n".repeat(70 * 1024))),
            SPEC,
            &["vaultNamespace"],
        ),
        ("no target", call().request(|request| request.target_path.clear()), SPEC, &["target_path"]),
        (
            "permission",
            call().request(|request| request.permission = "rw-r--r--".into()),
            SPEC,
            &["permission"],
        ),
        ("no namespace", gone("pod.namespace"), SPEC, &["pod.namespace"]),
        ("no account", gone("serviceAccount.name"), SPEC, &["serviceAccount.name"]),
    ];
    refused_without_a_call(&vault, &provider, rows).await;
}

#[tokio::test]
async fn an_invalid_class_is_refused() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let call = |class: Class| provider.call("team-a/web", class);
    let typed = |objects: &str| call(db().with("objects", objects));
    let bomb: String = (1..30).map(|level| format!("- &a{level} [*a{0}, *a{0}]\n", level - 1)).collect();
    let many: String = (0..1100)
        .map(|number| format!("- {{objectName: f{number}, secretPath: secret/data/team-a/db}}\n"))
        .collect();
    let credentials = format!("http://user:{}@127.0.0.1:8200", canary("credentials"));
    let rows: Vec<Row<'_>> = vec![
        ("no role", call(db().without("roleName")), SPEC, &["roleName"]),
        ("no objects", call(db().without("objects")), SPEC, &["objects"]),
        ("no list", typed("objectName: db"), SPEC, &["objects"]),
        ("bad YAML", typed("- objectName: [db\n  secretPath: x\n"), SPEC, &["objects", "line"]),
        ("a tab", typed("- objectName: db\n\tsecretPath: x\n"), SPEC, &["objects", "line 2"]),
        (
            "a field twice",
            typed("- {objectName: db, objectName: db2, secretPath: x}"),
            SPEC,
            &["line 1", "twice"],
        ),
        ("aliases without end", typed(&format!("- &a0 [x]\n{bomb}")), SPEC, &["objects"]),
        ("too many objects", typed(&many), SPEC, &["1024"]),
        ("depth", typed(&"[".repeat(60_000)), SPEC, &["objects"]),
        (
            "both mounts",
            call(db().with("vaultAuthMountPath", "a").with("baoKubernetesMountPath", "")),
            SPEC,
            &["AuthMountPath", "KubernetesMountPath"],
        ),
        (
            "half a pair",
            call(db().with("vaultTLSClientCertPath", "/tls.crt")),
            SPEC,
            &["vaultTLSClientKeyPath"],
        ),
        (
            "the other half",
            call(db().with("vaultTLSClientKeyPath", "/tls.key")),
            SPEC,
            &["vaultTLSClientCertPath"],
        ),
        ("no bool", call(db().with("vaultSkipTLSVerify", "maybe")), SPEC, &["vaultSkipTLSVerify"]),
        ("no address", call(db().with("vaultAddress", "vault:8200:x")), SPEC, &["vaultAddress"]),
        (
            "no scheme of ours",
            call(db().with("vaultAddress", "ftp://vault")),
            SPEC,
            &["vaultAddress", "https"],
        ),
        ("credentials", call(db().with("vaultAddress", credentials)), SPEC, &["vaultAddress"]),
        ("a query", call(db().with("vaultAddress", "https://vault?x=y")), SPEC, &["vaultAddress"]),
    ];
    refused_without_a_call(&vault, &provider, rows).await;
}

#[tokio::test]
async fn an_invalid_object_is_refused() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let call = |class: Class| provider.call("team-a/web", class);
    let each = |field: &str, value: serde_json::Value| call(db().each(field, value));
    let rows: Vec<Row<'_>> = vec![
        ("encoding", each("encoding", json!("rot13")), SPEC, &["\"db\"", "encoding", "base64"]),
        ("no name", each("objectName", json!("")), SPEC, &["objectName"]),
        ("no path", each("secretPath", json!("")), SPEC, &["\"db\"", "secretPath"]),
        (
            "dots in the path",
            each("secretPath", json!("secret/data/../../sys/seal")),
            SPEC,
            &["\"db\"", "secretPath"],
        ),
        ("mode as text", each("filePermission", json!("0600")), SPEC, &["\"db\", line 1", "filePermission"]),
        ("mode below zero", each("filePermission", json!(-1)), SPEC, &["\"db\", line 1", "filePermission"]),
        ("arguments as text", each("secretArgs", json!(canary("arguments"))), SPEC, &["secretArgs"]),
        ("method", each("method", json!("GET /")), SPEC, &["\"db\"", "method"]),
        ("twice", call(db().and(db())), SPEC, &["\"db\""]),
        (
            "twice, composed and not",
            call(kv("caf\u{e9}", "team-a/db", "a").and(kv("cafe\u{301}", "team-a/db", "a"))),
            SPEC,
            &["caf"],
        ),
        (
            "file and directory",
            call(db().and(kv("db/user", "team-a/db", "user"))),
            SPEC,
            &["\"db\"", "\"db/user\""],
        ),
    ];
    refused_without_a_call(&vault, &provider, rows).await;
}

#[tokio::test]
async fn all_mistakes_of_a_class_are_reported_at_once() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let class = db()
        .each("encoding", "rot13")
        .and(kv("../up", "team-a/db", "password"))
        .with("vaultSkipTLSVerify", "maybe")
        .without("roleName");
    let refusal = provider.refuses("team-a/web", class).await;
    refusal.tells(SPEC, &["roleName", "vaultSkipTLSVerify", "rot13", "../up"]);
    assert_eq!(refusal.code, Code::InvalidArgument);
}

#[tokio::test]
async fn an_unsafe_file_name_is_refused() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let (long, longer) = ("n".repeat(256), format!("{}n", "n/".repeat(2048)));
    let mut names = vec![
        "..",
        "/",
        "/etc/passwd",
        ".",
        "./a",
        "a/.",
        "a//b",
        "a/",
        "a/b/",
        "../a",
        "a/../b",
        "a/..",
        "..data",
        "..data/a",
        "..2026_01_01",
    ];
    names.extend([
        "..x",
        "nul\0",
        "new\nline",
        "return\r",
        "esc\u{1b}[31m",
        "del\u{7f}",
        "c1\u{85}",
        "rtl\u{202e}fdp",
        "mark\u{200f}",
        "\u{2066}iso",
        "sep\u{2028}",
    ]);
    names.extend([long.as_str(), longer.as_str()]);
    let rows: Vec<Row<'_>> = names
        .iter()
        .map(|name| {
            ("a name", provider.call("team-a/web", kv(name, "team-a/db", "password")), SPEC, &["object"][..])
        })
        .collect();
    refused_without_a_call(&vault, &provider, rows).await;
}

#[tokio::test]
async fn a_token_that_is_not_the_pods_is_refused() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let call = || provider.call("team-a/web", db());
    let foreign = |namespace: &str, name: &str, pod: Option<(&str, &str)>| {
        let pod = pod.map(|(name, uid)| (name.into(), uid.into()));
        let account = Account { namespace: namespace.into(), name: name.into(), pod };
        call().token(vault.issuer.sign(&account.claims("vault", 3600)))
    };
    let other_pod = Some(("web-0", "00000000-0000-4000-8000-000000000000"));
    let rows: Vec<Row<'_>> = vec![
        ("another account", foreign("team-a", "other", None), "token.mismatch", &["team-a/web"]),
        ("another namespace", foreign("team-b", "web", None), "token.mismatch", &["team-a/web"]),
        ("another pod", foreign("team-a", "web", other_pod), "token.mismatch", &["pod"]),
        ("no JWT", call().token(canary("no-jwt")), "token.mismatch", &[]),
        ("no JSON in it", call().token(format!("a.{}.c", canary("claims"))), "token.mismatch", &[]),
        ("ended", call().token_life(-30), "token.expired", &["requiresRepublish"]),
        ("none", call().audiences(&[]), "token.missing", &["team-a/web", "tokenRequests"]),
        (
            "for others only",
            call().audiences(&["sts.amazonaws.com", "conjur"]),
            "token.missing",
            &["\"vault\""],
        ),
        (
            "tokens that are no JSON",
            call().attribute(TOKENS, Some(&format!("{{{}", canary("tokens")))),
            "token.mismatch",
            &["serviceAccount.tokens"],
        ),
    ];
    refused_without_a_call(&vault, &provider, rows).await;
}
