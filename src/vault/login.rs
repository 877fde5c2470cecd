//! Login: what a pod's token may do, and for how long.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::Server;
use super::TokenInfo;
use super::VaultResponse;
use super::{Hint, VaultError};
use crate::limits::Budget;
use crate::limits::budget::BODY_LIMIT;
use crate::secret::Secret;
use crate::spec::{AuthSpec, Request};
use crate::vault::classify::refused;
use crate::vault::credential::Credential;
use crate::vault::http::{HttpRequest, HttpResponse};
use crate::vault::retry::CallKind;

/// How long a token may be unknown to some nodes of a server: a standby that has not heard of it says 403.
const YOUNG: Duration = Duration::from_secs(2);

/// A token of a pod's own role: only a login can read, and a login ends once.
///
/// ```compile_fail,E0382
/// # async fn after_the_end(login: vaultmount::vault::Login, request: vaultmount::spec::Request, budget: &vaultmount::limits::Budget) {
/// login.revoke(budget).await;
/// login.call(&request, None, budget).await; // its token is revoked
/// # }
/// ```
pub struct Login {
    server: Server,
    credential: Credential,
    facts: TokenInfo,
    began: Instant,
}

impl Server {
    /// Logs in with a pod's token; kubernetes and jwt mounts take the same call.
    pub async fn login(self, auth: &AuthSpec, jwt: &Secret, budget: &Budget) -> Result<Login, VaultError> {
        let doing = format!("log in at auth/{}", auth.mount);
        let jwt = jwt.expose_text().ok_or_else(|| VaultError::Malformed {
            doing: doing.clone(),
            why: "the pod's token is no text",
        })?;
        let body = Zeroizing::new(json!({"role": auth.role, "jwt": jwt}).to_string());
        let path = format!("auth/{}/login", auth.mount);
        let ask = HttpRequest { body: Some(&body), ..HttpRequest::post(&path, &doing) };
        let reply = self.ask(&ask, CallKind::Login, budget).await?;
        if !reply.status.code.is_success() {
            return Err(refused(doing, CallKind::Login, &reply, None));
        }
        let answer = VaultResponse::parse(&reply.body, &doing)?;
        let token = answer.text(&["auth", "client_token"]).map(Secret::from);
        let token = token.ok_or(VaultError::Malformed { doing, why: "it holds no auth.client_token" })?;
        Ok(Login {
            server: self,
            credential: Credential::Token(token),
            facts: TokenInfo::of(&answer),
            began: Instant::now(),
        })
    }

    /// A login whose token is there already: an operator's, or one of an earlier process.
    pub fn with_token(self, token: Secret, facts: TokenInfo) -> Login {
        // An older token is known to every node.
        let began = Instant::now().checked_sub(YOUNG).unwrap_or_else(Instant::now);
        Login { server: self, credential: Credential::Token(token), facts, began }
    }

    /// A login that every call carries out by itself (OpenBao's inline auth): nothing of it is stored, so nothing is given back.
    pub fn inline(self, auth: &AuthSpec, jwt: &Secret) -> Result<Login, VaultError> {
        let malformed = || VaultError::Malformed {
            doing: format!("log in at auth/{}", auth.mount),
            why: "the pod's token is no text",
        };
        let credential = Credential::inline(auth, jwt.expose_text().ok_or_else(malformed)?);
        Ok(Login {
            server: self,
            credential,
            facts: TokenInfo { batch: true, ..TokenInfo::default() },
            began: Instant::now(),
        })
    }
}

impl Login {
    /// What the server said of its token.
    pub fn facts(&self) -> &TokenInfo {
        &self.facts
    }

    /// The server that it is a login of.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Its token, where it has one; goes into sealed records and nowhere else.
    pub fn token(&self) -> Option<&Secret> {
        match &self.credential {
            Credential::Token(token) => Some(token),
            Credential::SecretText { .. } => None,
        }
    }

    /// Makes one call, in `namespace` when it is another than the login's.
    pub async fn call(
        &self,
        request: &Request,
        namespace: Option<&str>,
        budget: &Budget,
    ) -> Result<VaultResponse, VaultError> {
        let doing = told(request, namespace);
        self.server.vaults.check_call(&self.server.spec, &request.method, request.path.as_str(), &doing)?;
        let ask = HttpRequest {
            method: &request.method,
            query: &request.query,
            body: request.body.as_ref().map(|body| body.expose()),
            ..self.post_to(request.path.as_str(), namespace, &doing)
        };
        let kind = CallKind::of(&request.method, request.path.as_str());
        let reply = self.server.ask(&ask, kind, budget).await?;
        if !reply.status.code.is_success() {
            let hint = self.kv_hint(request, namespace, reply.status.code, budget).await;
            return Err(refused(doing, kind, &reply, hint));
        }
        let parse =
            if has_own_form(request.path.as_str()) { VaultResponse::parse_any } else { VaultResponse::parse };
        parse(&reply.body, &doing)
    }

