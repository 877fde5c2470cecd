//! Login: a Vault token of a pod's role, and the calls that it makes.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{Hint, Server, TokenInfo, VaultError, VaultResponse};
use crate::limits::Budget;
use crate::limits::budget::BODY_LIMIT;
use crate::secret::Secret;
use crate::spec::{AuthSpec, Request};
use crate::vault::classify::refused;
use crate::vault::credential::Credential;
use crate::vault::effect::{depends_on_engine, effect};
use crate::vault::http::{HttpRequest, HttpResponse};
use crate::vault::known_errors;
use crate::vault::mount_lookup::mount_of;
use crate::vault::retry::CallKind;

/// How long some nodes of a server may not know a new token. Until then a standby may respond with 403.
const PROPAGATION_TIME: Duration = Duration::from_secs(2);

/// A Vault token of a pod's role. Every call to Vault needs a login, and revoking consumes the login.
///
/// ```compile_fail,E0382
/// # async fn after_the_end(login: vaultmount::internals::Login, budget: &vaultmount::internals::Budget) {
/// login.revoke(budget).await;
/// login.revoke(budget).await; // its token is revoked already
/// # }
/// ```
pub struct Login {
    server: Server,
    credential: Credential,
    token_info: TokenInfo,
    authenticated_at: Instant,
}

impl Server {
    /// Logs in with a pod's service account token. The call is the same for kubernetes and jwt auth mounts.
    pub(crate) async fn login(
        self,
        auth: &AuthSpec,
        jwt: &Secret,
        budget: &Budget,
    ) -> Result<Login, VaultError> {
        let doing = format!("log in at auth/{}", auth.mount);
        let jwt = jwt.expose_text().ok_or_else(|| VaultError::Malformed {
            doing: doing.clone(),
            why: "the pod's service account token is not UTF-8",
        })?;
        let body = Zeroizing::new(json!({"role": auth.role, "jwt": jwt}).to_string());
        let path = format!("auth/{}/login", auth.mount);
        let request = HttpRequest { body: Some(&body), ..HttpRequest::post(&path, &doing) };
        let reply = self.send(&request, CallKind::Login, budget).await?;
        if !reply.status.code.is_success() {
            let error = refused(doing, CallKind::Login, &reply, None);
            let error = error.with_hint(known_errors::is_missing_role, || {
                Hint::NoRole(auth.mount.clone(), auth.role.clone())
            });
            return Err(self.with_namespace_hint(error, None));
        }
        let response = VaultResponse::parse(&reply.body, &doing)?;
        self.report_warnings(&response, &format!("{doing} as role {:?}", auth.role));
        let token = response.text(&["auth", "client_token"]).map(Secret::from);
        let token = token.ok_or(VaultError::Malformed { doing, why: "it has no auth.client_token" })?;
        Ok(Login {
            server: self,
            credential: Credential::Token(token),
            token_info: TokenInfo::of(&response),
            authenticated_at: Instant::now(),
        })
    }

    /// Reads the certificate with the serial number `serial`. Needs no token.
    pub(crate) async fn certificate(
        &self,
        mount: &str,
        serial: &str,
        namespace: Option<&str>,
        budget: &Budget,
    ) -> Result<VaultResponse, VaultError> {
        let path = format!("{mount}/cert/{serial}");
        let doing = in_namespace(format!("read {path}"), namespace);
        let request = HttpRequest { method: &Method::GET, namespace, ..HttpRequest::post(&path, &doing) };
        let reply = self.send(&request, CallKind::Read, budget).await?;
        if !reply.status.code.is_success() {
            return Err(refused(doing, CallKind::Read, &reply, None));
        }
        VaultResponse::parse(&reply.body, &doing)
    }

    /// Logs the warnings of `response`, which answers the call `doing`.
    pub(super) fn report_warnings(&self, response: &VaultResponse, doing: &str) {
        self.vaults.warnings.report(response, doing, &self.spec.address);
    }

    /// A login with an existing token: an operator's, or one of an earlier process.
    pub(crate) fn with_token(self, token: Secret, token_info: TokenInfo) -> Login {
        // Every node knows an older token.
        let authenticated_at = Instant::now().checked_sub(PROPAGATION_TIME).unwrap_or_else(Instant::now);
        Login { server: self, credential: Credential::Token(token), token_info, authenticated_at }
    }

