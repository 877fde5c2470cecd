//! Server, Login: what a pod's token may do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use tracing::debug;
use zeroize::Zeroizing;

use super::answer::Answer;
use super::budget::Budget;
use super::error::VaultError;
use super::exchange::{Ask, Failed, LOGIN_LIMIT, Reply};
use super::pool::Vaults;
use super::retry::{CallKind, Outcome, Tries};
use super::sentences;
use crate::config::{AuthSpec, Request, ServerSpec};
use crate::error::Reason;
use crate::secret::Secret;

/// Time for giving a token back.
const CLOSE: Duration = Duration::from_secs(5);

/// What Go leaves as it is in a URL's path; everything else is percent-encoded, a `%` too.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

/// A server that tokens may be sent to, in one namespace.
pub struct Server {
    pub(super) vaults: Vaults,
    pub(super) spec: ServerSpec,
    pub(super) client: reqwest::Client,
}

/// A token of a pod's own role: only a login can read, and a login ends once.
///
/// ```compile_fail,E0382
/// # async fn after_the_end(login: vaultmount::vault::Login, request: vaultmount::config::Request, budget: vaultmount::vault::Budget) {
/// login.close().await;
/// login.call(&request, budget).await; // its token is revoked
/// # }
/// ```
pub struct Login {
    server: Server,
    token: Secret,
    leased: AtomicBool,
    /// Bytes that its answers may still hold.
    room: AtomicUsize,
}

impl Server {
    /// Logs in with a pod's token; kubernetes and jwt mounts take the same call.
    pub async fn login(self, auth: &AuthSpec, jwt: &Secret, budget: Budget) -> Result<Login, VaultError> {
        let doing = format!("log in at auth/{}", auth.mount);
        let jwt = jwt.expose_text().ok_or_else(|| VaultError::Malformed { doing: doing.clone(), why: "the pod's token is no text" })?;
        let body = Zeroizing::new(json!({"role": auth.role, "jwt": jwt}).to_string());
        let path = encoded(&format!("auth/{}/login", auth.mount));
        let ask = Ask { method: &Method::POST, path: &path, query: &[], body: Some(&body), token: None, room: &room(), doing: &doing };
        let reply = self.ask(&ask, CallKind::Login, budget).await?;
        if !reply.status.code.is_success() {
            return Err(refused(doing, CallKind::Login, &reply, None));
        }
        let answer = Answer::parse(&reply.body, &doing)?;
        let token = answer.text(&["auth", "client_token"]).map(Secret::from);
        let token = token.ok_or(VaultError::Malformed { doing, why: "it holds no auth.client_token" })?;
        Ok(Login { server: self, token, leased: AtomicBool::new(false), room: room() })
    }

    /// Sends `ask` until a reply stands or nothing more may be tried.
    pub(super) async fn ask(&self, ask: &Ask<'_>, kind: CallKind, budget: Budget) -> Result<Reply, VaultError> {
        let again = budget.for_another_try();
        let mut tries = Tries::new(kind, again.end());
        let mut before = None;
        loop {
            let tried = self.exchange(ask, if before.is_none() { budget } else { again }).await;
            let outcome = match &tried {
                Ok(reply) => Some(Outcome::Answered(reply.status)),
                Err(failed) => failed.outcome,
            };
            match outcome.and_then(|outcome| tries.next(outcome, Instant::now(), rand::random())) {
                Some(moment) => {
                    before = Some(tried);
                    sleep_until(moment).await;
                }
                None => return telling(tried, before).map_err(|failed| failed.error),
            }
        }
    }
}

