//! Logins and calls when a server answers wrongly, slowly, endlessly or not at all.
//!
//! Time is real, because a paused clock runs ahead of sockets. Calls that are retried until their deadline have one second.

#[allow(dead_code, reason = "the tests of the binary use the rest")]
#[path = "../support/faulty.rs"]
mod faulty;
#[allow(dead_code, reason = "the tests of the binary use the rest")]
#[path = "../support/wait.rs"]
mod wait;

use std::time::{Duration, Instant};

use crate::error::Reason;
use crate::limits::Budget;
use crate::secret::Secret;
use crate::spec::{Address, AuthSpec, Body, Request, ServerSpec, TlsSpec};
use crate::vault::{Outbound, VaultError, VaultResponse, Vaults};
use serde_json::{Value, json};

use faulty::{Faulty, Reply};
use wait::until;

const LOGIN: &str = "auth/kubernetes/login";
const REVOKE: &str = "auth/token/revoke-self";
const HEALTH: &str = "sys/health";

fn at(address: &str) -> ServerSpec {
    ServerSpec {
        address: Address::Http(address.parse().unwrap()),
        configured: true,
        namespace: None,
        tls: TlsSpec::default(),
    }
}

/// The same server, but a class chose it.
fn chosen(address: &str) -> ServerSpec {
    ServerSpec { configured: false, ..at(address) }
}

fn web() -> AuthSpec {
    AuthSpec { mount: "kubernetes".into(), role: "web".into(), audience: None }
}

fn anywhere() -> Vaults {
    Vaults::new(Outbound::default())
}

fn allowing(address: &str) -> Vaults {
    Vaults::new(Outbound { allowed: vec![address.parse().unwrap()], ..Outbound::default() })
}

fn minute() -> Budget {
    Budget::lasting(Duration::from_secs(60))
}

/// For permanent faults: retries end after a second.
fn second() -> Budget {
    Budget::lasting(Duration::from_secs(1))
}

fn get(path: &str) -> Request {
    Request { method: http::Method::GET, path: path.parse().unwrap(), query: Vec::new(), body: None }
}

fn put(path: &str, body: &Value) -> Request {
    Request { method: http::Method::PUT, body: Some(Body::new(body)), ..get(path) }
}

fn secret(value: &str) -> Reply {
    Reply::json(&json!({ "request_id": "r", "lease_id": "", "data": { "value": value } }))
}

fn logged_in() -> Reply {
    Reply::json(&json!({ "auth": { "client_token": "faulty-token", "accessor": "a" } }))
}

/// Logs in, makes one call and revokes the token.
async fn call_within(
    vaults: &Vaults,
    spec: &ServerSpec,
    request: &Request,
    budget: Budget,
) -> Result<VaultResponse, VaultError> {
    let login = vaults.server(spec)?.login(&web(), &Secret::from("pod-jwt"), &budget).await?;
    let answer = login.call(request, None, &budget).await;
    // Best effort: a server that fails every call fails this one too.
    drop(login.revoke(&second()).await);
    answer
}

async fn call(server: &Faulty, request: &Request) -> Result<VaultResponse, VaultError> {
    call_within(&anywhere(), &at(&server.address()), request, minute()).await
}

async fn call_briefly(server: &Faulty, request: &Request) -> Result<VaultResponse, VaultError> {
    call_within(&anywhere(), &at(&server.address()), request, second()).await
}

async fn log_in(server: &Faulty) -> Result<(), VaultError> {
    let login =
        anywhere().server(&at(&server.address()))?.login(&web(), &Secret::from("pod-jwt"), &minute()).await?;
    drop(login.revoke(&second()).await);
    Ok(())
}

/// The reason of a failure. Checks that the text contains no secret of the server's response or of our request.
fn reason<T>(outcome: Result<T, VaultError>) -> Reason {
    let Err(error) = outcome else { panic!("it did not fail") };
    let text = format!("{error} {error:?}");
    for secret in ["canary", "pod-jwt", "faulty-token"] {
        assert!(!text.contains(secret), "{text}");
    }
    error.reason()
}

fn text(answer: &VaultResponse) -> Option<&str> {
    answer.members().get("data")?.get("value")?.as_str()
}