    /// A login that each call does by itself (OpenBao's inline auth). OpenBao stores no token for it, so there is none to revoke.
    pub(crate) fn inline(self, auth: &AuthSpec, jwt: &Secret) -> Result<Login, VaultError> {
        let malformed = || VaultError::Malformed {
            doing: format!("log in at auth/{}", auth.mount),
            why: "the pod's service account token is not UTF-8",
        };
        let credential = Credential::inline(auth, jwt.expose_text().ok_or_else(malformed)?);
        Ok(Login {
            server: self,
            credential,
            token_info: TokenInfo { batch: true, ..TokenInfo::default() },
            authenticated_at: Instant::now(),
        })
    }
}

impl Login {
    /// What the server said about the token.
    pub(crate) fn token_info(&self) -> &TokenInfo {
        &self.token_info
    }

    /// The server.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// The token; `None` for inline auth. Only for sealed records.
    pub(crate) fn token(&self) -> Option<&Secret> {
        match &self.credential {
            Credential::Token(token) => Some(token),
            Credential::Inline { .. } => None,
        }
    }

    /// Makes one call; in `namespace` if it is not the login's own.
    pub(crate) async fn call(
        &self,
        request: &Request,
        namespace: Option<&str>,
        budget: &Budget,
    ) -> Result<VaultResponse, VaultError> {
        let doing = describe(request, namespace);
        self.server.vaults.check_call(&self.server.spec, &request.method, request.path.as_str(), &doing)?;
        let http_request = HttpRequest {
            method: &request.method,
            query: &request.query,
            body: request.body.as_ref().map(|body| body.expose()),
            ..self.post_to(request.path.as_str(), namespace, &doing)
        };
        let (mounts, path) = (&self.server.vaults.mounts, request.path.as_str());
        let engine = mounts.engine(&self.server.spec, namespace, path);
        let kind = CallKind::of(effect(&request.method, path, engine));
        let reply = self.server.send(&http_request, kind, budget).await?;
        if !reply.status.code.is_success() {
            let hint = self.kv_hint(request, namespace, reply.status.code, budget).await;
            let hint = hint.or_else(|| self.credential.missing_role(&reply.body));
            let hint = hint.or_else(|| Self::refused_parameter(request, &reply));
            let error = refused(doing, kind, &reply, hint);
            return Err(self.with_policy_hint(error, &request.method, request.path.as_str(), namespace));
        }
        // The body becomes JSON members, or an error if it does not have the form of Vault's API.
        let parse = if has_own_form(path) { VaultResponse::parse_any } else { VaultResponse::parse };
        let response = parse(&reply.body, &doing)?;
        self.server.report_warnings(&response, &doing);
        if let Some(engine) = response.engine().filter(|_| depends_on_engine(&request.method, path)) {
            mounts.learn(&self.server.spec, namespace, path, engine);
        }
        Ok(response)
    }

    /// Looks up the engine of `path`. It is remembered for all logins. A token with a limited number of uses is not spent on it.
    pub(crate) async fn look_up_mount(&self, namespace: Option<&str>, path: &str, budget: &Budget) {
        if self.token_info.uses == 0 {
            mount_of(&self.server, namespace, &self.credential, path, budget).await;
        }
    }

    /// Renews the token. Returns its new TTL.
    pub(crate) async fn renew(&self, budget: &Budget) -> Result<Duration, VaultError> {
        let response = self.post_idempotent("auth/token/renew-self", "{}", "renew the token", budget).await?;
        Ok(response.seconds(&["auth", "lease_duration"]))
    }

    /// Checks that the token is valid. Needs the `default` policy, or another one that allows it.
    pub(crate) async fn look_up(&self, budget: &Budget) -> Result<(), VaultError> {
        let doing = "look up the token";
        let request = HttpRequest {
            method: &Method::GET,
            young_token: false,
            ..self.post_to("auth/token/lookup-self", None, doing)
        };
        let reply = self.server.send(&request, CallKind::Read, budget).await?;
        if reply.status.code.is_success() {
            Ok(())
        } else {
            Err(refused(doing.into(), CallKind::Read, &reply, None))
        }
    }

    /// Renews a lease for `increment`. Returns its new TTL.
    pub(crate) async fn renew_lease(
        &self,
        lease: &str,
        increment: Duration,
        budget: &Budget,
    ) -> Result<Duration, VaultError> {
        let body = json!({"lease_id": lease, "increment": increment.as_secs()}).to_string();
        let response = self.post_idempotent("sys/leases/renew", &body, "renew a lease", budget).await?;
        Ok(response.seconds(&["lease_duration"]))
    }

