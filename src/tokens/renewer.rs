//! Keeps a token and its leases alive: the thin driver of the pure step in `rotation`, one for each login.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tracing::{debug, warn};

use super::OnRelease;
use crate::error::Reason;
use crate::limits::Budget;
use crate::renewal::{Action, Event, LeaseId, Renewed, UnixMillis, Warning};
use crate::state::RecordId;
use crate::supervise::{caught, supervise};
use crate::tokens::revoker::{TokenRevoker, counted};
use crate::tokens::vault_token::TokenLife;
use crate::vault::{Login, VaultError};

/// Time of one renewal, tries included.
const TIME: Duration = Duration::from_secs(20);

/// The name of the task, in the log and in its metric.
const TASK: &str = "token-renewer";

/// What keeps one login.
pub(crate) struct TokenRenewer {
    pub(crate) login: Arc<Login>,
    pub(crate) life: Arc<TokenLife>,
    pub(crate) record: RecordId,
    /// A digest of server and role.
    pub(crate) role: u64,
    pub(crate) closer: TokenRevoker,
    pub(crate) queue: mpsc::UnboundedReceiver<Action>,
}

type Call = BoxFuture<'static, Event>;

impl TokenRenewer {
    /// Does what is due until nobody holds the login any more, then gives it back. A panic in between ends no renewal.
    pub(crate) async fn keep(self, gone: oneshot::Receiver<Infallible>) {
        let (keeper, _) =
            supervise(TASK, (self, gone), |(keeper, gone)| keeper.renew_until(gone).boxed()).await;
        match (keeper.life.ending(), Arc::into_inner(keeper.login)) {
            // The server keeps nothing of a batch token that it could revoke.
            (OnRelease::Revoke, Some(login)) if !login.token_info().batch => {
                keeper.closer.close(login, keeper.record)
            }
            (OnRelease::Persist, _) => counted("kept"),
            (OnRelease::Revoke | OnRelease::LetExpire, _) => {
                counted("left");
                keeper.closer.remove(&keeper.record);
            }
        }
    }

    async fn renew_until(&mut self, gone: &mut oneshot::Receiver<Infallible>) {
        let mut calls = FuturesUnordered::new();
        let mut wakes = None;
        loop {
            tokio::select! {
                _ = &mut *gone => break,
                Some(action) = self.queue.recv() => match action {
                    Action::WaitUntil(at) => wakes = Some(at),
                    Action::Warn(warning) => self.warn(warning),
                    Action::RenewToken => calls.push(renew(Arc::clone(&self.login))),
                    Action::RenewLease(id, increment) => calls.push(renew_lease(Arc::clone(&self.login), id, increment)),
                },
                Some(event) = calls.next() => self.life.happens(event),
                () = until(wakes) => {
                    wakes = None;
                    self.life.happens(Event::Tick);
                }
            }
        }
    }

    /// Once for each role: its next token is no other.
    fn warn(&self, warning: Warning) {
        if !self.closer.is_news((self.role, warning)) {
            return;
        }
        let server = &self.login.server().spec().address;
        match warning {
            Warning::Degraded => {
                warn!(%server, "a token cannot be renewed (a batch token, or a role without the default policy): \
                 what hangs on it is made anew before its end")
            }
            Warning::LeaseRefused => {
                warn!(%server, "a renewable lease was refused its renewal: what it is of is made anew before its end")
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
            // Somebody revoked it: what it was of is dead already.
            Some(Err(VaultError::Answered { text: Some("lease not found"), .. })) => Event::LeaseGone(id),
            outcome => Event::LeaseRenewed(id, outcome.map_or(Renewed::Failed, renewed)),
        }
    }
    .boxed()
}

/// A definite no, or nothing that says anything of the thing itself.
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
