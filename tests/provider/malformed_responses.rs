//! Responses that a server should never send: each is an error, never a crash, and its text shows no value.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use crate::support::faulty::{Faulty, Reply};
use crate::support::unexpected_server::UnexpectedServer;
use crate::support::*;

const LOGIN: &str = "auth/kubernetes/login";
const DB: &str = "secret/data/team-a/db";
const ISSUE: &str = "pki/issue/web";

fn db() -> Class {
    kv("db", "team-a/db", "password")
}

fn good() -> Reply {
    Reply::json(
        &json!({ "request_id": "r", "lease_id": "", "data": { "data": { "password": canary("good") } } }),
    )
}

fn token() -> Reply {
    Reply::json(&json!({ "auth": { "client_token": canary("server-token"), "accessor": "a" } }))
}

/// The same malformed responses at login and at a read, each followed by a successful mount.
#[tokio::test]
async fn a_response_that_breaks_the_api_is_reported_and_the_process_lives() {
    let server = Faulty::start().await;
    let provider = Provider::facing(&server.address()).start().await;
    let html = format!("<html>{}</html>", canary("html"));
    let (number, deep) = (
        json!({ "auth": { "client_token": 7 }, "data": canary("text") }),
        format!("{{\"data\":{}", "[".repeat(100_000)),
    );
    let odd = || {
        [
            ("204", Reply::raw(204, "")),
            ("nothing", Reply::raw(200, "")),
            ("HTML", Reply::raw(200, html.clone())),
            ("null", Reply::raw(200, "null")),
            ("a list", Reply::json(&json!([canary("list")]))),
            ("nothing in it", Reply::json(&json!({}))),
            ("nulls", Reply::json(&json!({ "auth": null, "data": null }))),
            ("other types", Reply::json(&number)),
            ("half of it", Reply::raw(200, format!("{{\"data\":{{\"password\":\"{}", canary("half")))),
            ("depth", Reply::raw(200, deep.clone())),
            (
                "no UTF-8",
                Reply::raw(
                    200,
                    b"{\"data\":{\"data\":{\"password\":\"\xff\xfe\"}},\"auth\":{\"client_token\":\"\xff\"}}"
                        .to_vec(),
                ),
            ),
        ]
    };
    for (path, parts) in
        [(LOGIN, &["auth mount \"kubernetes\"", "role \"web\""][..]), (DB, &["object \"db\"", DB])]
    {
        for (what, reply) in odd() {
            server.on(LOGIN, [token()]);
            server.on(DB, [good()]);
            server.on(path, [reply]);
            let refusal = provider.refuses("team-a/web", db()).await;
            assert!(refusal.text.starts_with("vault.malformed"), "{what} at {path}: {refusal:?}");
            refusal.tells("vault.malformed", parts).tells("vault.malformed", &[&server.address()]);
        }
        server.on(path, [if path == LOGIN { token() } else { good() }]);
        assert_eq!(provider.mount("team-a/web", db()).await.read("db"), canary("good"));
    }
}

#[tokio::test]
async fn an_endless_response_is_cut_off() {
    let server = Faulty::start().await;
    let provider = Provider::facing(&server.address()).start().await;
    for path in [DB, LOGIN] {
        server.on(DB, [good()]);
        server.on(path, [Reply::endless()]);
        let before = server.sent();
        provider.refuses("team-a/web", db()).await.tells("payload.too_large", &[]);
        assert!(server.sent() - before < 64 * 1024 * 1024, "{} bytes taken", server.sent() - before);
    }
}

#[tokio::test]
async fn a_redirect_to_another_host_carries_no_token_there() {
    let server = Faulty::start().await;
    let unexpected = UnexpectedServer::start().await;
    let provider = Provider::facing(&server.address()).start().await;
    for path in [LOGIN, DB] {
        server.on(LOGIN, [token()]);
        server.on(path, [Reply::redirect(&format!("{}/v1/{path}", unexpected.address()))]);
        let refusal = provider.refuses("team-a/web", db()).await;
        refusal.tells("vault.redirect", &[&unexpected.address(), "--allow-address"]);
    }
    assert_eq!(unexpected.connections().await, 0);
}

