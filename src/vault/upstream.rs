//! The state of one server that all calls to it share: the limits of concurrent calls, and the circuit breaker.

use std::num::NonZeroUsize;
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{info, warn};

use super::VaultError;
use crate::limits::Budget;
use crate::mutex::Mutex;
use crate::vault::call_limits::{CallLimits, CallPermit};
use crate::vault::circuit::{Action, Circuit, Event};
use crate::vault::retry::CallKind;

/// A server that nothing has called for this long is probed no more, and does not count as down.
const UNUSED: Duration = Duration::from_secs(600);
/// The calls that waited for a server are sent within this time after it is up.
const RELEASE_TIME: Duration = Duration::from_millis(500);

/// A server with one TLS setting.
pub(crate) struct Upstream {
    /// For log lines.
    address: String,
    limits: CallLimits,
    state: Mutex<CircuitState>,
    /// While the server is down: the error of the last probe.
    down: watch::Sender<Option<VaultError>>,
}

struct CircuitState {
    circuit: Circuit,
    last_call: Instant,
    /// While the circuit is open.
    gauge: Option<DownGauge>,
}

/// Counts a server as down, until it is dropped: a server that is forgotten is not down for ever.
struct DownGauge;

impl Upstream {
    /// A server with at most `calls` concurrent calls.
    pub(crate) fn new(address: String, calls: NonZeroUsize) -> Self {
        let state = CircuitState { circuit: Circuit::default(), last_call: Instant::now(), gauge: None };
        Self {
            address,
            limits: CallLimits::new(calls),
            state: Mutex::new(state),
            down: watch::Sender::new(None),
        }
    }

    /// Waits until a call may be sent: while the server is down for a probe that succeeds, then for a permit. `target` is the Vault namespace and
    /// the path of a login.
    ///
    /// # Errors
    /// The error of the last probe, if the server is still down at the end of `budget`; [`VaultError::Crowded`] if no permit became free.
    pub(crate) async fn admit(
        &self,
        doing: &str,
        kind: CallKind,
        target: &str,
        budget: &Budget,
    ) -> Result<CallPermit<'_>, VaultError> {
        self.state.lock().last_call = Instant::now();
        loop {
            self.is_up(budget).await.map_err(|error| error.of_call(doing))?;
            let permit = self.limits.acquire(kind, target, budget).await;
            // The server may have gone down while the call waited for its permit.
            match self.error() {
                None => return permit.ok_or_else(|| VaultError::Crowded { doing: doing.to_owned() }),
                Some(error) if permit.is_none() => return Err(error.of_call(doing)),
                Some(_) => {}
            }
        }
    }

    /// Waits until the server is up; not at all if it is. Calls that have waited go on one after the other.
    async fn is_up(&self, budget: &Budget) -> Result<(), VaultError> {
        let Some(error) = self.error() else { return Ok(()) };
        let mut down = self.down.subscribe();
        let up = timeout_at(budget.end(), down.wait_for(Option::is_none)).await.is_ok();
        if !up {
            return Err(self.error().unwrap_or(error));
        }
        sleep_until(budget.within(RELEASE_TIME.mul_f64(rand::random()))).await;
        Ok(())
    }

    /// The error of the last probe while the server is down.
    pub(crate) fn error(&self) -> Option<VaultError> {
        self.down.borrow().clone()
    }

    /// Waits until the server is down.
    pub(crate) async fn is_down(&self) {
        let mut down = self.down.subscribe();
        // The sender lives as long as `self`.
        _ = down.wait_for(Option::is_some).await;
    }

    /// Records that a call failed in a way that a server that is down could cause. If no probe is under way: when to send one. The caller must then
    /// probe, until [`Self::probed`] or [`Self::forget`] ends that.
    #[must_use]
    pub(crate) fn suspect(&self) -> Option<Instant> {
        self.next(Event::Suspected, None)
    }

    /// Records the result of a probe: `None` if the server is up. Returns when to send the next one.
    pub(crate) fn probed(&self, error: Option<VaultError>) -> Option<Instant> {
        let is_unused = self.state.lock().last_call.elapsed() >= UNUSED;
        let outcome = if error.is_some() { "down" } else { "up" };
        counter!("vaultmount_probes_total", "outcome" => outcome).increment(1);
        match error {
            None => self.next(Event::ProbeUp, None),
            Some(_) if is_unused => self.next(Event::Unused, None),
            Some(error) => self.next(Event::ProbeDown, Some(error)),
        }
    }

    /// Forgets that the server is down, because it cannot be probed any more.
    pub(crate) fn forget(&self) {
        _ = self.next(Event::Unused, None);
    }

    fn next(&self, event: Event, error: Option<VaultError>) -> Option<Instant> {
        let mut state = self.state.lock();
        let was_open = state.gauge.is_some();
        let (circuit, action) = state.circuit.next(event, Instant::now(), rand::random());
        state.circuit = circuit;
        let is_open = matches!(circuit, Circuit::Open { .. });
        match (was_open, is_open, &error) {
            (false, true, Some(error)) => {
                state.gauge = Some(DownGauge::new());
                warn!(
                    server = self.address,
                    "the server is down: calls wait until it answers a probe of its health: {error}"
                );
            }
            (true, false, _) => {
                state.gauge = None;
                let text =
                    if event == Event::ProbeUp { "the server is up again" } else { "the server is unused" };
                info!(server = self.address, text);
            }
            _ => {}
        }
        match event {
            Event::Suspected => {}
            Event::ProbeUp | Event::ProbeDown | Event::Unused => {
                self.down.send_replace(error.filter(|_| is_open));
            }
        }
        match action {
            Action::ProbeAt(moment) => Some(moment),
            Action::None | Action::Stop => None,
        }
    }
}

