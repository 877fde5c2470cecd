//! Responses of an ingress, a mesh or a gateway before the server. They contain no information about a secret or a login.

use std::time::Duration;

use crate::support::faulty::{Faulty, Reply};
use crate::support::*;

const LOGIN: &str = "auth/kubernetes/login";
const DB: &str = "secret/data/team-a/db";

/// A real server with a secret behind a proxy, and a provider that knows only the proxy's address.
async fn behind_a_proxy() -> (Vault, Faulty, Provider) {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("real") })).await;
    vault.put("team-a/there", json!({ "password": canary("there") })).await;
    let proxy = Faulty::before(vault.address()).await;
    let provider =
        Provider::without_server(&vault).flag(format!("--vault-addr={}", proxy.address())).start().await;
    (vault, proxy, provider)
}

/// A class with a required file, and one of `team-a/db` with `fields`.
fn class(fields: &str) -> Class {
    let there = "- {objectName: there, kv: {mount: secret, path: team-a/there}, secretKey: password}";
    typed(&format!(
        "{there}\n- {{objectName: db, kv: {{mount: secret, path: team-a/db}}, secretKey: password, {fields}}}"
    ))
}

/// Bodies that neither Vault nor OpenBao sends with an error.
fn foreign_bodies() -> Vec<(&'static str, String)> {
    vec![
        ("the text of an ingress", "default backend - 404".into()),
        ("nothing", String::new()),
        ("a page", "<html><body><h1>404 Not Found</h1></body></html>".into()),
        ("the text of a mesh", "RBAC: access denied".into()),
        (
            "JSON of a gateway",
            json!({ "message": "no Route matched with those values", "request_id": "a1b2" }).to_string(),
        ),
        (
            "errors that are objects",
            json!({ "errors": [{ "status": "404", "title": "Not Found" }] }).to_string(),
        ),
        ("errors that are one text", json!({ "errors": "not found" }).to_string()),
        (
            "errors of another API",
            json!({ "errors": ["not found"], "status": 404, "path": "/v1" }).to_string(),
        ),
        ("errors and text behind them", "{\"errors\": []}<!-- served by edge-7 -->".into()),
        ("a list", "[]".into()),
        ("half of an error", "{\"errors\": [".into()),
        ("an object without members", "{}".into()),
        ("one text", "\"not found\"".into()),
    ]
}

#[tokio::test]
async fn a_running_pod_keeps_an_optional_file_when_something_else_than_vault_answers() {
    let (_vault, proxy, provider) = behind_a_proxy().await;
    let (optional, default) = (class("optional: true"), class("default: 'none: yet'"));
    let pods = [
        provider.mount("team-a/web", optional.clone()).await,
        provider.mount("team-a/web", default.clone()).await,
    ];
    for status in [404, 403, 400, 401, 405, 410, 421] {
        for (what, body) in foreign_bodies() {
            proxy.on(DB, [Reply::raw(status, body)]);
            for pod in &pods {
                let again = pod.remount().await;
                assert_eq!(again.read("db"), canary("real"), "{status} with {what}");
                assert_eq!(again.versions(), pod.versions(), "{status} with {what}");
            }
        }
    }
    for class in [optional, default] {
        let refusal = provider.refuses("team-a/web", class).await;
        refusal.tells("vault.malformed", &["object \"db\"", DB, "421"]);
    }
}

#[tokio::test]
async fn a_pod_does_not_start_on_a_404_of_something_else_than_vault() {
    let (_vault, proxy, provider) = behind_a_proxy().await;
    for (status, (what, body)) in [404, 403, 400, 401, 405].into_iter().cycle().zip(foreign_bodies()) {
        proxy.on(DB, [Reply::raw(status, body)]);
        for fields in ["optional: true", "default: x"] {
            let refusal = provider.refuses("team-a/web", class(fields)).await;
            assert!(refusal.text.starts_with("vault.malformed"), "{status} with {what}: {refusal:?}");
        }
    }
    proxy.forget(DB);
    assert_eq!(provider.mount("team-a/web", class("optional: true")).await.read("db"), canary("real"));
}

