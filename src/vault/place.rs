//! What all calls to one server share: how many are on their way, and whether it is known to be down.

use std::sync::{Mutex, PoisonError};

use metrics::gauge;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{info, warn};

use super::budget::Budget;
use super::circuit::{Circuit, Turn};
use super::error::VaultError;
use super::exchange::{Failed, Reply};
use super::refusal::refused;
use super::retry::{CallKind, Outcome};

/// One server, by address and TLS setting.
pub(super) struct Place {
    /// For the log.
    address: String,
    calls: Semaphore,
    down: Mutex<Down>,
}

#[derive(Default)]
struct Down {
    circuit: Circuit,
    /// Why: what those are told who cannot wait for the next call.
    error: Option<VaultError>,
}

impl Place {
    /// A server that takes so many calls at a time.
    pub(super) fn new(address: String, calls: usize) -> Self {
        Self { address, calls: Semaphore::new(calls), down: Mutex::default() }
    }

    /// Waits until a call may go: until there is room, and while the server is down until the next that tries. Who has no time for that is
    /// told what the last one met.
    pub(super) async fn enter(&self, doing: &str, budget: &Budget) -> Result<SemaphorePermit<'_>, VaultError> {
        loop {
            let probe = {
                let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
                match down.circuit.turn(Instant::now()) {
                    Turn::Go => break,
                    Turn::Wait(probe) if probe >= budget.end() => {
                        let out_of_time = || VaultError::OutOfTime { doing: doing.to_owned() };
                        return Err(down.error.as_ref().map_or_else(out_of_time, |error| error.clone().of(doing)));
                    }
                    Turn::Wait(probe) => probe,
                }
            };
            sleep_until(probe).await;
        }
        let busy = |_| VaultError::Crowded { doing: doing.to_owned() };
        timeout_at(budget.end(), self.calls.acquire()).await.map_err(busy)?.map_err(|_| VaultError::OutOfTime { doing: doing.to_owned() })
    }

    /// Takes in how a call ended.
    pub(super) fn after(&self, tried: &Result<Reply, Failed>) {
        let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        let error = failure(tried);
        let turned = down.circuit.after(error.is_some(), Instant::now());
        down.error = error;
        if !turned {
            return;
        }
        match &down.error {
            Some(error) if down.circuit.is_open() => {
                gauge!("vaultmount_servers_down").increment(1.0);
                warn!(server = self.address, "the server is taken as down, and asked every 2 s while somebody waits: {error}");
            }
            _ => {
                gauge!("vaultmount_servers_down").decrement(1.0);
                info!(server = self.address, "the server answers again");
            }
        }
    }
}

/// The failure that says the server is down, or cannot serve anybody.
fn failure(tried: &Result<Reply, Failed>) -> Option<VaultError> {
    match tried {
        Ok(reply) => {
            let gone = matches!(reply.status.code.as_u16(), 502..=504) || reply.status.not_serving;
            gone.then(|| refused(String::new(), CallKind::Read, reply, None))
        }
        Err(failed) => {
            failed.outcome.filter(|outcome| matches!(outcome, Outcome::NotSent | Outcome::Unknown)).map(|_| failed.error.clone())
        }
    }
}
