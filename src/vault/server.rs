//! A server in one namespace: asked until a reply stands, redirected by hand.

use std::sync::Arc;

use metrics::counter;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::VaultError;
use super::Vaults;
use super::http;
use crate::limits::Budget;
use crate::spec::ServerSpec;
use crate::vault::http::{Failed, HttpRequest, HttpResponse};
use crate::vault::pool::Link;
use crate::vault::retry::{AttemptOutcome, CallKind, RetryPolicy};

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
#[derive(Clone)]
pub struct Server {
    pub(crate) vaults: Vaults,
    pub(crate) spec: Arc<ServerSpec>,
}

impl Server {
    /// Where it is, and how it is reached.
    pub fn spec(&self) -> &ServerSpec {
        &self.spec
    }

    /// Sends `ask` until a reply stands or nothing more may be tried.
    pub(crate) async fn ask(
        &self,
        ask: &HttpRequest<'_>,
        kind: CallKind,
        budget: &Budget,
    ) -> Result<HttpResponse, VaultError> {
        let again = budget.for_another_try();
        let mut tries = RetryPolicy::new(kind, ask.young, again.end());
        let mut before = None;
        loop {
            let tried = self.exchange(ask, kind, if before.is_none() { budget } else { &again }).await;
            count(kind, &tried);
            let outcome = match &tried {
                Ok(reply) => Some(AttemptOutcome::Answered(reply.status)),
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

    /// Sends `ask` once, and once more to where the server redirects, when tokens may go there.
    pub(crate) async fn exchange(
        &self,
        ask: &HttpRequest<'_>,
        kind: CallKind,
        budget: &Budget,
    ) -> Result<HttpResponse, Failed> {
        let link = self.vaults.link(&self.spec).map_err(Failed::last)?;
        let _turn =
            link.place.enter(ask.doing, kind, &budget.for_another_try()).await.map_err(Failed::last)?;
        let tried = self.send(&link, ask, budget).await;
        link.place.after(&tried);
        tried
    }

    async fn send(
        &self,
        link: &Link,
        ask: &HttpRequest<'_>,
        budget: &Budget,
    ) -> Result<HttpResponse, Failed> {
        let url = url(link.base.clone(), ask);
        let first = http::send(&link.client, &url, self.namespace(ask), ask, budget).await?;
        let Some(to) = http::redirection(&first, &url) else { return http::reply(first, ask, budget).await };
        let refused = || {
            Failed::last(VaultError::Redirect {
                doing: ask.doing.to_owned(),
                to: to.origin().ascii_serialization(),
            })
        };
        let downgraded = url.scheme() == "https" && to.scheme() != "https";
        let client = if to.origin() == url.origin() {
            Some(link.client.clone())
        } else {
            self.vaults.redirected(&self.spec, &to)
        };
        let client = client.filter(|_| !downgraded).ok_or_else(refused)?;
        let second = http::send(&client, &to, self.namespace(ask), ask, budget).await?;
        if http::redirection(&second, &to).is_some() {
            Err(refused())
        } else {
            http::reply(second, ask, budget).await
        }
    }

    fn namespace<'n>(&'n self, ask: &HttpRequest<'n>) -> Option<&'n str> {
        ask.namespace.or(self.spec.namespace.as_deref())
    }
}

/// Where `ask` goes, at the server whose API lies below `url`.
fn url(mut url: Url, ask: &HttpRequest<'_>) -> Url {
    let path = format!("{}v1/{}", url.path(), utf8_percent_encode(ask.path, PATH));
    url.set_path(&path);
    if !ask.query.is_empty() {
        url.query_pairs_mut().extend_pairs(ask.query);
    }
    url
}

/// Statuses that are counted by their number; the labels of a metric are few.
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

fn count(kind: CallKind, tried: &Result<HttpResponse, Failed>) {
    let word =
        |code: u16| STATUSES.iter().find(|(status, _)| *status == code).map_or("other", |(_, word)| word);
    let status = tried.as_ref().map_or("none", |reply| word(reply.status.code.as_u16()));
    let kind = match kind {
        CallKind::Read => "read",
        CallKind::Write => "write",
        CallKind::Again => "keep",
        CallKind::Login => "login",
    };
    counter!("vaultmount_vault_calls_total", "kind" => kind, "status" => status).increment(1);
}

/// The last try, or the one before when the last was cut short by the clock: what the server did tells more than that
/// time ran out, and does not depend on how the pauses fell.
fn telling(
    last: Result<HttpResponse, Failed>,
    before: Option<Result<HttpResponse, Failed>>,
) -> Result<HttpResponse, Failed> {
    match (last, before) {
        (Err(Failed { error: VaultError::OutOfTime { .. }, .. }), Some(before)) => before,
        (last, _) => last,
    }
}
