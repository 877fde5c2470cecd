//! Login: what a pod's token may do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use metrics::counter;
use serde_json::json;
use tracing::debug;
use zeroize::Zeroizing;

use super::answer::Answer;
use super::budget::Budget;
use super::error::{Hint, VaultError};
use super::exchange::{Ask, Reply, room};
use super::refusal::refused;
use super::retry::CallKind;
use super::server::Server;
use crate::config::{AuthSpec, Request};
use crate::secret::Secret;

/// Time for giving a token back.
const CLOSE: Duration = Duration::from_secs(5);

/// A token of a pod's own role: only a login can read, and a login ends once.
///
/// ```compile_fail,E0382
/// # async fn after_the_end(login: vaultmount::vault::Login, request: vaultmount::config::Request, budget: vaultmount::vault::Budget) {
/// login.close().await;
/// login.call(&request, None, budget).await; // its token is revoked
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
        let path = format!("auth/{}/login", auth.mount);
        let ask = Ask {
            method: &Method::POST,
            path: &path,
            namespace: None,
            query: &[],
            body: Some(&body),
            token: None,
            room: &room(),
            doing: &doing,
        };
        let reply = self.ask(&ask, CallKind::Login, budget).await?;
        if !reply.status.code.is_success() {
            return Err(refused(doing, CallKind::Login, &reply, None));
        }
        let answer = Answer::parse(&reply.body, &doing)?;
        let token = answer.text(&["auth", "client_token"]).map(Secret::from);
        let token = token.ok_or(VaultError::Malformed { doing, why: "it holds no auth.client_token" })?;
        Ok(Login { server: self, token, leased: AtomicBool::new(false), room: room() })
    }

    /// A login with a token that an operator gave by hand. It is not ours to give back: closing leaves it alone, as one
    /// with a lease.
    pub fn with_token(self, token: Secret) -> Login {
        Login { server: self, token, leased: AtomicBool::new(true), room: room() }
    }
}

impl Login {
    /// Makes one call, in `namespace` when it is another than the login's.
    pub async fn call(&self, request: &Request, namespace: Option<&str>, budget: Budget) -> Result<Answer, VaultError> {
        let doing = told(request, namespace);
        let body = request.body.as_ref().map(|body| body.expose());
        let ask = Ask {
            method: &request.method,
            path: request.path.as_str(),
            namespace,
            query: &request.query,
            body,
            token: Some(&self.token),
            room: &self.room,
            doing: &doing,
        };
        let kind = CallKind::of(&request.method, request.path.as_str());
        let reply = self.server.ask(&ask, kind, budget).await?;
        if !reply.status.code.is_success() {
            let hint = self.kv_hint(request, namespace, reply.status.code, budget).await;
            return Err(refused(doing, kind, &reply, hint));
        }
        let answer = Answer::parse(&reply.body, &doing)?;
        if answer.is_leased() {
            self.leased.store(true, Ordering::Relaxed);
        }
        Ok(answer)
    }

    /// Posts `body`, JSON, to `path` and gives the reply whatever its status.
    pub(super) async fn post(
        &self,
        path: &str,
        namespace: Option<&str>,
        body: &str,
        kind: CallKind,
        budget: Budget,
    ) -> Result<Reply, VaultError> {
        let doing = within(format!("POST {path}"), namespace);
        let method = &Method::POST;
        let ask = Ask { method, path, namespace, query: &[], body: Some(body), token: Some(&self.token), room: &self.room, doing: &doing };
        self.server.ask(&ask, kind, budget).await
    }

    /// Gives the token back, unless something leased hangs on it: revoking the token would end that too. Best effort:
    /// what is not given back ends with its own TTL.
    pub async fn close(self) {
        if self.leased.load(Ordering::Relaxed) {
            closed("left");
            return;
        }
        let ask = Ask {
            method: &Method::POST,
            path: "auth/token/revoke-self",
            namespace: None,
            query: &[],
            body: None,
            token: Some(&self.token),
            room: &self.room,
            doing: "revoke the token",
        };
        match self.server.exchange(&ask, Budget::lasting(CLOSE)).await {
            Ok(reply) if reply.status.code.is_success() => closed("revoked"),
            // A batch token cannot be revoked, and a role without the default policy may not: it ends by itself.
            Ok(reply) => {
                closed("failed");
                debug!(status = reply.status.code.as_u16(), "a token was not given back");
            }
            Err(failed) => {
                closed("failed");
                debug!("a token was not given back: {}", failed.error);
            }
        }
    }

    /// What the path should have been, when it is one for the other version of the KV engine.
    async fn kv_hint(&self, request: &Request, namespace: Option<&str>, status: StatusCode, budget: Budget) -> Option<Hint> {
        let misses = matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) && request.method == Method::GET;
        if !misses {
            return None;
        }
        let path = request.path.as_str();
        self.server.vaults.mounts.kv(&self.server, namespace, &self.token, path, budget).await?.hint(path)
    }
}

fn closed(how: &'static str) {
    counter!("vaultmount_logins_closed_total", "how" => how).increment(1);
}

/// What a request does, for messages: without query and body, which may hold values.
fn told(request: &Request, namespace: Option<&str>) -> String {
    let doing = match request.method.as_str() {
        "GET" => format!("read {}", request.path),
        "LIST" => format!("list {}", request.path),
        method => format!("{method} {}", request.path),
    };
    within(doing, namespace)
}

/// What is done, and where when it is another namespace than the login's.
pub(super) fn within(doing: String, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("{doing} in namespace {namespace:?}"),
        None => doing,
    }
}