#[tokio::test]
async fn calls_have_the_headers_that_a_server_needs_and_no_others() {
    let server = Faulty::start().await;
    server.on("secret/data/a%20b/%C3%BC%25%3F", [secret("v")]);
    let spec = ServerSpec { namespace: Some("team/a".into()), ..at(&server.address()) };
    let request = Request { query: vec![("version".into(), "1 & 2".into())], ..get("secret/data/a b/ü%?") };
    call_within(&anywhere(), &spec, &request, minute()).await.unwrap();

    let login = &server.calls(LOGIN)[0];
    assert_eq!(
        serde_json::from_str::<Value>(&login.body).unwrap(),
        json!({ "role": "web", "jwt": "pod-jwt" })
    );
    assert_eq!((login.method.as_str(), login.headers.get("x-vault-token")), ("POST", None));
    let read = &server.calls("secret/data/a%20b/%C3%BC%25%3F")[0];
    assert_eq!(read.target, "/v1/secret/data/a%20b/%C3%BC%25%3F?version=1+%26+2");
    assert_eq!(read.headers["x-vault-token"], "faulty-token");
    for call in [login, read, &server.calls(REVOKE)[0]] {
        assert_eq!(
            (call.headers["x-vault-request"].as_str(), call.headers["x-vault-namespace"].as_str()),
            ("true", "team/a")
        );
        assert!(
            !call.headers.contains_key("accept-encoding") && !call.headers.contains_key("referer"),
            "{call:?}"
        );
    }
}

#[tokio::test]
async fn a_login_answer_without_a_token_is_an_error() {
    let server = Faulty::start().await;
    let bodies = [
        "",
        "{}",
        r#"{"auth": null}"#,
        r#"{"auth": {}}"#,
        r#"{"auth": {"client_token": ""}}"#,
        r#"{"auth": {"client_token": ["canary"]}}"#,
    ];
    for body in bodies.into_iter().chain([
        r#"{"auth": ["canary"]}"#,
        "canary",
        "<html>canary</html>",
        "[]",
        r#"{"auth": {"client_token": "can\nary"}}"#,
    ]) {
        server.on(LOGIN, [Reply::raw(200, body)]);
        server.on("secret/data/a", [secret("v")]);
        assert_eq!(reason(call(&server, &get("secret/data/a")).await), Reason::Malformed, "{body}");
    }
    server.on(LOGIN, [Reply::raw(204, "")]);
    assert_eq!(reason(log_in(&server).await), Reason::Malformed);
}

#[tokio::test]
async fn a_refused_login_is_final_only_with_the_servers_own_error_text() {
    let server = Faulty::start().await;
    let table = [
        (403, "service account name not authorized", Reason::LoginDenied),
        (403, "namespace not authorized", Reason::LoginDenied),
        (403, "namespace not authorized err=canary: dial tcp", Reason::LoginUnclear),
        (
            403,
            "invalid audience (aud) claim: audience claim does not match any expected audience",
            Reason::LoginDenied,
        ),
        (403, "invalid expiration time (exp) claim: token is expired", Reason::LoginDenied),
        (403, "1 error occurred:\n\t* permission denied\n\n", Reason::LoginUnclear),
        (403, "canary", Reason::LoginUnclear),
        (400, "invalid role name \"canary\"", Reason::LoginDenied),
        (400, "role \"canary\" could not be found", Reason::LoginDenied),
        (
            400,
            "error validating token: error verifying token signature: no known key successfully validated the token signature",
            Reason::LoginDenied,
        ),
        (
            400,
            "error validating token: error verifying token: fetching keys oidc: get keys failed: canary",
            Reason::LoginUnclear,
        ),
        (404, "no handler for route \"auth/canary/login\". route entry not found.", Reason::NoMount),
        (500, "canary", Reason::ServerError),
    ];
    for (status, text, expected) in table {
        server.on(LOGIN, [Reply::error(status, text)]);
        let before = server.calls(LOGIN).len();
        assert_eq!(reason(log_in(&server).await), expected, "{status} {text}");
        assert_eq!(server.calls(LOGIN).len(), before + 1, "{status} {text}: no second try");
    }
}