    /// Prolongs the token; gives how long it lives from now on.
    pub async fn renew(&self, budget: &Budget) -> Result<Duration, VaultError> {
        let answer = self.told("auth/token/renew-self", "{}", "renew the token", budget).await?;
        Ok(answer.seconds(&["auth", "lease_duration"]))
    }

    /// Asks whether the token lives; a role without the default policy may not ask.
    pub async fn look_up(&self, budget: &Budget) -> Result<(), VaultError> {
        let doing = "look up the token";
        let ask = HttpRequest {
            method: &Method::GET,
            young: false,
            ..self.post_to("auth/token/lookup-self", None, doing)
        };
        let reply = self.server.ask(&ask, CallKind::Read, budget).await?;
        if reply.status.code.is_success() {
            Ok(())
        } else {
            Err(refused(doing.into(), CallKind::Read, &reply, None))
        }
    }

    /// Prolongs a lease by `increment`; gives how long it lives from now on.
    pub async fn renew_lease(
        &self,
        lease: &str,
        increment: Duration,
        budget: &Budget,
    ) -> Result<Duration, VaultError> {
        let body = json!({"lease_id": lease, "increment": increment.as_secs()}).to_string();
        let answer = self.told("sys/leases/renew", &body, "renew a lease", budget).await?;
        Ok(answer.seconds(&["lease_duration"]))
    }

    /// Gives the token back, and all that hangs on it. A batch token cannot be, and a role without the default policy may not: it ends by
    /// itself.
    ///
    /// # Errors
    /// With the login, which has not ended then.
    pub async fn revoke(self, budget: &Budget) -> Result<(), (Box<Self>, VaultError)> {
        if self.token().is_none() {
            return Ok(());
        }
        let doing = "revoke the token";
        let ask = self.post_to("auth/token/revoke-self", None, doing);
        match self.server.ask(&ask, CallKind::Again, budget).await {
            // Another 2xx than the server's own may be one of something in between, and the token lives.
            Ok(reply) if reply.status.code == StatusCode::NO_CONTENT => Ok(()),
            Ok(reply) if reply.status.code.is_success() => match VaultResponse::parse(&reply.body, doing) {
                Ok(_) => Ok(()),
                Err(error) => Err((Box::new(self), error)),
            },
            Ok(reply) => Err((Box::new(self), refused(doing.into(), CallKind::Again, &reply, None))),
            Err(error) => Err((Box::new(self), error)),
        }
    }

    /// Posts `body`, JSON, to `path` and gives the reply whatever its status.
    pub(crate) async fn post(
        &self,
        path: &str,
        namespace: Option<&str>,
        body: &str,
        kind: CallKind,
        budget: &Budget,
    ) -> Result<HttpResponse, VaultError> {
        let doing = within(format!("POST {path}"), namespace);
        self.server.vaults.check_call(&self.server.spec, &Method::POST, path, &doing)?;
        // A batch of which every item fails is a 400 that holds all results.
        let ask = HttpRequest {
            body: Some(body),
            error_limit: BODY_LIMIT,
            ..self.post_to(path, namespace, &doing)
        };
        self.server.ask(&ask, kind, budget).await
    }

    /// Posts what may be repeated and gives the answer.
    async fn told(
        &self,
        path: &str,
        body: &str,
        doing: &str,
        budget: &Budget,
    ) -> Result<VaultResponse, VaultError> {
        let ask = HttpRequest { body: Some(body), ..self.post_to(path, None, doing) };
        let reply = self.server.ask(&ask, CallKind::Again, budget).await?;
        if !reply.status.code.is_success() {
            return Err(refused(doing.into(), CallKind::Again, &reply, None));
        }
        VaultResponse::parse(&reply.body, doing)
    }

    fn post_to<'a>(&'a self, path: &'a str, namespace: Option<&'a str>, doing: &'a str) -> HttpRequest<'a> {
        HttpRequest {
            namespace,
            credential: Some(&self.credential),
            young: self.began.elapsed() < YOUNG,
            ..HttpRequest::post(path, doing)
        }
    }

    /// What the path should have been, when it is one for the other version of the KV engine.
    async fn kv_hint(
        &self,
        request: &Request,
        namespace: Option<&str>,
        status: StatusCode,
        budget: &Budget,
    ) -> Option<Hint> {
        let misses =
            matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) && request.method == Method::GET;
        if !misses {
            return None;
        }
        let path = request.path.as_str();
        self.server
            .vaults
            .mounts
            .kv(&self.server, namespace, &self.credential, path, budget)
            .await?
            .hint(path)
    }
}

/// Paths that answer with an object of their own, without `data` around it: status, OpenID Connect and ACME.
fn has_own_form(path: &str) -> bool {
    path.starts_with("sys/")
        || path.contains("identity/oidc/provider/")
        || path.split('/').any(|part| matches!(part, ".well-known" | "acme"))
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
pub(crate) fn within(doing: String, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("{doing} in namespace {namespace:?}"),
        None => doing,
    }
}