#[tokio::test]
async fn a_success_of_something_else_than_vault_removes_nothing_and_writes_nothing() {
    let (_vault, proxy, provider) = behind_a_proxy().await;
    let path = "- {objectName: db, secretPath: secret/data/team-a/db, secretKey: password, optional: true}";
    let whole = "- {objectName: db, secretPath: secret/data/team-a/db}";
    let classes = [class("optional: true"), class("default: x"), typed(path), typed(whole)];
    let mut pods = Vec::new();
    for class in classes {
        pods.push(provider.mount("team-a/web", class).await);
    }
    for (what, body) in [
        ("a page", "<html>Please log in</html>".to_owned()),
        ("text", "ok".into()),
        ("nothing", String::new()),
        ("an object without members", "{}".into()),
        ("a gateway's object", json!({ "message": "ok", "request_id": "a1b2" }).to_string()),
        ("a gateway's data", json!({ "data": {}, "status": "ok" }).to_string()),
        ("data of text", json!({ "data": "secret" }).to_string()),
        ("null", "null".into()),
        ("a list", json!([{ "password": "x" }]).to_string()),
        ("an error with 200", json!({ "errors": ["backend is gone"] }).to_string()),
    ] {
        proxy.on(DB, [Reply::raw(200, body)]);
        for pod in &pods {
            assert_eq!(pod.remount().await.versions(), pod.versions(), "200 with {what}");
        }
    }
}

#[tokio::test]
async fn a_login_is_denied_by_vault_alone() {
    let (_vault, proxy, provider) = behind_a_proxy().await;
    for status in [404, 403, 400, 401, 405] {
        for (what, body) in foreign_bodies() {
            proxy.on(LOGIN, [Reply::raw(status, body)]);
            let refusal = provider.refuses("team-a/web", class("optional: true")).await;
            let passing = ["vault.malformed", "vault.login_unclear"]
                .iter()
                .any(|reason| refusal.text.starts_with(reason));
            assert!(passing, "{status} with {what}: {refusal:?}");
        }
    }
    proxy.on(LOGIN, [Reply::raw(200, "<html>Please log in</html>")]);
    provider
        .refuses("team-a/web", class("optional: true"))
        .await
        .tells("vault.malformed", &["auth mount \"kubernetes\""]);
    proxy.forget(LOGIN);
    assert_eq!(provider.mount("team-a/web", class("optional: true")).await.read("db"), canary("real"));
}

#[tokio::test]
async fn a_mount_that_is_being_moved_and_a_deleted_namespace_remove_no_file() {
    let (vault, _proxy, provider) = behind_a_proxy().await;
    let pods = [
        provider.mount("team-a/web", class("optional: true")).await,
        provider.mount("team-a/web", class("default: x")).await,
    ];
    vault.write("sys/remount", json!({ "from": "secret", "to": "moved" })).await;
    until("the mount to be moved", async || {
        let (status, _) = vault.try_call(reqwest::Method::GET, "", "moved/data/team-a/db", &json!({})).await;
        status.is_success().then_some(())
    })
    .await;
    for pod in &pods {
        assert_eq!(pod.remount().await.versions(), pod.versions());
    }
    provider
        .refuses("team-a/web", class("optional: true"))
        .await
        .tells("vault.no_mount", &["object \"db\"", DB]);
    let gone = provider.refuses("team-a/web", class("default: x").with("vaultNamespace", "never")).await;
    assert!(
        ["vault.no_mount", "vault.login_unclear"].iter().any(|reason| gone.text.starts_with(reason)),
        "{gone:?}"
    );
}

/// Every form of a real server's "not found".
#[tokio::test]
async fn a_not_found_of_vault_itself_counts_as_not_found() {
    let (vault, _proxy, provider) = behind_a_proxy().await;
    vault.allow("secret/metadata/team-a/*", &["list"]).await;
    vault.put("team-a/gone", json!({ "password": "x" })).await;
    vault.call(reqwest::Method::DELETE, "", "secret/data/team-a/gone", &json!({})).await;
    vault.put("team-a/destroyed", json!({ "password": "x" })).await;
    vault.write("secret/destroy/team-a/destroyed", json!({ "versions": [1] })).await;
    for fields in [
        "kv: {mount: secret, path: team-a/never}, secretKey: password",
        "kv: {mount: secret, path: team-a/gone}, secretKey: password",
        "kv: {mount: secret, path: team-a/destroyed}, secretKey: password",
        "kv: {mount: secret, path: team-a/there, version: 99}, secretKey: password",
        "request: {path: secret/data/team-a/never}, format: json",
        "request: {method: LIST, path: secret/metadata/team-a/nothing}, format: json",
    ] {
        let there = "- {objectName: there, kv: {mount: secret, path: team-a/there}, secretKey: password}";
        let class = typed(&format!("{there}\n- {{objectName: db, optional: true, {fields}}}"));
        let pod = provider.mount("team-a/web", class).await;
        assert_eq!(pod.names(), ["there"], "{fields}");
    }
}

