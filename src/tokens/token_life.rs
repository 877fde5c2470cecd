//! The terms of a token and its leases, shared by the token's users and its renewer.

use std::sync::MutexGuard;

use tokio::sync::mpsc;

use crate::mutex::Mutex;
use crate::renewal;
use crate::renewal::{Action, Event, State, UnixMillis};

/// What happens to a token when its last user releases it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnRelease {
    /// The token is revoked, and its leases with it.
    #[default]
    Revoke,
    /// The token expires with its TTL: a pod may still use its leases.
    LetExpire,
    /// The token stays in its record, from which the next process takes it over.
    Persist,
}

/// The state of renewal, the queue to the renewer, and what happens at the end.
pub(crate) struct TokenLife {
    state: Mutex<State>,
    actions: mpsc::UnboundedSender<Action>,
    on_release: Mutex<OnRelease>,
}

impl TokenLife {
    /// The life of a token in `state`; `actions` are carried out by the renewer.
    pub(crate) fn new(state: State, actions: mpsc::UnboundedSender<Action>) -> Self {
        Self { state: Mutex::new(state), actions, on_release: Mutex::default() }
    }

    /// The terms of the token and its leases.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Applies `event` and queues the actions that follow from it.
    pub(crate) fn apply(&self, event: Event) {
        let actions = renewal::next(&mut self.state(), event, UnixMillis::now(), rand::random());
        for action in actions {
            // The renewer has ended when the send fails. Nothing is left to do then.
            let _ = self.actions.send(action);
        }
    }

    /// What happens when the last user releases the token.
    pub(crate) fn on_release(&self) -> OnRelease {
        *self.on_release.lock()
    }

    /// Sets what happens when the last user releases the token.
    pub(crate) fn set_on_release(&self, on_release: OnRelease) {
        *self.on_release.lock() = on_release;
    }
}
