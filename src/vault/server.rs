//! A server in one namespace: sends calls, retries them, and follows redirects.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use ::http::StatusCode;
use metrics::counter;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{VaultError, Vaults, http, probe};
use crate::limits::Budget;
use crate::limits::adaptive::Sample;
use crate::spec::ServerSpec;
use crate::vault::call_limits::CallPermit;
use crate::vault::http::{Failed, HttpRequest, HttpResponse};
use crate::vault::pool::Connection;
use crate::vault::retry::{AttemptOutcome, CallKind, RetryPolicy};
use crate::vault::upstream::Upstream;

/// After this time without the first byte of a response a server may be down. It is not the longest time of a call: some engines need more.
const FIRST_BYTE_TIME: Duration = Duration::from_secs(10);

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

    /// Waits until the time for retries has ended and the server of `spec` is down. Returns why, for `doing`: something that goes on in a task of
    /// its own, which a mount need not wait for any longer.
    pub(crate) async fn down(&self, spec: &ServerSpec, doing: &str, budget: &Budget) -> VaultError {
        sleep_until(budget.for_retries().end()).await;
        let Ok(Connection { upstream, .. }) = self.connection(spec) else { return pending().await };
        loop {
            upstream.is_down().await;
            if let Some(error) = upstream.error() {
                return error.of_call(doing);
            }
        }
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
        let upstream = &connection.upstream;
        let target = match kind {
            CallKind::Login => format!("{}/{}", self.namespace(request).unwrap_or_default(), request.path),
            CallKind::Read | CallKind::Write | CallKind::Idempotent => String::new(),
        };
        // Waits until the server is up and fewer calls run than its limit; fails at the end of the time for retries.
        let admitted = upstream.admit(request.doing, kind, &target, &budget.for_retries()).await;
        let permit = admitted.map_err(Failed::last)?;
        let begun = Instant::now();
        let attempt = self.send_once(&connection, kind, request, budget, &permit).await;
        let (sample, is_suspect) = judge(&attempt, begun.elapsed());
        sample.into_iter().for_each(|sample| permit.record(sample));
        if is_suspect {
            probe::suspect(&self.vaults, &self.spec, upstream);
        }
        attempt.map_err(|failed| named_by_probe(failed, upstream, request.doing))
    }

    /// Waits until a call without a response should be given up. After 10 s without a first byte the server is suspect; if a probe then says that
    /// it is down, a call that can be repeated is given up. A call that creates something goes on: the server may still execute it.
    async fn given_up(&self, upstream: &Arc<Upstream>, kind: CallKind, permit: &CallPermit<'_>) {
        loop {
            sleep(FIRST_BYTE_TIME).await;
            permit.record(Sample::Unanswered);
            probe::suspect(&self.vaults, &self.spec, upstream);
            if timeout(FIRST_BYTE_TIME, upstream.is_down()).await.is_ok() && kind.is_repeatable() {
                return;
            }
        }
    }

    async fn send_once(
        &self,
        connection: &Connection,
        kind: CallKind,
        request: &HttpRequest<'_>,
        budget: &Budget,
        permit: &CallPermit<'_>,
    ) -> Result<HttpResponse, Failed> {
        let given_up = || self.given_up(&connection.upstream, kind, permit);
        let namespace = self.namespace(request);
        let url = http::url(connection.base.clone(), request);
        let first = http::send(&connection.client, &url, namespace, request, budget, given_up()).await?;
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
        let second = http::send(&client, &to, namespace, request, budget, given_up()).await?;
        if http::redirect_target(&second, &to).is_some() {
            return Err(refused());
        }
        http::read(second, request, budget).await
    }

    fn namespace<'n>(&'n self, request: &HttpRequest<'n>) -> Option<&'n str> {
        request.namespace.or(self.spec.namespace.as_deref())
    }
}

/// What an attempt of `time` says about the server: the sample for the limit of concurrent calls, and whether the server may be down.
fn judge(attempt: &Result<HttpResponse, Failed>, time: Duration) -> (Option<Sample>, bool) {
    match attempt {
        Ok(reply) => {
            let is_busy = reply.status.code == StatusCode::TOO_MANY_REQUESTS;
            let sample = if is_busy { Sample::Slow } else { Sample::answered(time) };
            let is_suspect = matches!(reply.status.code.as_u16(), 502..=504) || reply.status.not_serving;
            (Some(sample), is_suspect)
        }
        // Our deadline says nothing by itself, but the deadlines of republishes are so short that no call of theirs waits for 10 s.
        Err(Failed { error: VaultError::OutOfTime { .. }, .. }) => {
            let sample = Some(Sample::answered(time)).filter(|sample| *sample == Sample::Slow);
            (sample, sample.is_some())
        }
        Err(failed) => match failed.outcome {
            Some(AttemptOutcome::NotSent | AttemptOutcome::Unknown) => (Some(Sample::Unanswered), true),
            Some(AttemptOutcome::Answered(_)) | None => (None, false),
        },
    }
}

/// The error of a call that got no response in its time: what the probe says, if the server is down.
fn named_by_probe(failed: Failed, upstream: &Upstream, doing: &str) -> Failed {
    match (&failed.error, upstream.error()) {
        (VaultError::OutOfTime { .. }, Some(error)) => Failed::last(error.of_call(doing)),
        _ => failed,
    }
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