#[tokio::test]
async fn a_redirect_to_a_listed_server_is_followed_once() {
    let (standby, active) = (Faulty::start().await, Faulty::start().await);
    let provider = Provider::facing(&standby.address())
        .flag(format!("--allow-address={}", active.address()))
        .start()
        .await;
    active.on(LOGIN, [token()]);
    active.on(DB, [good()]);
    for path in [LOGIN, DB] {
        standby.on(path, [Reply::redirect(&format!("{}/v1/{path}", active.address()))]);
    }
    assert_eq!(provider.mount("team-a/web", db()).await.read("db"), canary("good"));
    let login = &active.calls(LOGIN)[0];
    assert!(login.method == "POST" && login.body.contains("\"role\":\"web\""), "method and body are kept");
    active.on(DB, [Reply::redirect(&format!("{}/v1/{DB}", standby.address()))]);
    provider.refuses("team-a/web", db()).await.tells("vault.redirect", &[]);
}

#[tokio::test]
async fn a_passing_fault_of_a_read_is_not_seen_by_the_pod() {
    let server = Faulty::start().await;
    let provider = Provider::facing(&server.address()).start().await;
    let faults = [
        ("429", Reply::error(429, "busy").header("Retry-After", "0")),
        ("412", Reply::error(412, "state")),
        ("500", Reply::error(500, "internal")),
        ("502", Reply::error(502, "upstream")),
        ("503", Reply::error(503, "Vault is sealed")),
        ("hang up", Reply::hang_up()),
        ("403 right after the login", Reply::error(403, "permission denied")),
    ];
    for (what, fault) in faults {
        server.on(DB, [fault, good()]);
        let answer = provider.call("team-a/web", db()).send().await;
        assert!(answer.is_ok(), "{what}: {answer:?}", answer = answer.err());
    }
}

#[tokio::test]
async fn a_call_that_creates_is_never_repeated_when_it_may_have_happened() {
    let server = Faulty::start().await;
    let provider = Provider::facing(&server.address()).start().await;
    let class = object(
        json!({ "objectName": "crt", "secretPath": ISSUE, "method": "PUT", "secretArgs": { "common_name": "a" }, "secretKey": "certificate" }),
    );
    let issued = || Reply::json(&json!({ "data": { "certificate": canary("certificate") } }));
    let unknown = [
        ("500", Reply::error(500, "internal"), "vault.error"),
        ("502", Reply::error(502, "upstream"), "vault.error"),
        ("hang up", Reply::hang_up(), "vault.unreachable"),
        ("cut", issued().cut_after(10), "vault.unreachable"),
    ];
    for (at, (what, fault, reason)) in unknown.into_iter().enumerate() {
        server.on(ISSUE, [fault, issued()]);
        provider.refuses("team-a/web", class.clone()).await.tells(reason, &["object \"crt\"", ISSUE]);
        assert_eq!(server.calls(ISSUE).len(), at + 1, "{what}");
    }
}

#[tokio::test]
async fn every_call_is_marked_as_made_by_a_vault_client() {
    let server = Faulty::start().await;
    let provider = Provider::facing(&server.address()).flag("--vault-namespace=team").start().await;
    server.on(LOGIN, [token()]);
    server.on(DB, [good()]);
    provider.mount("team-a/web", db().with("login", "transient")).await;
    let revoked = until("the revocation", async || server.calls("auth/token/revoke-self").pop()).await;
    for call in [&server.calls(LOGIN)[0], &server.calls(DB)[0], &revoked] {
        assert_eq!(
            (call.headers["x-vault-request"].as_str(), call.headers["x-vault-namespace"].as_str()),
            ("true", "team"),
            "{}",
            call.target
        );
        assert_eq!(
            call.headers.contains_key("x-vault-token"),
            !call.target.ends_with(LOGIN),
            "{}",
            call.target
        );
    }
}

/// All in parallel: each takes as long as the provider waits for a silent server.
#[tokio::test]
async fn a_server_that_stops_in_the_middle_is_reported_within_20_seconds() {
    let faults = [
        (LOGIN, Reply::silent()),
        (DB, Reply::silent()),
        (LOGIN, token().stalls_after(5)),
        (DB, good().stalls_after(5)),
    ];
    join_all(faults.map(async |(path, fault)| {
        let server = Faulty::start().await;
        let provider = Provider::facing(&server.address()).start().await;
        server.on(DB, [good()]);
        // Its probes have no response either: it is not only the engine that is slow.
        server.on("sys/health", [Reply::silent()]);
        server.on(path, [fault]);
        let begun = Instant::now();
        provider
            .refuses("team-a/web", db())
            .await
            .tells("vault.unreachable", &[path.trim_end_matches("/login"), &server.address()]);
        // 18 s on an idle machine; the deadline of the mount is 60 s.
        assert!(begun.elapsed() <= Duration::from_secs(35), "{path}: {:?}", begun.elapsed());
        // Dropped after all have ended: the end of a provider blocks this thread, and so the servers of the others.
        (server, provider)
    }))
    .await;
}