impl Login {
    /// Makes one call.
    pub async fn call(&self, request: &Request, budget: Budget) -> Result<Answer, VaultError> {
        let doing = told(request);
        let path = encoded(request.path.as_str());
        let body = request.body.as_ref().map(|body| body.expose());
        let ask = Ask {
            method: &request.method,
            path: &path,
            query: &request.query,
            body,
            token: Some(&self.token),
            room: &self.room,
            doing: &doing,
        };
        let kind = CallKind::of(&request.method, request.path.as_str());
        let reply = self.server.ask(&ask, kind, budget).await?;
        if !reply.status.code.is_success() {
            let hint = self.kv_hint(request, reply.status.code, budget).await;
            return Err(refused(doing, kind, &reply, hint));
        }
        let answer = Answer::parse(&reply.body, &doing)?;
        if answer.is_leased() {
            self.leased.store(true, Ordering::Relaxed);
        }
        Ok(answer)
    }

    /// Gives the token back, unless something leased hangs on it: revoking the token would end that too. Best effort:
    /// what is not given back ends with its own TTL.
    pub async fn close(self) {
        if self.leased.load(Ordering::Relaxed) {
            return;
        }
        let ask = Ask {
            method: &Method::POST,
            path: "auth/token/revoke-self",
            query: &[],
            body: None,
            token: Some(&self.token),
            room: &self.room,
            doing: "revoke the token",
        };
        match self.server.exchange(&ask, Budget::lasting(CLOSE)).await {
            Ok(reply) if reply.status.code.is_success() => {}
            // A batch token cannot be revoked, and a role without the default policy may not: it ends by itself.
            Ok(reply) => debug!(status = reply.status.code.as_u16(), "a token was not given back"),
            Err(failed) => debug!("a token was not given back: {}", failed.error),
        }
    }

    /// What the path should have been, when it misses the `data/` of a KV v2 mount.
    async fn kv_hint(&self, request: &Request, status: StatusCode, budget: Budget) -> Option<String> {
        let misses = matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) && request.method == Method::GET;
        if !misses {
            return None;
        }
        let path = request.path.as_str();
        let mount = self.server.vaults.mounts.kv_v2(&self.server, &self.token, path, budget).await?;
        let rest = path.strip_prefix(mount.as_str())?;
        let first = rest.split('/').next()?;
        (!matches!(first, "data" | "metadata" | "config" | "delete" | "undelete" | "destroy" | "subkeys"))
            .then(|| format!("{mount}data/{rest}"))
    }
}

/// The last try, or the one before when the last was cut short by the clock: what the server did tells more than that
/// time ran out, and does not depend on how the pauses fell.
fn telling(last: Result<Reply, Failed>, before: Option<Result<Reply, Failed>>) -> Result<Reply, Failed> {
    match (last, before) {
        (Err(Failed { error: VaultError::OutOfTime { .. }, .. }), Some(before)) => before,
        (last, _) => last,
    }
}

/// Room for the answers of a login.
pub(super) fn room() -> AtomicUsize {
    AtomicUsize::new(LOGIN_LIMIT)
}

pub(super) fn encoded(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

/// What a request does, for messages: without query and body, which may hold values.
fn told(request: &Request) -> String {
    match request.method.as_str() {
        "GET" => format!("read {}", request.path),
        "LIST" => format!("list {}", request.path),
        method => format!("{method} {}", request.path),
    }
}

fn refused(doing: String, kind: CallKind, reply: &Reply, hint: Option<String>) -> VaultError {
    let words = sentences::known(&reply.body);
    VaultError::Answered { doing, status: reply.status.code, reason: reason(kind, reply, words), words, hint }
}

/// The stable cause that a call and its status make together.
fn reason(kind: CallKind, reply: &Reply, words: Option<&str>) -> Reason {
    let login = kind == CallKind::Login;
    match reply.status.code.as_u16() {
        403 if login && !sentences::is_verdict(words) => Reason::LoginUnclear,
        400 if login && sentences::is_failed_look_up(words) => Reason::LoginUnclear,
        400 | 403 | 404 if login => Reason::LoginDenied,
        403 => Reason::ReadDenied,
        404 => Reason::NotFound,
        429 => Reason::Busy,
        500.. if reply.status.not_serving => Reason::Sealed,
        500.. => Reason::ServerError,
        300..400 => Reason::Redirect,
        _ => Reason::Rejected,
    }
}
