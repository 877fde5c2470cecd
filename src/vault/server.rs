//! A server in one namespace: sends calls, retries them, and follows redirects.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::{VaultError, Vaults, http};
use crate::limits::Budget;
use crate::spec::ServerSpec;
use crate::vault::http::{Failed, HttpRequest, HttpResponse};
use crate::vault::pool::Connection;
use crate::vault::retry::{AttemptOutcome, CallKind, RetryPolicy};

/// The characters that Go does not percent-encode in a URL's path. All others are encoded, `%` too.
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

/// A server that tokens may be sent to, in one Vault namespace.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) vaults: Vaults,
    pub(crate) spec: Arc<ServerSpec>,
}

impl Vaults {
    /// The server of `spec`. Connects when the first call is made.
    ///
    /// # Errors
    /// If tokens may not be sent to it, or its TLS setting cannot be used.
    pub(crate) fn server(&self, spec: &ServerSpec) -> Result<Server, VaultError> {
        self.connection(spec)?;
        Ok(Server { vaults: self.clone(), spec: Arc::new(spec.clone()) })
    }
}

impl Server {
    /// The address, the namespace and the TLS setting.
    pub(crate) fn spec(&self) -> &ServerSpec {
        &self.spec
    }

    /// The time for a call that its mount does not cut short.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.vaults.request_timeout()
    }

    /// Sends `request`, and retries it until an attempt is final or the time for retries ends.
    pub(crate) async fn send(
        &self,
        request: &HttpRequest<'_>,
        kind: CallKind,
        budget: &Budget,
    ) -> Result<HttpResponse, VaultError> {
        let retry_budget = budget.for_retries();
        let mut policy = RetryPolicy::new(kind, request.young_token, retry_budget.end());
        let mut previous = None;
        loop {
            let budget = if previous.is_none() { budget } else { &retry_budget };
            let attempt = self.attempt(request, kind, budget).await;
            count(kind, &attempt);
            let outcome = match &attempt {
                Ok(reply) => Some(AttemptOutcome::Answered(reply.status)),
                Err(failed) => failed.outcome,
            };
            match outcome.and_then(|outcome| policy.next(outcome, Instant::now(), rand::random())) {
                Some(moment) => {
                    previous = Some(attempt);
                    sleep_until(moment).await;
                }
                None => return more_specific(attempt, previous).map_err(|failed| failed.error),
            }
        }
    }

    /// Sends `request` once. Follows one redirect, if tokens may be sent to its target.
    pub(crate) async fn attempt(
        &self,
        request: &HttpRequest<'_>,
        kind: CallKind,
        budget: &Budget,
    ) -> Result<HttpResponse, Failed> {
        let connection = self.vaults.connection(&self.spec).map_err(Failed::last)?;
        let admitted = connection.upstream.admit(request.doing, kind, &budget.for_retries()).await;
        let _permits = admitted.map_err(Failed::last)?;
        let attempt = self.send_once(&connection, request, budget).await;
        connection.upstream.record(&attempt);
        attempt
    }

    async fn send_once(
        &self,
        connection: &Connection,
        request: &HttpRequest<'_>,
        budget: &Budget,
    ) -> Result<HttpResponse, Failed> {
        let url = url(connection.base.clone(), request);
        let first = http::send(&connection.client, &url, self.namespace(request), request, budget).await?;
        let Some(to) = http::redirect_target(&first, &url) else {
            return http::read(first, request, budget).await;
        };
        let refused = || {
            Failed::last(VaultError::Redirect {
                doing: request.doing.to_owned(),
                to: to.origin().ascii_serialization(),
            })
        };
        let downgraded = url.scheme() == "https" && to.scheme() != "https";
        // A standby keeps path and query. Anything else would be the response for another secret.
        let is_other_path = (to.path(), to.query()) != (url.path(), url.query());
        let client = if to.origin() == url.origin() {
            Some(connection.client.clone())
        } else {
            self.vaults.redirect_client(&self.spec, &to)
        };
        let client = client.filter(|_| !downgraded && !is_other_path).ok_or_else(refused)?;
        let second = http::send(&client, &to, self.namespace(request), request, budget).await?;
        if http::redirect_target(&second, &to).is_some() {
            return Err(refused());
        }
        http::read(second, request, budget).await
    }

    fn namespace<'n>(&'n self, request: &HttpRequest<'n>) -> Option<&'n str> {
        request.namespace.or(self.spec.namespace.as_deref())
    }
}

/// The URL of `request`; `url` is the base URL of the server.
fn url(mut url: Url, request: &HttpRequest<'_>) -> Url {
    let path = format!("{}v1/{}", url.path(), utf8_percent_encode(request.path, PATH));
    url.set_path(&path);
    if !request.query.is_empty() {
        url.query_pairs_mut().extend_pairs(request.query);
    }
    url
}

/// Statuses that have a metric label of their own; all others are `other`.
const STATUSES: [(u16, &str); 12] = [
    (200, "200"),
    (204, "204"),
    (400, "400"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (412, "412"),
    (429, "429"),
    (500, "500"),
    (502, "502"),
    (503, "503"),
    (504, "504"),
];

fn count(kind: CallKind, attempt: &Result<HttpResponse, Failed>) {
    let label =
        |code: u16| STATUSES.iter().find(|(status, _)| *status == code).map_or("other", |(_, label)| label);
    let status = attempt.as_ref().map_or("none", |reply| label(reply.status.code.as_u16()));
    let kind = match kind {
        CallKind::Read => "read",
        CallKind::Write => "write",
        CallKind::Idempotent => "keep",
        CallKind::Login => "login",
    };
    counter!("vaultmount_vault_calls_total", "kind" => kind, "status" => status).increment(1);
}

/// The last attempt; or the one before it, if the deadline cut the last one short. What the server responded is more specific than a timeout, and
/// does not depend on the random pauses.
fn more_specific(
    last: Result<HttpResponse, Failed>,
    previous: Option<Result<HttpResponse, Failed>>,
) -> Result<HttpResponse, Failed> {
    match (last, previous) {
        (Err(Failed { error: VaultError::OutOfTime { .. }, .. }), Some(previous)) => previous,
        (last, _) => last,
    }
}
