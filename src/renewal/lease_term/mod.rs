//! The term of a token or a lease.

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::UnixMillis;
use crate::limits::backoff::Backoff;
use crate::renewal::expiry::{EARLIER, before_the_end, succeed_at};

/// Pauses between renewals that failed. All of a pause is jitter, so that a node's tokens spread out.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(300), jitter: 1.0 };

/// Part of the granted time after which a renewal is due. The rest is for renewals that fail.
const RENEWED: f64 = 2.0 / 3.0;

/// The shortest time from a grant to its renewal. What lives shorter is not renewed, but replaced at its end.
const SOONEST: Duration = Duration::from_secs(5);

/// A renewal that grants less than this part of the first grant has reached the max TTL.
const WHOLE: f64 = 0.9;

/// The result of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewed {
    /// Granted for this time from now on.
    For(Duration),
    /// Refused for good (400, 403, 404): not renewable, not allowed, or revoked.
    Refused,
    /// No response, 429 or 5xx, which say nothing about the token or lease itself.
    Failed,
}

/// Whether renewals extend the term, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Renewability {
    /// Renewals extend it, as far as is known.
    #[serde(rename = "Extends")]
    Extends,
    /// It was issued as not renewable: a batch token, or a lease of an engine that renews none.
    #[serde(rename = "Fixed")]
    Fixed,
    /// The last renewal reached the max TTL.
    #[serde(rename = "Capped")]
    Capped,
    /// The server refused a renewal.
    #[serde(rename = "Refused")]
    Refused,
}

/// What is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A renewal at this time, which may have passed.
    RenewAt(UnixMillis),
    /// Nothing until the end, if there is one.
    Nothing(Option<UnixMillis>),
    /// It has ended.
    Ended,
}

/// The term of a token or a lease, by the clock of this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeaseTerm {
    /// The time that the server granted at issue.
    #[serde(rename = "first")]
    first: Duration,
    #[serde(rename = "granted")]
    granted: UnixMillis,
    #[serde(rename = "ends")]
    ends: Option<UnixMillis>,
    #[serde(rename = "stand")]
    renewability: Renewability,
    /// Since when `renewability` is known.
    #[serde(rename = "known")]
    known: UnixMillis,
    #[serde(rename = "failures")]
    failures: u32,
    #[serde(rename = "try_again")]
    try_again: Option<UnixMillis>,
}

impl LeaseTerm {
    /// A term that was issued for `ttl`; a `ttl` of zero never ends, as in Vault. `now` is when the call began: the server counts from a later time, so
    /// the real end is never earlier.
    pub(crate) fn issued(ttl: Duration, renewable: bool, now: UnixMillis) -> Self {
        Self {
            first: ttl,
            granted: now,
            ends: (!ttl.is_zero()).then(|| now + ttl),
            renewability: if renewable { Renewability::Extends } else { Renewability::Fixed },
            known: now,
            failures: 0,
            try_again: None,
        }
    }

    /// What is due next. `chance` (0 to 1) makes the renewal after a grant earlier by up to a quarter; the same `chance` has the same time.
    pub(crate) fn next(&self, now: UnixMillis, chance: f64) -> Next {
        let Some(ends) = self.ends else { return Next::Nothing(None) };
        let renewed = || self.granted + renewed_after(ends.since(self.granted), chance).max(SOONEST);
        let at = self.try_again.unwrap_or_else(renewed);
        match self.renewability {
            _ if now >= ends => Next::Ended,
            Renewability::Extends if at < ends => Next::RenewAt(at),
            _ => Next::Nothing(Some(ends)),
        }
    }

    /// Applies the result of a renewal. `chance` (0 to 1) decides the pause after a failure. `now` is when the call began, as for `issued`; for a
    /// failure, when the call ended.
    ///
    /// A renewal for no time does not move the end: the server grants no more. A failure only moves the next attempt.
    pub(crate) fn after(&mut self, outcome: Renewed, now: UnixMillis, chance: f64) {
        match outcome {
            Renewed::For(ttl) if ttl.is_zero() => self.stop_extending(Renewability::Capped, now),
            Renewed::For(ttl) => self.grant(ttl, now),
            Renewed::Refused => self.stop_extending(Renewability::Refused, now),
            Renewed::Failed => {
                self.failures = self.failures.saturating_add(1);
                let left = self.ends.map_or(Duration::MAX, |ends| ends.since(now));
                self.try_again = Some(now + BACKOFF.pause_within(self.failures, left, chance));
            }
        }
    }

    /// The end, if there is one.
    pub(crate) fn ends(&self) -> Option<UnixMillis> {
        self.ends
    }

    /// The time that was granted at issue, which a renewal requests again; zero for a term that never ends.
    pub(crate) fn first(&self) -> Duration {
        self.first
    }

    /// Whether renewals extend it.
    pub(crate) fn renewability(&self) -> Renewability {
        self.renewability
    }

    /// Whether it has not ended.
    pub(crate) fn is_of_use(&self, now: UnixMillis) -> bool {
        self.ends.is_none_or(|ends| now < ends)
    }

    /// When a successor is issued, for a volume that is republished every `interval`: never while renewals extend the term, even if some fail;
    /// otherwise by the rule of what cannot be extended. An end that has passed is a reason of its own: see `is_of_use`. `chance` (0 to 1) makes
    /// it earlier by up to a quarter, so that tokens that were issued together are not replaced together.
    pub(crate) fn replace_at(&self, interval: Duration, chance: f64) -> Option<UnixMillis> {
        let ends = self.ends?;
        let (from, at, earliest) = match self.renewability {
            Renewability::Extends => return None,
            Renewability::Fixed => {
                let third = self.granted + ends.since(self.granted) / 3;
                (self.granted, succeed_at(self.granted, ends, interval), third)
            }
            Renewability::Capped | Renewability::Refused => {
                (self.known, before_the_end(self.known, ends, interval), self.known)
            }
        };
        let spread = from + at.since(from).mul_f64(1.0 - EARLIER * chance.clamp(0.0, 1.0));
        Some(spread.max(earliest).min(at))
    }

    /// Applies a renewal for `ttl`. The server's time counts even if it is less than what was left.
    fn grant(&mut self, ttl: Duration, now: UnixMillis) {
        let is_whole = ttl >= self.first.mul_f64(WHOLE);
        (self.granted, self.ends) = (now, Some(now + ttl));
        self.renewability = Renewability::Extends;
        if !is_whole {
            self.stop_extending(Renewability::Capped, now);
        }
        (self.failures, self.try_again) = (0, None);
    }

    /// Records why renewals no longer extend the term. A reason that is already known stays.
    fn stop_extending(&mut self, reason: Renewability, now: UnixMillis) {
        if self.renewability == Renewability::Extends {
            (self.renewability, self.known) = (reason, now);
        }
    }
}

fn renewed_after(life: Duration, chance: f64) -> Duration {
    life.mul_f64(RENEWED * (1.0 - EARLIER * chance.clamp(0.0, 1.0)))
}
