//! One thing at the server that ends: a token or a lease.

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::UnixMillis;
use crate::limits::backoff::Backoff;
use crate::renewal::expiry::{before_the_end, succeed_at};

/// Pauses between renewals that failed. All of a pause is jitter, so that a node's tokens spread out.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(300), jitter: 1.0 };

/// Part of what remains after a grant, after which it is renewed: the rest is for tries that fail.
const RENEWED: f64 = 2.0 / 3.0;

/// How far chance moves a renewal either way, as part of its time.
const SPREAD: f64 = 0.1;

/// A renewal that gives less than this part of the first grant has met the max TTL.
const WHOLE: f64 = 0.9;

/// What came of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// It lives for this time from now on.
    For(Duration),
    /// A definite no (400, 403, 404): not renewable, not allowed, or gone.
    Refused,
    /// No answer, 429 or 5xx: says nothing of the thing itself.
    Failed,
}

/// Whether renewals extend it, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Renewability {
    /// They do, as far as is known.
    #[serde(rename = "Extends")]
    Extends,
    /// It was issued so: a batch token, or a lease of an engine that renews none.
    #[serde(rename = "Fixed")]
    Fixed,
    /// The last renewal met the max TTL.
    #[serde(rename = "Capped")]
    Capped,
    /// The server said no.
    #[serde(rename = "Refused")]
    Refused,
}

/// What comes next in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A renewal is due at this moment, which may have passed.
    RenewAt(UnixMillis),
    /// Nothing until its end, if it has one.
    Nothing(Option<UnixMillis>),
    /// It has ended.
    Ended,
}

/// The time of a token or a lease, by our clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseTerm {
    /// What the server gave at issue.
    #[serde(rename = "first")]
    first: Duration,
    #[serde(rename = "granted")]
    granted: UnixMillis,
    #[serde(rename = "ends")]
    ends: Option<UnixMillis>,
    #[serde(rename = "stand")]
    stand: Renewability,
    /// Since when `stand` is so.
    #[serde(rename = "known")]
    known: UnixMillis,
    #[serde(rename = "failures")]
    failures: u32,
    #[serde(rename = "try_again")]
    try_again: Option<UnixMillis>,
}

impl LeaseTerm {
    /// Issued for `ttl`; one of no time never ends, as Vault has it. `now` is when the call began: the server counted from later on, so
    /// the end comes no earlier than we think.
    pub fn issued(ttl: Duration, renewable: bool, now: UnixMillis) -> Self {
        Self {
            first: ttl,
            granted: now,
            ends: (!ttl.is_zero()).then(|| now + ttl),
            stand: if renewable { Renewability::Extends } else { Renewability::Fixed },
            known: now,
            failures: 0,
            try_again: None,
        }
    }

    /// What to do next. `chance` (0 to 1) moves the renewal after a grant by up to a tenth either way: whoever wants the same moment
    /// twice hands in the same one.
    pub fn next(&self, now: UnixMillis, chance: f64) -> Next {
        let Some(ends) = self.ends else { return Next::Nothing(None) };
        let at =
            self.try_again.unwrap_or_else(|| self.granted + renewed_after(ends.since(self.granted), chance));
        match self.stand {
            _ if now >= ends => Next::Ended,
            Renewability::Extends if at < ends => Next::RenewAt(at),
            _ => Next::Nothing(Some(ends)),
        }
    }

    /// Takes in what came of a renewal; `chance` draws the pause after one that failed. `now` is when the call began, as for `issued`; for a
    /// failure, when it was over.
    ///
    /// A renewal for no time moves no end: the server has nothing more to give. A failure changes nothing but the next try.
    pub fn after(&mut self, outcome: Renewed, now: UnixMillis, chance: f64) {
        match outcome {
            Renewed::For(ttl) if ttl.is_zero() => self.stands(Renewability::Capped, now),
            Renewed::For(ttl) => self.grant(ttl, now),
            Renewed::Refused => self.stands(Renewability::Refused, now),
            Renewed::Failed => {
                self.failures = self.failures.saturating_add(1);
                let left = self.ends.map_or(Duration::MAX, |ends| ends.since(now));
                self.try_again = Some(now + BACKOFF.pause_within(self.failures, left, chance));
            }
        }
    }

    /// Its end, if it has one.
    pub fn ends(&self) -> Option<UnixMillis> {
        self.ends
    }

    /// What the server gave at issue, which is what a renewal asks for; none for what never ends.
    pub fn first(&self) -> Duration {
        self.first
    }

    /// Whether renewals extend it.
    pub fn stand(&self) -> Renewability {
        self.stand
    }

    /// Whether it has not ended.
    pub fn is_of_use(&self, now: UnixMillis) -> bool {
        self.ends.is_none_or(|ends| now < ends)
    }

    /// When a successor is made, for one that is asked about every `interval`: never while renewals extend it, failed ones included; else
    /// by the rule of what cannot be extended. Its end is a reason of its own: see `is_of_use`.
    pub fn replace_at(&self, interval: Duration) -> Option<UnixMillis> {
        match self.stand {
            Renewability::Extends => None,
            Renewability::Fixed => Some(succeed_at(self.granted, self.ends?, interval)),
            Renewability::Capped | Renewability::Refused => {
                Some(before_the_end(self.known, self.ends?, interval))
            }
        }
    }

    /// A renewal that gave `ttl`. The server's word counts even if it is less than what was left.
    fn grant(&mut self, ttl: Duration, now: UnixMillis) {
        let whole = ttl >= self.first.mul_f64(WHOLE);
        (self.granted, self.ends) = (now, Some(now + ttl));
        self.stand = Renewability::Extends;
        if !whole {
            self.stands(Renewability::Capped, now);
        }
        (self.failures, self.try_again) = (0, None);
    }

    /// Renewals have come to their end; what was known before stays so.
    fn stands(&mut self, stand: Renewability, now: UnixMillis) {
        if self.stand == Renewability::Extends {
            (self.stand, self.known) = (stand, now);
        }
    }
}

fn renewed_after(life: Duration, chance: f64) -> Duration {
    life.mul_f64(RENEWED * (1.0 - SPREAD + 2.0 * SPREAD * chance.clamp(0.0, 1.0)))
}
