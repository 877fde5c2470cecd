//! Circuit breaker: a server that is down gets one call every two seconds instead of one from every mount. Pure: the clock is a parameter.

use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row after which a server counts as down.
const FAILURE_LIMIT: u32 = 5;

/// Time between two calls to a server that is down.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// The circuit breaker of one server. It is open while the server is down.
#[derive(Debug, Default)]
pub(crate) struct Circuit {
    failures: u32,
    /// While it is open: when the next call may be sent.
    probe: Option<Instant>,
}

/// Whether a call may be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CircuitDecision {
    /// The call may be sent now.
    Send,
    /// The caller must decide again at this moment.
    WaitUntil(Instant),
}

impl Circuit {
    /// Whether a call may be sent. While the circuit is open one call may be sent every two seconds.
    pub(crate) fn decide(&mut self, now: Instant) -> CircuitDecision {
        match self.probe {
            Some(probe) if now < probe => CircuitDecision::WaitUntil(probe),
            Some(_) => {
                self.probe = Some(now + PROBE_INTERVAL);
                CircuitDecision::Send
            }
            None => CircuitDecision::Send,
        }
    }

    /// Records how a call ended. True if that opened or closed the circuit. Any response closes it, except one that says that the server cannot
    /// serve.
    pub(crate) fn record(&mut self, failed: bool, now: Instant) -> bool {
        let was_open = self.is_open();
        self.failures = if failed { self.failures.saturating_add(1) } else { 0 };
        match failed {
            true if self.failures >= FAILURE_LIMIT => {
                self.probe = Some(self.probe.unwrap_or(now + PROBE_INTERVAL))
            }
            true => {}
            false => self.probe = None,
        }
        was_open != self.is_open()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.probe.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(circuit: &mut Circuit, times: u32, now: Instant) {
        for _ in 0..times {
            circuit.record(true, now);
        }
    }

    #[tokio::test]
    async fn five_failures_in_a_row_open_the_circuit_and_one_response_closes_it() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        failed(&mut circuit, FAILURE_LIMIT - 1, now);
        circuit.record(false, now);
        failed(&mut circuit, FAILURE_LIMIT - 1, now);
        assert_eq!(
            (circuit.is_open(), circuit.decide(now)),
            (false, CircuitDecision::Send),
            "the failures were not in a row"
        );
        assert!(circuit.record(true, now));
        assert_eq!(circuit.decide(now), CircuitDecision::WaitUntil(now + PROBE_INTERVAL));
        assert!(circuit.record(false, now) && circuit.decide(now) == CircuitDecision::Send);
    }

    #[tokio::test]
    async fn while_the_circuit_is_open_one_call_is_sent_every_two_seconds() {
        let (mut circuit, start) = (Circuit::default(), Instant::now());
        failed(&mut circuit, FAILURE_LIMIT, start);
        let mut sent = 0;
        for step in 0..1000 {
            let now = start + Duration::from_millis(10 * step);
            if circuit.decide(now) == CircuitDecision::Send {
                sent += 1;
                circuit.record(true, now);
            }
        }
        assert_eq!(sent, 4, "calls in ten seconds");
    }
}