    /// Checks that a lease exists. Needs the `default` policy, or another one that allows it.
    pub(crate) async fn look_up_lease(&self, lease: &str, budget: &Budget) -> Result<(), VaultError> {
        let body = json!({"lease_id": lease}).to_string();
        self.post_idempotent("sys/leases/lookup", &body, "look up a lease", budget).await.map(drop)
    }

    /// Revokes the token, and with it its leases. A batch token cannot be revoked, and a role without the `default` policy may not revoke its
    /// own token: such tokens expire.
    ///
    /// # Errors
    /// Returns the login too, because its token is still valid.
    #[expect(private_interfaces, reason = "public for the example of `Login` alone")]
    pub async fn revoke(self, budget: &Budget) -> Result<(), (Box<Self>, VaultError)> {
        if self.token().is_none() {
            return Ok(());
        }
        let doing = "revoke the token";
        let request = self.post_to("auth/token/revoke-self", None, doing);
        match self.server.send(&request, CallKind::Idempotent, budget).await {
            // Vault responds with 204. Any other 2xx may be from a proxy, and the token still valid.
            Ok(reply) if reply.status.code == StatusCode::NO_CONTENT => Ok(()),
            Ok(reply) if reply.status.code.is_success() => match VaultResponse::parse(&reply.body, doing) {
                Ok(_) => Ok(()),
                Err(error) => Err((Box::new(self), error)),
            },
            Ok(reply) => Err((Box::new(self), refused(doing.into(), CallKind::Idempotent, &reply, None))),
            Err(error) => Err((Box::new(self), error)),
        }
    }

    /// Posts `body`, which is JSON, to `path`. Returns the response whatever its status is.
    pub(crate) async fn post(
        &self,
        path: &str,
        namespace: Option<&str>,
        body: &str,
        kind: CallKind,
        budget: &Budget,
    ) -> Result<HttpResponse, VaultError> {
        let doing = in_namespace(format!("POST {path}"), namespace);
        self.server.vaults.check_call(&self.server.spec, &Method::POST, path, &doing)?;
        // If every item of a batch fails, the response is a 400 with all results.
        let request = HttpRequest {
            body: Some(body),
            error_limit: BODY_LIMIT,
            ..self.post_to(path, namespace, &doing)
        };
        self.server.send(&request, kind, budget).await
    }

    /// Posts an idempotent request and returns the response.
    async fn post_idempotent(
        &self,
        path: &str,
        body: &str,
        doing: &str,
        budget: &Budget,
    ) -> Result<VaultResponse, VaultError> {
        let request = HttpRequest { body: Some(body), ..self.post_to(path, None, doing) };
        let reply = self.server.send(&request, CallKind::Idempotent, budget).await?;
        if !reply.status.code.is_success() {
            return Err(refused(doing.into(), CallKind::Idempotent, &reply, None));
        }
        let response = VaultResponse::parse(&reply.body, doing)?;
        self.server.report_warnings(&response, doing);
        Ok(response)
    }

    fn post_to<'a>(&'a self, path: &'a str, namespace: Option<&'a str>, doing: &'a str) -> HttpRequest<'a> {
        HttpRequest {
            namespace,
            credential: Some(&self.credential),
            young_token: self.authenticated_at.elapsed() < PROPAGATION_TIME,
            ..HttpRequest::post(path, doing)
        }
    }

    /// The path for the other version of the KV engine, if the request's path is wrong for the mount's version.
    async fn kv_hint(
        &self,
        request: &Request,
        namespace: Option<&str>,
        status: StatusCode,
        budget: &Budget,
    ) -> Option<Hint> {
        let is_refused_read =
            matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) && request.method == Method::GET;
        if !is_refused_read {
            return None;
        }
        let path = request.path.as_str();
        mount_of(&self.server, namespace, &self.credential, path, budget).await?.hint(path)
    }
}

/// True for paths whose responses have no `data` member: status, OpenID Connect and ACME.
fn has_own_form(path: &str) -> bool {
    path.starts_with("sys/")
        || path.contains("identity/oidc/provider/")
        || path.split('/').any(|part| matches!(part, ".well-known" | "acme"))
}

/// What a request does, for messages. Without query and body, which may hold secrets.
fn describe(request: &Request, namespace: Option<&str>) -> String {
    let doing = match request.method.as_str() {
        "GET" => format!("read {}", request.path),
        "LIST" => format!("list {}", request.path),
        method => format!("{method} {}", request.path),
    };
    in_namespace(doing, namespace)
}

/// `doing`, with the namespace if it is not the login's own.
pub(crate) fn in_namespace(doing: String, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("{doing} in namespace {namespace:?}"),
        None => doing,
    }
}
