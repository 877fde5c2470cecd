//! Circuit breaker: while a server is down, calls wait and only probes of our own reach it. Pure: the clock and the randomness are parameters.
//!
//! No call of a pod opens or closes the circuit: its answer may be about its path, its namespace or its policy alone. A call that fails only
//! makes the server suspect, and a probe of `sys/health` decides.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::backoff::Backoff;

/// Time between two probes of a server that is up, however many of its calls fail.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Pauses between the probes of a server that is down. Half of each is random, so that the nodes of a cluster do not probe together.
const PAUSES: Backoff =
    Backoff { first: Duration::from_secs(2), longest: Duration::from_secs(40), jitter: 0.5 };

/// The state of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Circuit {
    /// Calls are sent.
    Closed {
        /// No probe starts before this moment.
        probe_from: Option<Instant>,
    },
    /// Calls are sent. A call has failed, and a probe has started or will start.
    Suspect,
    /// The server is down: no call is sent.
    Open {
        /// Probes that failed in a row.
        failures: u32,
    },
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A call failed in a way that a server that is down could cause.
    Suspected,
    /// The server has answered a probe.
    ProbeUp,
    /// The probe failed.
    ProbeDown,
    /// Nothing has called the server for a long time, or it cannot be probed any more.
    Unused,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing: a probe has been arranged for already.
    None,
    /// Send a probe at this moment.
    ProbeAt(Instant),
    /// Send no more probes.
    Stop,
}

impl Default for Circuit {
    fn default() -> Self {
        Self::Closed { probe_from: None }
    }
}

impl Circuit {
    /// The state after `event`, and what to do. `random` is uniform in 0..1.
    pub(crate) fn next(self, event: Event, now: Instant, random: f64) -> (Self, Action) {
        match (self, event) {
            (Self::Closed { probe_from }, Event::Suspected) => {
                (Self::Suspect, Action::ProbeAt(probe_from.map_or(now, |from| from.max(now))))
            }
            (Self::Suspect | Self::Open { .. }, Event::Suspected) => (self, Action::None),
            (Self::Suspect | Self::Open { .. }, Event::ProbeUp) => {
                (Self::Closed { probe_from: Some(now + PROBE_INTERVAL) }, Action::Stop)
            }
            (Self::Suspect, Event::ProbeDown) => Self::opened(1, now, random),
            (Self::Open { failures }, Event::ProbeDown) => {
                Self::opened(failures.saturating_add(1), now, random)
            }
            (_, Event::Unused) => (Self::default(), Action::Stop),
            // The result of a probe that was given up.
            (Self::Closed { .. }, Event::ProbeUp | Event::ProbeDown) => (self, Action::Stop),
        }
    }

    fn opened(failures: u32, now: Instant, random: f64) -> (Self, Action) {
        (Self::Open { failures }, Action::ProbeAt(now + PAUSES.pause(failures, random)))
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Calls of all pods that fail, and the probes that they cause: every `call` seconds one, for `time` seconds, at a server that is down or up
    /// for its health. Returns the moments of the probes.
    fn probes(down: bool, call: f64, time: f64, seed: u64) -> Vec<f64> {
        let mut random = StdRng::seed_from_u64(seed);
        let (start, mut circuit, mut due, mut sent) = (Instant::now(), Circuit::default(), None, Vec::new());
        let (mut at, mut calls) = (0.0, 0.0);
        while at < time {
            let now = start + Duration::from_secs_f64(at);
            let event = match due {
                Some(moment) if moment <= now => {
                    sent.push(at);
                    due = None;
                    if down { Event::ProbeDown } else { Event::ProbeUp }
                }
                _ if at >= calls => {
                    calls += call;
                    Event::Suspected
                }
                _ => {
                    at += 0.01;
                    continue;
                }
            };
            let (next, action) = circuit.next(event, now, random.random());
            circuit = next;
            match action {
                Action::ProbeAt(moment) => {
                    assert_eq!(due, None, "two probes at a time");
                    due = Some(moment);
                }
                Action::None | Action::Stop => {}
            }
            assert_eq!(matches!(circuit, Circuit::Open { .. }), down && !sent.is_empty(), "at {at}");
        }
        sent
    }

    #[tokio::test]
    async fn a_server_that_is_down_gets_a_tenth_of_a_probe_every_two_seconds() {
        for seed in 0..20 {
            let sent = probes(true, 0.1, 3600.0, seed);
            assert!(sent.len() <= 180, "{} probes in an hour", sent.len());
            let pauses: Vec<_> = sent.windows(2).map(|pair| pair[1] - pair[0]).collect();
            for (number, expected) in [2.0, 4.0, 8.0, 16.0, 32.0, 40.0, 40.0].into_iter().enumerate() {
                let range = expected / 2.0 - 0.02..expected + 0.02;
                assert!(range.contains(&pauses[number]), "pause {number} is {}", pauses[number]);
            }
        }
    }

    #[tokio::test]
    async fn the_failing_calls_of_a_server_that_is_up_cause_one_probe_a_second() {
        for seed in 0..20 {
            let sent = probes(false, 0.02, 60.0, seed);
            assert!((50..=61).contains(&sent.len()), "{} probes in a minute", sent.len());
            assert!(sent.windows(2).all(|pair| pair[1] - pair[0] >= 0.99));
        }
    }

    #[tokio::test]
    async fn nodes_that_lost_the_same_server_do_not_probe_it_together() {
        let (mut nodes, hour) = (Vec::new(), 3600.0);
        for seed in 0..200 {
            nodes.extend(probes(true, 1.0, hour, seed).into_iter().filter(|at| *at > 120.0));
        }
        let in_second = |second: f64| nodes.iter().filter(|at| (second..second + 1.0).contains(*at)).count();
        let most = (120..3600).map(|second| in_second(f64::from(second))).max().unwrap();
        assert!(most < 30, "{most} of 200 nodes in one second, and 7 are the mean");
    }

    #[tokio::test]
    async fn a_response_closes_the_circuit_and_an_unused_server_is_forgotten() {
        let now = Instant::now();
        let open = Circuit::Open { failures: 9 };
        let closed = Circuit::Closed { probe_from: Some(now + PROBE_INTERVAL) };
        assert_eq!(open.next(Event::ProbeUp, now, 0.5), (closed, Action::Stop));
        assert_eq!(open.next(Event::Unused, now, 0.5), (Circuit::default(), Action::Stop));
        assert_eq!(open.next(Event::Suspected, now, 0.5), (open, Action::None));
        assert_eq!(closed.next(Event::ProbeDown, now, 0.5), (closed, Action::Stop), "a late result");
    }
}