impl DownGauge {
    fn new() -> Self {
        gauge!("vaultmount_servers_down").increment(1.0);
        Self
    }
}

impl Drop for DownGauge {
    fn drop(&mut self) {
        gauge!("vaultmount_servers_down").decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    fn upstream() -> Upstream {
        Upstream::new("http://vault".into(), NonZeroUsize::new(64).unwrap())
    }

    fn refused() -> VaultError {
        VaultError::Unreachable { doing: "check the server".into(), why: "the connection was refused" }
    }

    fn lasting(seconds: u64) -> Budget {
        Budget::lasting(Duration::from_secs(seconds))
    }

    async fn read(upstream: &Upstream, budget: Budget) -> Result<(), VaultError> {
        upstream.admit("read a/b", CallKind::Read, "", &budget).await.map(drop)
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_fail_send_one_probe_and_hold_no_other_call_back() {
        let upstream = upstream();
        assert_eq!(upstream.suspect(), Some(Instant::now()));
        for _ in 0..100 {
            assert_eq!(upstream.suspect(), None, "a probe is under way");
            assert_eq!(read(&upstream, lasting(1)).await, Ok(()));
        }
        assert_eq!(upstream.probed(None), None);
        assert_eq!(upstream.suspect(), Some(Instant::now() + Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_to_a_server_that_is_down_reports_its_own_work_and_the_error_of_the_probe() {
        let upstream = upstream();
        assert!(upstream.suspect().is_some());
        assert!(upstream.probed(Some(refused())).is_some());
        let begun = Instant::now();
        let expected =
            VaultError::Unreachable { doing: "read a/b".into(), why: "the connection was refused" };
        assert_eq!(read(&upstream, lasting(4)).await, Err(expected));
        assert_eq!(begun.elapsed().as_secs(), 4, "it waited until the end of its budget");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_waited_for_a_server_are_sent_one_after_the_other() {
        let upstream = upstream();
        assert!(upstream.suspect().is_some());
        assert!(upstream.probed(Some(refused())).is_some());
        let up = async {
            sleep_until(Instant::now() + Duration::from_secs(3)).await;
            assert_eq!(upstream.probed(None), None);
            Instant::now()
        };
        let calls = (0..100).map(async |_| {
            read(&upstream, lasting(60)).await.unwrap();
            Instant::now()
        });
        let (up, sent) = tokio::join!(up, join_all(calls));
        let after: Vec<_> = sent.iter().map(|sent| sent.saturating_duration_since(up)).collect();
        assert!(after.iter().all(|after| *after <= RELEASE_TIME + Duration::from_millis(2)), "{after:?}");
        let early = after.iter().filter(|after| **after < RELEASE_TIME / 2).count();
        assert!((20..=80).contains(&early), "{early} of 100 calls in the first half");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_nothing_calls_is_not_down_for_ever() {
        let upstream = upstream();
        let mut probe = upstream.suspect();
        let mut probes = 0;
        while let Some(moment) = probe {
            sleep_until(moment).await;
            probe = upstream.probed(Some(refused()));
            probes += 1;
        }
        assert!((16..=36).contains(&probes), "{probes} probes in ten minutes");
        assert!(upstream.error().is_none() && upstream.state.lock().gauge.is_none());
        assert_eq!(read(&upstream, lasting(1)).await, Ok(()));
    }
}
