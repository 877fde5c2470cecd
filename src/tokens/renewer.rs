//! Renews a token and its leases: carries out the actions of the pure step in `renewal`, one task for each token.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tracing::{debug, warn};

use super::revoker::{TokenRevoker, count_closed};
use super::token_life::{OnRelease, TokenLife};
use crate::error::Reason;
use crate::limits::Budget;
use crate::renewal::{Action, Event, LeaseId, Renewed, UnixMillis, Warning};
use crate::state::RecordId;
use crate::supervise::{caught, supervise};
use crate::vault::{Login, VaultError};

/// Time of one renewal, retries included.
const TIME: Duration = Duration::from_secs(20);

/// The name of the task in the log and in its metric.
const TASK: &str = "token-renewer";

/// The renewer of one token.
pub(crate) struct TokenRenewer {
    pub(crate) login: Arc<Login>,
    pub(crate) life: Arc<TokenLife>,
    pub(crate) record: RecordId,
    /// A hash of server and role: each role is warned about once.
    pub(crate) role: u64,
    pub(crate) revoker: TokenRevoker,
    pub(crate) queue: mpsc::UnboundedReceiver<Action>,
}

type Call = BoxFuture<'static, Event>;

impl TokenRenewer {
    /// Renews until the last user releases the token, then revokes it or leaves it, as `OnRelease` says. A panic in between ends no renewal.
    pub(crate) async fn run(self, released: oneshot::Receiver<Infallible>) {
        let (renewer, _) =
            supervise(TASK, (self, released), |(renewer, released)| renewer.renew_until(released).boxed())
                .await;
        match (renewer.life.on_release(), Arc::into_inner(renewer.login)) {
            // The server cannot revoke a batch token: it stores none.
            (OnRelease::Revoke, Some(login)) if !login.token_info().batch => {
                renewer.revoker.revoke(login, renewer.record)
            }
            (OnRelease::Persist, _) => count_closed("kept"),
            (OnRelease::Revoke | OnRelease::LetExpire, _) => {
                count_closed("left");
                renewer.revoker.remove_record(&renewer.record);
            }
        }
    }

    async fn renew_until(&mut self, released: &mut oneshot::Receiver<Infallible>) {
        let mut calls = FuturesUnordered::new();
        let mut wakes_at = None;
        loop {
            tokio::select! {
                _ = &mut *released => break,
                Some(action) = self.queue.recv() => match action {
                    Action::WaitUntil(at) => wakes_at = Some(at),
                    Action::Warn(warning) => self.warn(warning),
                    Action::RenewToken => calls.push(renew(Arc::clone(&self.login))),
                    Action::RenewLease(id, increment) => calls.push(renew_lease(Arc::clone(&self.login), id, increment)),
                },
                Some(event) = calls.next() => self.life.apply(event),
                () = until(wakes_at) => {
                    wakes_at = None;
                    self.life.apply(Event::Tick);
                }
            }
        }
    }

    /// Warns once for each role, for the next token of a role has the same fault.
    fn warn(&self, warning: Warning) {
        if !self.revoker.is_new_warning(self.role, warning) {
            return;
        }
        let server = &self.login.server().spec().address;
        match warning {
            Warning::Degraded => {
                warn!(%server, "a token cannot be renewed (a batch token, or a role without the default policy): \
                 everything that it issued is replaced before the token expires")
            }
            Warning::LeaseRefused => {
                warn!(%server, "the server refused to renew a renewable lease: its credential is replaced before the lease expires")
            }
        }
    }
}

fn renew(login: Arc<Login>) -> Call {
    async move {
        let outcome = caught(TASK, async { login.renew(&Budget::lasting(TIME)).await }).await;
        Event::TokenRenewed(outcome.map_or(Renewed::Failed, renewed))
    }
    .boxed()
}

fn renew_lease(login: Arc<Login>, id: LeaseId, increment: Duration) -> Call {
    async move {
        match caught(TASK, async { login.renew_lease(&id.0, increment, &Budget::lasting(TIME)).await }).await
        {
            // Somebody revoked the lease: its credential no longer works.
            Some(Err(VaultError::Answered { text: Some("lease not found"), .. })) => Event::LeaseGone(id),
            outcome => Event::LeaseRenewed(id, outcome.map_or(Renewed::Failed, renewed)),
        }
    }
    .boxed()
}

/// Whether the server granted time, refused for good, or said nothing about the token or lease itself.
fn renewed(outcome: Result<Duration, VaultError>) -> Renewed {
    match outcome {
        Ok(ttl) => Renewed::For(ttl),
        Err(error) => {
            debug!("{error}");
            let refused = matches!(error.reason(), Reason::ReadDenied | Reason::NotFound | Reason::Rejected);
            if refused { Renewed::Refused } else { Renewed::Failed }
        }
    }
}

async fn until(at: Option<UnixMillis>) {
    match at {
        Some(at) => sleep(at.since(UnixMillis::now())).await,
        None => pending().await,
    }
}