#[tokio::test]
async fn a_passing_400_of_the_engine_is_retried_and_removes_no_content() {
    let (_vault, proxy, provider) = behind_a_proxy().await;
    let pod = provider.mount("team-a/web", class("optional: true")).await;
    let upgrade = "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly.";
    let waiting = "Waiting for the primary to upgrade from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service when the primary is finished.";
    for (status, text) in [
        (400, upgrade),
        (400, waiting),
        (400, "Can not list issuers until migration has completed"),
        (403, "API access to this namespace has been locked by an administrator"),
        (412, "required index state not present"),
    ] {
        proxy.on(DB, [Reply::error(status, text)]);
        assert_eq!(pod.remount().await.versions(), pod.versions(), "{text}");
        proxy.on(
            DB,
            [
                Reply::error(status, text),
                Reply::error(status, &format!("1 error occurred:\n\t* {text}\n\n")),
                good(),
            ],
        );
        assert_eq!(
            provider.mount("team-a/web", class("optional: true")).await.read("db"),
            canary("good"),
            "{text}"
        );
    }
}

/// The engine that upgrades its data may be followed by an outage: the content stays for all of it.
#[tokio::test]
async fn a_running_pod_keeps_its_content_while_the_engine_upgrades_and_in_the_outage_after_it() {
    let (_vault, proxy, provider) = behind_a_proxy().await;
    let pods = [
        provider.mount("team-a/web", class("optional: true")).await,
        provider.mount("team-a/web", class("default: 'none: yet'")).await,
    ];
    let upgrade = "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly.";
    for (status, text) in [
        (400, upgrade),
        (503, "Vault is sealed"),
        (400, upgrade),
        (500, "internal error"),
        (502, "bad gateway"),
    ] {
        proxy.on(DB, (0..100).map(|_| Reply::error(status, text)).collect::<Vec<_>>());
        for pod in &pods {
            for _ in 0..2 {
                assert_eq!(pod.remount().await.versions(), pod.versions(), "{status} {text}");
            }
        }
    }
}

/// A mount that was replaced by one of the other version of the engine answers each path with an empty list of errors.
#[tokio::test]
async fn an_optional_file_stays_when_the_mount_has_become_another_version_of_the_engine() {
    let vault = Vault::start().await;
    vault.put("team-a/there", json!({ "password": canary("there") })).await;
    vault.enable("moved", "kv", json!({ "version": "2" })).await;
    vault.allow("moved/*", &["read"]).await;
    vault.write("moved/data/db", json!({ "data": { "password": canary("moved") } })).await;
    let provider = Provider::start(&vault).await;
    let class = typed(
        "
- {objectName: there, kv: {mount: secret, path: team-a/there}, secretKey: password}
- {objectName: db, kv: {mount: moved, path: db}, secretKey: password, optional: true}",
    );
    let class = class.with("refresh", "0s");
    let pod = provider.mount("team-a/web", class.clone()).await;
    vault.call(reqwest::Method::DELETE, "", "sys/mounts/moved", &json!({})).await;
    vault.enable("moved", "kv", json!({ "version": "1" })).await;
    let again = pod.remount().await;
    assert_eq!((again.read("db"), again.versions()), (canary("moved"), pod.versions()));
    provider
        .refuses("team-a/web", class)
        .await
        .tells("vault.no_mount", &["object \"db\"", "engineVersion: 1"]);
}

fn good() -> Reply {
    Reply::json(
        &json!({ "request_id": "r", "lease_id": "", "data": { "data": { "password": canary("good") }, "metadata": {} } }),
    )
}

