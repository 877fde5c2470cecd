//! The state of one server that all calls to it share: the limit of concurrent calls, and the circuit breaker.

use metrics::gauge;
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{info, warn};

use super::VaultError;
use crate::limits::Budget;
use crate::mutex::Mutex;
use crate::vault::circuit::{Circuit, CircuitDecision};
use crate::vault::classify::refused;
use crate::vault::http::{Failed, HttpResponse};
use crate::vault::retry::{AttemptOutcome, CallKind};

/// Concurrent logins at one server. Each is a TokenReview at the API server, and after an outage all pods of a node log in at once.
const LOGINS: usize = 4;

/// The right to send a call. A login has a second permit.
pub(crate) type CallPermits<'p> = (SemaphorePermit<'p>, Option<SemaphorePermit<'p>>);

/// A server with one TLS setting.
pub(crate) struct Upstream {
    /// For log lines.
    address: String,
    calls: Semaphore,
    logins: Semaphore,
    state: Mutex<CircuitState>,
}

#[derive(Default)]
struct CircuitState {
    circuit: Circuit,
    /// The last failure: the error of calls that have no time to wait for the next attempt.
    error: Option<VaultError>,
}

impl Upstream {
    /// A server with at most `calls` concurrent calls.
    pub(crate) fn new(address: String, calls: usize) -> Self {
        Self {
            address,
            calls: Semaphore::new(calls),
            logins: Semaphore::new(LOGINS),
            state: Mutex::default(),
        }
    }

    /// Waits until a call may be sent: for a free slot, and while the server is down for the next probe.
    ///
    /// # Errors
    /// The last failure of the server, if the next probe is after the deadline; [`VaultError::Crowded`] if no slot became free.
    pub(crate) async fn admit(
        &self,
        doing: &str,
        kind: CallKind,
        budget: &Budget,
    ) -> Result<CallPermits<'_>, VaultError> {
        loop {
            let probe = {
                let mut state = self.state.lock();
                match state.circuit.decide(Instant::now()) {
                    CircuitDecision::Send => break,
                    CircuitDecision::WaitUntil(probe) if probe >= budget.end() => {
                        let out_of_time = || VaultError::OutOfTime { doing: doing.to_owned() };
                        return Err(state
                            .error
                            .as_ref()
                            .map_or_else(out_of_time, |error| error.clone().of_call(doing)));
                    }
                    CircuitDecision::WaitUntil(probe) => probe,
                }
            };
            sleep_until(probe).await;
        }
        let permits = async {
            let login = if kind == CallKind::Login { Some(self.logins.acquire().await?) } else { None };
            Ok::<_, AcquireError>((self.calls.acquire().await?, login))
        };
        let busy = || VaultError::Crowded { doing: doing.to_owned() };
        timeout_at(budget.end(), permits).await.ok().and_then(Result::ok).ok_or_else(busy)
    }

    /// Records how an attempt ended.
    pub(crate) fn record(&self, attempt: &Result<HttpResponse, Failed>) {
        // Our own limits say nothing about the server.
        if matches!(
            attempt,
            Err(Failed { error: VaultError::OutOfTime { .. } | VaultError::OutOfMemory { .. }, .. })
        ) {
            return;
        }
        let mut state = self.state.lock();
        let error = failure(attempt);
        let changed = state.circuit.record(error.is_some(), Instant::now());
        state.error = error;
        if !changed {
            return;
        }
        match &state.error {
            Some(error) if state.circuit.is_open() => {
                gauge!("vaultmount_servers_down").increment(1.0);
                warn!(
                    server = self.address,
                    "the server is down: 5 calls in a row failed; while mounts wait, one call is sent every 2 s: {error}"
                );
            }
            _ => {
                gauge!("vaultmount_servers_down").decrement(1.0);
                info!(server = self.address, "the server is up again");
            }
        }
    }
}

/// The error of an attempt that shows that the server is down, or that it cannot serve any call.
fn failure(attempt: &Result<HttpResponse, Failed>) -> Option<VaultError> {
    match attempt {
        Ok(reply) => {
            let is_down = matches!(reply.status.code.as_u16(), 502..=504) || reply.status.not_serving;
            is_down.then(|| refused(String::new(), CallKind::Read, reply, None))
        }
        Err(failed) => match failed.outcome {
            Some(AttemptOutcome::NotSent | AttemptOutcome::Unknown) => Some(failed.error.clone()),
            Some(AttemptOutcome::Answered(_)) | None => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn our_own_deadline_says_nothing_about_the_server() {
        let upstream = Upstream::new("http://vault".into(), 1);
        let failed = |error, outcome| Err(Failed { error, outcome });
        let unreachable = || {
            failed(VaultError::Unreachable { doing: String::new(), why: "" }, Some(AttemptOutcome::NotSent))
        };
        let is_open = || upstream.state.lock().circuit.is_open();
        for _ in 0..4 {
            upstream.record(&unreachable());
            upstream.record(&failed(VaultError::OutOfTime { doing: String::new() }, None));
        }
        assert!(!is_open());
        upstream.record(&unreachable());
        assert!(is_open(), "five failures in a row");
        upstream.record(&failed(VaultError::OutOfTime { doing: String::new() }, None));
        assert!(is_open(), "the server has not responded");
    }

    #[tokio::test]
    async fn logins_at_one_server_leave_slots_for_its_other_calls() {
        let upstream = Upstream::new("http://vault".into(), LOGINS + 1);
        let budget = Budget::lasting(Duration::from_millis(100));
        let mut under_way = Vec::new();
        for _ in 0..LOGINS {
            under_way.push(upstream.admit("log in", CallKind::Login, &budget).await.unwrap());
        }
        assert!(upstream.admit("log in", CallKind::Login, &budget).await.is_err(), "a fifth login");
        assert!(
            upstream.admit("read", CallKind::Read, &Budget::lasting(Duration::from_secs(5))).await.is_ok()
        );
    }
}