#[tokio::test]
async fn a_malformed_response_is_an_error_at_the_first_try() {
    let server = Faulty::start().await;
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let gzip = Reply::raw(200, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).header("Content-Encoding", "gzip");
    let bodies = [
        Reply::raw(204, ""),
        Reply::raw(200, ""),
        Reply::raw(200, "\"canary\""),
        Reply::raw(200, r#"{"data": "canary}"#),
        Reply::raw(200, deep),
        gzip,
    ];
    for (at, reply) in bodies.into_iter().enumerate() {
        server.on("a/b", [reply]);
        assert_eq!(reason(call(&server, &get("a/b")).await), Reason::Malformed, "body {at}");
        assert_eq!(server.calls("a/b").len(), at + 1);
    }
}

/// The response of Vault to a read of a path without a secret.
fn absent() -> Reply {
    Reply::raw(404, r#"{"errors":[]}"#)
}

#[tokio::test]
async fn a_refusal_has_the_reason_of_its_status() {
    let server = Faulty::start().await;
    let table = [
        (400, "canary", Reason::Rejected),
        (403, "permission denied", Reason::ReadDenied),
        (404, "canary", Reason::NoMount),
        (405, "unsupported operation", Reason::Rejected),
        (413, "canary", Reason::Rejected),
        (429, "canary", Reason::Busy),
        (500, "canary", Reason::ServerError),
        (500, "local node not active but active cluster node not found", Reason::Sealed),
        (502, "canary", Reason::ServerError),
        (503, "Vault is sealed", Reason::Sealed),
        (503, "canary", Reason::ServerError),
    ];
    for (status, text, expected) in table {
        server.on("a/b", [Reply::error(status, text)]);
        assert_eq!(reason(call_briefly(&server, &get("a/b")).await), expected, "{status} {text}");
    }
    server.on("a/b", [absent()]);
    assert_eq!(reason(call_briefly(&server, &get("a/b")).await), Reason::NotFound);
    // A deleted version of KV v2 has a body with data.
    server.on(
        "a/b",
        [Reply::raw(
            404,
            r#"{"data": {"data": null, "metadata": {"deletion_time": "2026-01-01T00:00:00Z"}}}"#,
        )],
    );
    assert_eq!(reason(call(&server, &get("a/b")).await), Reason::NotFound);
}

#[tokio::test]
async fn a_read_is_retried_over_passing_faults() {
    let faults: [(&str, Vec<Reply>); 6] = [
        ("errors inside", vec![Reply::error(500, "x"), Reply::error(502, "x"), secret("v")]),
        ("a node that lags behind", vec![Reply::error(412, "x"), secret("v")]),
        (
            "a token that is not known everywhere yet",
            vec![Reply::error(403, "permission denied"), secret("v")],
        ),
        ("a cut connection", vec![Reply::hang_up(), secret("v").cut_after(5), secret("v")]),
        (
            "an election",
            vec![Reply::error(503, "local node not active but active cluster node not found"), secret("v")],
        ),
        (
            "a limit",
            vec![Reply::error(429, "rate limit quota exceeded").header("Retry-After", "2"), secret("v")],
        ),
    ];
    for (fault, replies) in faults {
        let (server, tries) = (Faulty::start().await, replies.len());
        server.on("a/b", replies);
        assert_eq!(call(&server, &get("a/b")).await.as_ref().map(text), Ok(Some("v")), "{fault}");
        assert_eq!(server.calls("a/b").len(), tries, "{fault}");
    }
}

#[tokio::test]
async fn a_call_that_creates_is_repeated_only_when_the_server_did_not_run_it() {
    let table: [(&str, Reply, usize); 7] = [
        ("an error inside", Reply::error(500, "x"), 1),
        ("an upstream's error", Reply::error(502, "x"), 1),
        ("a proxy's 503", Reply::raw(503, "<html>"), 1),
        ("a cut connection", Reply::hang_up(), 1),
        ("half an answer", secret("v").cut_after(5), 1),
        ("a sealed server", Reply::error(503, "Vault is sealed"), 2),
        ("a rate limit", Reply::error(429, "rate limit quota exceeded"), 2),
    ];
    for request in [put("pki/issue/app", &json!({ "common_name": "a" })), get("database/creds/app")] {
        for (fault, first, tries) in &table {
            let server = Faulty::start().await;
            let path = request.path.as_str();
            server.on(path, [first.clone(), secret("v")]);
            let outcome = call(&server, &request).await;
            assert_eq!((server.calls(path).len(), outcome.is_ok()), (*tries, *tries == 2), "{path}: {fault}");
        }
    }
}

#[tokio::test]
async fn a_denied_call_is_repeated_once_and_not_again() {
    let server = Faulty::start().await;
    server.on("a/b", [Reply::error(403, "permission denied")]);
    assert_eq!(reason(call(&server, &get("a/b")).await), Reason::ReadDenied);
    assert_eq!(server.calls("a/b").len(), 2);
}

#[tokio::test]
async fn an_endless_response_ends_at_the_limit() {
    let server = Faulty::start().await;
    server.on("a/b", [Reply::endless()]);
    assert_eq!(reason(call(&server, &get("a/b")).await), Reason::PayloadTooLarge);
    assert_eq!(server.calls("a/b").len(), 1);
    assert!(server.sent() < 32 << 20, "{} bytes were taken", server.sent());
}

/// The failure of a call of a path with `reply`, and its duration.
async fn ends(path: &str, reply: Reply, budget: Budget) -> (Reason, Duration) {
    let (server, begun) = (Faulty::start().await, Instant::now());
    server.on(path, [reply]);
    let outcome = if path == LOGIN {
        log_in(&server).await
    } else {
        call_within(&anywhere(), &at(&server.address()), &get(path), budget).await.map(drop)
    };
    (reason(outcome), begun.elapsed())
}

/// The same for a server that does not answer its probes either.
async fn ends_while_down(path: &str, reply: Reply, seconds: u64) -> (Reason, Duration) {
    let (server, begun) = (Faulty::start().await, Instant::now());
    server.on(HEALTH, [Reply::silent()]);
    server.on(path, [reply]);
    let budget = Budget::lasting(Duration::from_secs(seconds));
    let outcome = call_within(&anywhere(), &at(&server.address()), &get("a/b"), budget).await;
    (reason(outcome), begun.elapsed())
}

#[tokio::test]
async fn a_server_that_never_answers_fails_a_read_after_20_seconds_and_a_login_at_its_end() {
    let (read, body, login) = tokio::join!(
        ends_while_down("a/b", Reply::silent(), 60),
        ends_while_down("a/b", secret("v").stalls_after(5), 60),
        ends_while_down(LOGIN, Reply::silent(), 25),
    );
    // Retries take 18 s of the minute. A login is not sent twice, and may still be executed. The rest is for a busy machine.
    for ((reason, took), (least, most)) in [read, body, login].into_iter().zip([(10, 35), (10, 35), (25, 40)])
    {
        assert!(
            reason == Reason::Unreachable && (least..most).contains(&took.as_secs()),
            "{reason} after {took:?}"
        );
    }
}

#[tokio::test]
async fn an_engine_that_needs_twelve_seconds_is_waited_for() {
    let server = Faulty::start().await;
    for path in [LOGIN, "a/b"] {
        let reply = if path == LOGIN { logged_in() } else { secret("v") };
        server.on(path, [reply.after(Duration::from_secs(12))]);
    }
    let answer = call_within(&anywhere(), &at(&server.address()), &get("a/b"), minute()).await.unwrap();
    assert_eq!(text(&answer), Some("v"));
    assert_eq!((server.calls(LOGIN).len(), server.calls("a/b").len()), (1, 1));
    assert!(!server.calls(HEALTH).is_empty(), "after 10 s the server was probed");
}

#[tokio::test]
async fn a_body_that_drips_is_given_up() {
    let (server, begun) = (Faulty::start().await, Instant::now());
    server.on("a/b", [secret("v").drips(Duration::from_secs(2))]);
    assert_eq!(reason(call(&server, &get("a/b")).await), Reason::Unreachable);
    assert!((30..45).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_probe_has_the_path_of_the_address_and_neither_token_nor_namespace() {
    let server = Faulty::start().await;
    server.on("a/b", [Reply::error(503, "x")]);
    for base in ["", "/vault"] {
        let spec =
            ServerSpec { namespace: Some("tenant".into()), ..at(&format!("{}{base}", server.address())) };
        drop(call_within(&anywhere(), &spec, &get("a/b"), second()).await);
        let path = format!("{base}/v1/sys/health?");
        let probe = until("a probe", async || {
            server.calls(HEALTH).into_iter().find(|call| call.target.starts_with(&path))
        });
        let probe = probe.await;
        assert!(probe.target.ends_with("?standbyok=true&perfstandbyok=true"), "{probe:?}");
        for header in ["x-vault-token", "x-vault-namespace"] {
            assert!(!probe.headers.contains_key(header), "{header}");
        }
    }
}

#[tokio::test]
async fn what_a_probe_says_is_reported_by_every_call_that_waits() {
    let health =
        |status, sealed| Reply::raw(status, json!({ "initialized": true, "sealed": sealed }).to_string());
    for (reply, expected) in [
        (health(503, true), Reason::Sealed),
        (Reply::raw(501, json!({ "initialized": false, "sealed": true }).to_string()), Reason::Sealed),
        (Reply::raw(502, "<html>canary</html>"), Reason::ServerError),
        (Reply::hang_up(), Reason::Unreachable),
    ] {
        let (server, vaults) = (Faulty::start().await, anywhere());
        server.on("a/b", [Reply::error(503, "x")]);
        server.on(HEALTH, [reply]);
        let spec = at(&server.address());
        // The login succeeds until the server is down.
        let is_login = |error: &VaultError| error.to_string().starts_with("log in at");
        let error = until("a server that is down", async || {
            call_within(&vaults, &spec, &get("a/b"), second()).await.err().filter(is_login)
        });
        assert_eq!(error.await.reason(), expected);
        let logins = server.calls(LOGIN).len();
        let error = call_within(&vaults, &spec, &get("c/d"), second()).await.unwrap_err();
        assert!(error.reason() == expected && is_login(&error), "{error}");
        assert_eq!(server.calls(LOGIN).len(), logins, "no call reaches a server that is down");
    }
}

#[tokio::test]
async fn a_health_that_a_gateway_blocks_is_no_outage() {
    for status in [400, 403, 404, 429, 472, 473] {
        let (server, vaults) = (Faulty::start().await, anywhere());
        server.on("a/b", [Reply::error(503, "x")]);
        server.on("c/d", [secret("v")]);
        server.on(HEALTH, [Reply::raw(status, "blocked")]);
        let spec = at(&server.address());
        drop(call_within(&vaults, &spec, &get("a/b"), second()).await);
        until_called(&server, HEALTH).await;
        call_within(&vaults, &spec, &get("c/d"), second()).await.unwrap();
    }
}

async fn until_called(server: &Faulty, path: &str) {
    until("a call", async || (!server.calls(path).is_empty()).then_some(())).await;
}

#[tokio::test]
async fn no_call_outlives_its_budget() {
    for (reply, expected) in [
        (Reply::silent(), Reason::Deadline),
        (secret("v").stalls_after(5), Reason::Deadline),
        (Reply::error(500, "x"), Reason::ServerError),
    ] {
        let (reason, took) = ends("a/b", reply, second()).await;
        assert!(reason == expected && took < Duration::from_secs(4), "{reason} after {took:?}");
    }
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let address = Faulty::start().await.address();
    assert_eq!(
        reason(call_within(&anywhere(), &at(&address), &get("a/b"), second()).await),
        Reason::Unreachable
    );
    let socket = ServerSpec { address: Address::Unix("/nonexistent/agent.sock".into()), ..at(&address) };
    assert_eq!(reason(call_within(&anywhere(), &socket, &get("a/b"), second()).await), Reason::Unreachable);
}

#[tokio::test]
async fn a_redirect_is_followed_once_to_an_allowed_place_with_method_and_body() {
    let (standby, active) = (Faulty::start().await, Faulty::start().await);
    standby.on("pki/issue/app", [Reply::redirect(&format!("{}/v1/pki/issue/app", active.address()))]);
    standby.on("a/moved", [Reply::redirect("/v1/a/b")]);
    standby.on("a/b", [secret("same")]);
    active.on("pki/issue/app", [secret("v")]);
    let (vaults, spec) = (allowing(&active.address()), at(&standby.address()));
    let answer = call_within(&vaults, &spec, &put("pki/issue/app", &json!({ "common_name": "a" })), minute())
        .await
        .unwrap();
    assert_eq!(text(&answer), Some("v"));
    let seen = &active.calls("pki/issue/app")[0];
    assert_eq!(
        (seen.method.as_str(), seen.body.as_str(), seen.headers["x-vault-token"].as_str()),
        ("PUT", r#"{"common_name":"a"}"#, "faulty-token")
    );
    // A redirect to another path would answer for another secret.
    assert_eq!(reason(call_within(&vaults, &spec, &get("a/moved"), minute()).await), Reason::Redirect);

    // All paths of the other server share a connection, also when the server is allowed by its network.
    let vaults = allowing("127.0.0.0/8");
    let before = active.connections();
    for path in ["a/c", "a/d", "a/e"] {
        standby.on(path, [Reply::redirect(&format!("{}/v1/{path}", active.address()))]);
        active.on(path, [secret("v")]);
        call_within(&vaults, &spec, &get(path), minute()).await.unwrap();
    }
    assert_eq!(active.connections(), before + 1);
}

#[tokio::test]
async fn no_token_follows_a_redirect_elsewhere() {
    let (server, other) = (Faulty::start().await, Faulty::start().await);
    let elsewhere = format!("{}/v1/a/b?canary=1", other.address());
    for location in
        [elsewhere.as_str(), "/v1/a/b", "file:///etc/passwd", "http://[", "//user:canary@127.0.0.1:1/v1/a/b"]
    {
        server.on("a/b", [Reply::redirect(location)]);
        assert_eq!(reason(call(&server, &get("a/b")).await), Reason::Redirect, "{location}");
        server.on(LOGIN, [Reply::redirect(location).header("X-Canary", "canary")]);
        assert_eq!(reason(log_in(&server).await), Reason::Redirect, "{location}");
        server.on(LOGIN, [Reply::json(&json!({ "auth": { "client_token": "faulty-token" } }))]);
    }
    for status in [300, 303, 304] {
        server.on("a/b", [Reply::raw(status, "").header("Location", &elsewhere)]);
        assert_eq!(reason(call(&server, &get("a/b")).await), Reason::Redirect, "{status}");
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_class_cannot_send_a_token_where_it_may_not_go() {
    let server = Faulty::start().await;
    let port = server.address().rsplit_once(':').unwrap().1.to_owned();
    let refused = async |vaults: Vaults, spec: ServerSpec| {
        assert_eq!(
            reason(call_within(&vaults, &spec, &get("a/b"), minute()).await),
            Reason::AddressRefused,
            "{}",
            spec.address
        );
    };
    for host in ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"] {
        refused(anywhere(), chosen(&format!("http://{host}:{port}"))).await;
        refused(allowing("https://vault.example:8200"), chosen(&format!("http://{host}:{port}"))).await;
        refused(allowing("10.0.0.0/8"), chosen(&format!("http://{host}:{port}"))).await;
    }
    refused(
        anywhere(),
        ServerSpec {
            address: Address::Unix("/run/containerd/containerd.sock".into()),
            ..chosen(&server.address())
        },
    )
    .await;
    assert_eq!(server.connections(), 0);

    server.on("a/b", [secret("v")]);
    for allowed in [server.address().as_str(), "127.0.0.1", "127.0.0.0/8"] {
        assert!(
            call_within(&allowing(allowed), &chosen(&server.address()), &get("a/b"), minute()).await.is_ok(),
            "{allowed}"
        );
    }
}

#[tokio::test]
async fn another_server_name_does_not_lead_to_another_server() {
    let (server, other) = (Faulty::start().await, Faulty::start().await);
    let secure = server.address().replace("http:", "https:");
    let (_, port) =
        other.address().rsplit_once(':').map(|(host, port)| (host.to_owned(), port.to_owned())).unwrap();
    for name in
        ["127.0.0.1", "[::1]", "localhost:1", &format!("127.0.0.1:{port}"), "a/b", "user@localhost", ""]
    {
        for address in [&secure, &other.address().replace("http:", "https:")] {
            let tls = TlsSpec { server_name: Some(name.to_owned()), skip_verify: true, ..TlsSpec::default() };
            let spec = ServerSpec { tls, ..at(address) };
            assert_eq!(
                reason(call_within(&anywhere(), &spec, &get("a/b"), minute()).await),
                Reason::Tls,
                "{name:?}"
            );
        }
    }
    assert_eq!((server.connections(), other.connections()), (0, 0));

    // Without TLS there is no server name.
    server.on("a/b", [secret("v")]);
    let tls = TlsSpec { server_name: Some("vault.example".into()), ..TlsSpec::default() };
    assert!(
        call_within(&anywhere(), &ServerSpec { tls, ..at(&server.address()) }, &get("a/b"), minute())
            .await
            .is_ok()
    );
    assert_eq!(server.calls("a/b")[0].headers["host"], server.address().trim_start_matches("http://"));
}

#[tokio::test]
async fn the_proxy_serves_the_configured_address_only() {
    let (server, proxy) = (Faulty::start().await, Faulty::start().await);
    for faulty in [&server, &proxy] {
        faulty.on("a/b", [secret("v")]);
    }
    let outbound = Outbound {
        allowed: vec![server.address().parse().unwrap()],
        proxy: Some(proxy.address().parse().unwrap()),
        ..Outbound::default()
    };
    let vaults = Vaults::new(outbound);
    call_within(&vaults, &at(&server.address()), &get("a/b"), minute()).await.unwrap();
    assert_eq!((server.calls("a/b").len(), proxy.calls("a/b").len()), (0, 1));
    call_within(&vaults, &chosen(&server.address()), &get("a/b"), minute()).await.unwrap();
    assert_eq!((server.calls("a/b").len(), proxy.calls("a/b").len()), (1, 1));
}

#[tokio::test]
async fn a_token_is_revoked_once_whatever_its_call_returned() {
    let server = Faulty::start().await;
    server.on(REVOKE, [Reply::raw(204, "")]);
    server.on("a/b", [secret("v")]);
    for (path, revoked) in [("a/b", 1), ("a/missing", 2), ("a/b", 3)] {
        let _ = call(&server, &get(path)).await;
        assert_eq!(server.calls(REVOKE).len(), revoked, "{path}");
    }
    assert_eq!(server.calls(REVOKE)[0].headers["x-vault-token"], "faulty-token");
}

#[tokio::test]
async fn a_token_that_cannot_be_revoked_delays_no_mount() {
    let server = Faulty::start().await;
    server.on("a/b", [secret("v")]);
    for reply in
        [Reply::silent(), Reply::error(403, "permission denied"), Reply::error(500, "x"), Reply::endless()]
    {
        server.on(REVOKE, [reply]);
        let begun = Instant::now();
        call(&server, &get("a/b")).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_path_without_data_of_a_kv_v2_mount_gets_a_hint_from_one_lookup() {
    let (server, vaults) = (Faulty::start().await, anywhere());
    let look_up = "sys/internal/ui/mounts/secret/devops";
    server.on(
        look_up,
        [Reply::json(&json!({ "data": { "path": "secret/", "type": "kv", "options": { "version": "2" } } }))],
    );
    for (reply, expected) in [(Reply::error(403, "x"), Reason::ReadDenied), (absent(), Reason::NotFound)] {
        server.on("secret/devops", [reply]);
        let error =
            call_within(&vaults, &at(&server.address()), &get("secret/devops"), minute()).await.unwrap_err();
        assert!(error.to_string().contains("secret/data/devops"), "{error}");
        assert_eq!(error.reason(), expected);
    }
    assert_eq!(server.calls(look_up).len(), 1);

    server.on(
        "sys/internal/ui/mounts/secret/data/gone",
        [Reply::json(&json!({ "data": { "path": "secret/", "type": "kv", "options": { "version": "2" } } }))],
    );
    let error =
        call_within(&vaults, &at(&server.address()), &get("secret/data/gone"), minute()).await.unwrap_err();
    assert!(!error.to_string().contains("data/data"), "{error}");
}

#[tokio::test]
async fn a_lookup_that_fails_changes_nothing() {
    let server = Faulty::start().await;
    server.on("secret/devops", [absent()]);
    for reply in [
        Reply::silent(),
        Reply::error(403, "x"),
        Reply::raw(200, "canary"),
        Reply::endless(),
        Reply::json(&json!({ "data": { "path": 7, "options": null } })),
    ] {
        server.on("sys/internal/ui/mounts/secret/devops", [reply]);
        let begun = Instant::now();
        assert_eq!(reason(call(&server, &get("secret/devops")).await), Reason::NotFound);
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn mounts_of_all_namespaces_share_one_connection() {
    let (server, vaults) = (Faulty::start().await, anywhere());
    server.on("a/b", [secret("v")]);
    for namespace in [None, Some("team-a"), Some("team-b")] {
        let spec = ServerSpec { namespace: namespace.map(str::to_owned), ..at(&server.address()) };
        call_within(&vaults, &spec, &get("a/b"), minute()).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_repeated_failure_has_the_same_text() {
    let server = Faulty::start().await;
    for reply in [
        Reply::error(500, "canary 1"),
        Reply::silent(),
        Reply::hang_up(),
        Reply::error(429, "x").header("Retry-After", "3"),
    ] {
        server.on("a/b", [reply]);
        let texts = [call_briefly(&server, &get("a/b")).await, call_briefly(&server, &get("a/b")).await]
            .map(|outcome| outcome.unwrap_err().to_string());
        assert_eq!(texts[0], texts[1]);
        assert!(texts[0].contains("a/b"), "{}", texts[0]);
    }
}
