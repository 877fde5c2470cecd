//! The server of the simulation, and the weather on the way to it.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

use super::ROUNDS;
use crate::renewal::{Renewed, UnixMillis};

/// How the server issues tokens or leases.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) ttl: Duration,
    pub(crate) max_ttl: Duration,
    pub(crate) renewable: bool,
    pub(crate) refuses: bool,
}

/// What the server knows about a token or lease.
pub(crate) struct Grant {
    pub(crate) kind: Kind,
    pub(crate) issued: UnixMillis,
    pub(crate) ends: UnixMillis,
    /// The end as the client knows it, which lacks renewals whose response was lost.
    pub(crate) known_end: UnixMillis,
    /// Whether renewals extend it, as far as the client knows.
    pub(crate) extends: bool,
}

pub(crate) struct Weather {
    pub(crate) interval: Duration,
    pub(crate) token: Kind,
    pub(crate) lease: Kind,
    /// Part of the calls without a response; half of them were carried out.
    pub(crate) lost: f64,
    /// Part of the republishes that come late.
    pub(crate) late: f64,
    pub(crate) outages: Vec<(UnixMillis, UnixMillis)>,
}

impl Grant {
    pub(crate) fn issued(kind: Kind, now: UnixMillis) -> Self {
        Self { kind, issued: now, ends: now + kind.ttl, known_end: now + kind.ttl, extends: kind.renewable }
    }

    pub(crate) fn lives(&self, now: UnixMillis) -> bool {
        now < self.ends
    }

    pub(crate) fn hears(&mut self, outcome: Renewed, ends: UnixMillis, last: bool) {
        self.extends &= !last;
        if outcome != Renewed::Failed {
            self.known_end = ends;
        }
    }

    /// The response, and whether it says that no renewal will follow.
    pub(crate) fn renew(&mut self, now: UnixMillis) -> (Renewed, UnixMillis, bool) {
        if self.kind.refuses || !self.lives(now) {
            return (Renewed::Refused, self.ends, true);
        }
        let ttl = self.kind.ttl.min((self.issued + self.kind.max_ttl).since(now));
        self.ends = now + ttl;
        (Renewed::For(ttl), self.ends, ttl < self.kind.ttl.mul_f64(0.9))
    }
}

impl Weather {
    pub(crate) fn calm(rng: &mut StdRng) -> Self {
        let interval = Duration::from_secs(rng.random_range(5..120));
        let mut kind = || {
            let ttl = interval.mul_f64(rng.random_range(5.0..60.0)).max(Duration::from_secs(60));
            let max_ttl = ttl.mul_f64(rng.random_range(1.0..20.0));
            Kind { ttl, max_ttl, renewable: rng.random_bool(0.8), refuses: rng.random_bool(0.1) }
        };
        Self { interval, token: kind(), lease: kind(), lost: 0.0, late: 0.0, outages: Vec::new() }
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.outages.is_empty()
    }

    pub(crate) fn storm(rng: &mut StdRng) -> Self {
        let calm = Self::calm(rng);
        let mut outage = || {
            let begins =
                UnixMillis::default() + calm.interval.mul_f64(rng.random_range(0.0..f64::from(ROUNDS)));
            (begins, begins + calm.interval.mul_f64(rng.random_range(0.1..20.0)))
        };
        let outages = (0..5).map(|_| outage()).collect();
        Self { outages, lost: rng.random_range(0.0..0.6), late: rng.random_range(0.0..0.3), ..calm }
    }
}
