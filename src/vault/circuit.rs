//! A server that does not answer is asked now and then, and not by every mount at once; pure: the clock is handed in.

use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row after which a server is taken as down.
const FAILURES: u32 = 5;

/// Time between two calls to a server that is down.
const PROBE: Duration = Duration::from_secs(2);

/// Whether a server is known to be down.
#[derive(Debug, Default)]
pub(crate) struct Circuit {
    failures: u32,
    /// When the next call may go, while it is open.
    probe: Option<Instant>,
}

/// What a call is to do now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CircuitDecision {
    /// Go.
    Go,
    /// Ask again at this moment.
    Wait(Instant),
}

impl Circuit {
    /// Whether a call may go; while the server is down one may, every two seconds.
    pub(crate) fn turn(&mut self, now: Instant) -> CircuitDecision {
        match self.probe {
            Some(probe) if now < probe => CircuitDecision::Wait(probe),
            Some(_) => {
                self.probe = Some(now + PROBE);
                CircuitDecision::Go
            }
            None => CircuitDecision::Go,
        }
    }

    /// Takes in how a call ended; true when that opened or closed it. An answer of any kind, if it is not that the server cannot serve,
    /// closes it.
    pub(crate) fn after(&mut self, failed: bool, now: Instant) -> bool {
        let was_open = self.is_open();
        self.failures = if failed { self.failures.saturating_add(1) } else { 0 };
        match failed {
            true if self.failures >= FAILURES => self.probe = Some(self.probe.unwrap_or(now + PROBE)),
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
            circuit.after(true, now);
        }
    }

    #[tokio::test]
    async fn five_failures_in_a_row_open_it_and_one_answer_closes_it() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        failed(&mut circuit, FAILURES - 1, now);
        circuit.after(false, now);
        failed(&mut circuit, FAILURES - 1, now);
        assert_eq!((circuit.is_open(), circuit.turn(now)), (false, CircuitDecision::Go), "not in a row");
        assert!(circuit.after(true, now));
        assert_eq!(circuit.turn(now), CircuitDecision::Wait(now + PROBE));
        assert!(circuit.after(false, now) && circuit.turn(now) == CircuitDecision::Go);
    }

    #[tokio::test]
    async fn while_it_is_open_one_call_goes_every_two_seconds() {
        let (mut circuit, start) = (Circuit::default(), Instant::now());
        failed(&mut circuit, FAILURES, start);
        let mut went = 0;
        for step in 0..1000 {
            let now = start + Duration::from_millis(10 * step);
            if circuit.turn(now) == CircuitDecision::Go {
                went += 1;
                circuit.after(true, now);
            }
        }
        assert_eq!(went, 4, "in ten seconds");
    }
}
