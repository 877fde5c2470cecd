//! What all calls to one server share: how many are on their way, and whether it is known to be down.

use crate::mutex::Mutex;

use metrics::gauge;
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{info, warn};

use super::VaultError;
use crate::limits::Budget;
use crate::vault::circuit::{Circuit, CircuitDecision};
use crate::vault::classify::refused;
use crate::vault::http::{Failed, HttpResponse};
use crate::vault::retry::{AttemptOutcome, CallKind};

/// Logins at one server at a time: each is a TokenReview at the API server, and after an outage a whole node asks for them at once.
const LOGINS: usize = 4;

/// The right to be on the way; a login needs two.
pub(crate) type CallPermits<'p> = (SemaphorePermit<'p>, Option<SemaphorePermit<'p>>);

/// One server, by address and TLS setting.
pub(crate) struct Upstream {
    /// For the log.
    address: String,
    calls: Semaphore,
    logins: Semaphore,
    down: Mutex<UpstreamDown>,
}

#[derive(Default)]
struct UpstreamDown {
    circuit: Circuit,
    /// Why: what those are told who cannot wait for the next call.
    error: Option<VaultError>,
}

impl Upstream {
    /// A server that takes so many calls at a time.
    pub(crate) fn new(address: String, calls: usize) -> Self {
        Self { address, calls: Semaphore::new(calls), logins: Semaphore::new(LOGINS), down: Mutex::default() }
    }

    /// Waits until a call may go: until there is room, and while the server is down until the next that tries. Who has no time for that is
    /// told what the last one met.
    pub(crate) async fn enter(
        &self,
        doing: &str,
        kind: CallKind,
        budget: &Budget,
    ) -> Result<CallPermits<'_>, VaultError> {
        loop {
            let probe = {
                let mut down = self.down.lock();
                match down.circuit.turn(Instant::now()) {
                    CircuitDecision::Go => break,
                    CircuitDecision::Wait(probe) if probe >= budget.end() => {
                        let out_of_time = || VaultError::OutOfTime { doing: doing.to_owned() };
                        return Err(down
                            .error
                            .as_ref()
                            .map_or_else(out_of_time, |error| error.clone().of(doing)));
                    }
                    CircuitDecision::Wait(probe) => probe,
                }
            };
            sleep_until(probe).await;
        }
        let turn = async {
            let login = if kind == CallKind::Login { Some(self.logins.acquire().await?) } else { None };
            Ok::<_, AcquireError>((self.calls.acquire().await?, login))
        };
        let busy = || VaultError::Crowded { doing: doing.to_owned() };
        timeout_at(budget.end(), turn).await.ok().and_then(Result::ok).ok_or_else(busy)
    }

    /// Takes in how a call ended.
    pub(crate) fn after(&self, tried: &Result<HttpResponse, Failed>) {
        // Our own end says nothing of the server.
        if matches!(
            tried,
            Err(Failed { error: VaultError::OutOfTime { .. } | VaultError::OutOfMemory { .. }, .. })
        ) {
            return;
        }
        let mut down = self.down.lock();
        let error = failure(tried);
        let turned = down.circuit.after(error.is_some(), Instant::now());
        down.error = error;
        if !turned {
            return;
        }
        match &down.error {
            Some(error) if down.circuit.is_open() => {
                gauge!("vaultmount_servers_down").increment(1.0);
                warn!(
                    server = self.address,
                    "the server is taken as down, and asked every 2 s while somebody waits: {error}"
                );
            }
            _ => {
                gauge!("vaultmount_servers_down").decrement(1.0);
                info!(server = self.address, "the server answers again");
            }
        }
    }
}

/// The failure that says the server is down, or cannot serve anybody.
fn failure(tried: &Result<HttpResponse, Failed>) -> Option<VaultError> {
    match tried {
        Ok(reply) => {
            let gone = matches!(reply.status.code.as_u16(), 502..=504) || reply.status.not_serving;
            gone.then(|| refused(String::new(), CallKind::Read, reply, None))
        }
        Err(failed) => failed
            .outcome
            .filter(|outcome| matches!(outcome, AttemptOutcome::NotSent | AttemptOutcome::Unknown))
            .map(|_| failed.error.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn an_end_of_our_own_says_nothing_of_the_server() {
        let place = Upstream::new("http://vault".into(), 1);
        let failed = |error, outcome| Err(Failed { error, outcome });
        let unreachable = || {
            failed(VaultError::Unreachable { doing: String::new(), why: "" }, Some(AttemptOutcome::NotSent))
        };
        let is_open = || place.down.lock().circuit.is_open();
        for _ in 0..4 {
            place.after(&unreachable());
            place.after(&failed(VaultError::OutOfTime { doing: String::new() }, None));
        }
        assert!(!is_open());
        place.after(&unreachable());
        assert!(is_open(), "five failures in a row");
        place.after(&failed(VaultError::OutOfTime { doing: String::new() }, None));
        assert!(is_open(), "nobody has answered");
    }

    #[tokio::test]
    async fn logins_at_one_server_leave_room_for_its_other_calls() {
        let place = Upstream::new("http://vault".into(), LOGINS + 1);
        let budget = Budget::lasting(Duration::from_millis(100));
        let mut under_way = Vec::new();
        for _ in 0..LOGINS {
            under_way.push(place.enter("log in", CallKind::Login, &budget).await.unwrap());
        }
        assert!(place.enter("log in", CallKind::Login, &budget).await.is_err(), "a fifth login");
        assert!(place.enter("read", CallKind::Read, &Budget::lasting(Duration::from_secs(5))).await.is_ok());
    }
}