/// Whatever a database's error text is: a call that creates is made once, and the server does not count as sealed.
#[tokio::test]
async fn the_words_of_a_database_do_not_seal_the_server() {
    let server = Faulty::start().await;
    let provider = Provider::facing(&server.address()).start().await;
    let path = "database/creds/app";
    let class = typed("- {objectName: user, request: {path: database/creds/app}, format: json}");
    let said = [
        "1 error occurred:\n\t* ERROR: the database system is in standby mode (SQLSTATE 25006)\n\n",
        "cannot execute CREATE ROLE: the server is sealed",
        "local node not active in the replica set",
        "cluster is not initialized",
        "error creating user: Vault is sealed",
    ];
    for (at, text) in said.into_iter().enumerate() {
        server.on(path, [Reply::error(500, text)]);
        provider.refuses("team-a/web", class.clone()).await.tells("vault.error", &["object \"user\""]);
        assert_eq!(server.calls(path).len(), at + 1, "{text}");
    }
    server.on(path, [Reply::error(400, "Vault is sealed")]);
    provider.refuses("team-a/web", class.clone()).await.tells("vault.rejected", &[]);
}

#[tokio::test]
async fn a_retry_after_of_any_size_ends_with_the_time_of_the_mount() {
    let server = Faulty::start().await;
    let provider = Provider::facing(&server.address()).start().await;
    let endless = [
        "18446744073709551615",
        "9223372036854775807",
        "99999999999999999999",
        "-1",
        "1e400",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ];
    for path in [LOGIN, DB] {
        for after in endless {
            let token = Reply::json(&json!({ "auth": { "client_token": "faulty-token", "accessor": "a" } }));
            server.on(LOGIN, [token.clone()]);
            let end = if path == LOGIN { token } else { good() };
            server.on(DB, [good()]);
            server.on(path, [Reply::error(429, "busy").header("Retry-After", after), end]);
            let answer = provider
                .call("team-a/web", kv("db", "team-a/db", "password").with("login", "transient"))
                .send()
                .await;
            if let Err(refusal) = answer {
                assert!(refusal.text.starts_with("vault.busy"), "{path}, {after}: {refusal:?}");
            }
        }
    }
}

#[tokio::test]
async fn tokens_are_revoked_after_one_whose_revocation_was_delayed_for_ever() {
    let server = Faulty::start().await;
    let provider = Provider::facing(&server.address()).start().await;
    let revoke = "auth/token/revoke-self";
    server.on(DB, [good()]);
    let class = || kv("db", "team-a/db", "password").with("login", "transient");
    let limited = |after: &str| Reply::error(429, "busy").header("Retry-After", after);
    server.on(revoke, [limited("18446744073709551615"), limited("9223372036854775807"), Reply::raw(204, "")]);
    for _ in 0..7 {
        provider.mount("team-a/web", class()).await;
    }
    // Two that were delayed, and then every one of the seven.
    until("all tokens to be revoked", async || (server.calls(revoke).len() >= 9).then_some(())).await;
    assert!(!provider.log().contains("panicked"), "{}", provider.log());
}

#[tokio::test]
async fn an_error_of_eight_megabytes_takes_no_memory() {
    let server = Faulty::start().await;
    let provider = Provider::facing(&server.address()).start().await;
    let long = |piece: &str| piece.repeat(8 * 1024 * 1024 / piece.len() - 8);
    let bodies = [
        format!("{{\"errors\": [{}\"\"]}}", long("\"\",")),
        format!("{{\"errors\": [\"x\"], \"data\": [{}0]}}", long("0,")),
        format!("{{\"errors\": [\"x\"], \"data\": [{}{{}}]}}", long("{\"a\":0},")),
        format!("{{\"errors\": [\"{}\"]}}", long("x")),
        long("["),
    ];
    for path in [DB, LOGIN] {
        for (status, body) in [403, 400, 404, 500, 503].into_iter().zip(&bodies) {
            server.on(DB, [good()]);
            server.on(path, [Reply::raw(status, body.clone())]);
            let call =
                provider.call("team-a/web", kv("db", "team-a/db", "password").with("login", "transient"));
            call.fails().await;
            server.on(
                LOGIN,
                [Reply::json(&json!({ "auth": { "client_token": "faulty-token", "accessor": "a" } }))],
            );
        }
    }
    let peak = provider.peak_memory();
    assert!(peak < 96 * 1024, "{peak} KiB");
    assert!(provider.processor_time() < Duration::from_secs(10), "{:?}", provider.processor_time());
}
