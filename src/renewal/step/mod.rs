//! Renewal of a token and its leases as a pure step: they are renewed in time, and only while a volume wants them.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::mem::take;
use std::time::Duration;

use super::{LeaseTerm, Next, Renewability, Renewed, UnixMillis};

/// The id of a lease.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LeaseId(pub String);

/// The state of a token with its leases.
#[derive(Debug)]
pub(crate) struct State {
    token: Tracked,
    leases: BTreeMap<LeaseId, Tracked>,
    wanted_until: UnixMillis,
    warnings: Vec<Warning>,
    leases_refused: bool,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// The time of `WaitUntil` has come.
    Tick,
    /// The result of a `RenewToken`. Every one has a result; a call that was cancelled has `Failed`.
    TokenRenewed(Renewed),
    /// A lease was issued by the token, or read from a record.
    LeaseIssued(LeaseId, LeaseTerm),
    /// The result of a `RenewLease`.
    LeaseRenewed(LeaseId, Renewed),
    /// A lease was revoked, or no pod uses its credential any more.
    LeaseGone(LeaseId),
    /// A living volume uses the token until this time at least.
    Wanted(UnixMillis),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Renew the token by itself.
    RenewToken,
    /// Renew the lease by this increment.
    RenewLease(LeaseId, Duration),
    /// Send `Tick` at this time, unless another event comes before. Without this action no `Tick` is due.
    WaitUntil(UnixMillis),
    /// Log a warning. Each comes once for a token.
    Warn(Warning),
}

/// What an operator should know of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Warning {
    /// The token cannot be renewed: it is a batch token, or its role lacks the default policy. Everything that it issued is replaced before it expires.
    Degraded,
    /// The server refused to renew a renewable lease. Its credential is replaced before the lease expires.
    LeaseRefused,
}

/// A token or lease with the renewal that is under way.
#[derive(Debug)]
struct Tracked {
    term: LeaseTerm,
    /// When the running renewal began.
    calling: Option<UnixMillis>,
    /// A random number, drawn when the term was granted, so that the time of the next renewal stays the same.
    chance: f64,
}

impl State {
    /// A token without leases that no volume wants yet. `chance` is a random number of 0 to 1.
    pub(crate) fn new(token: LeaseTerm, chance: f64) -> Self {
        let warnings = if cannot_renew(&token) { vec![Warning::Degraded] } else { Vec::new() };
        Self {
            token: Tracked::new(token, chance),
            leases: BTreeMap::new(),
            wanted_until: UnixMillis::default(),
            warnings,
            leases_refused: false,
        }
    }

    /// The token's term.
    pub(crate) fn token(&self) -> &LeaseTerm {
        &self.token.term
    }

    /// The terms of its leases that have not expired.
    pub(crate) fn leases(&self) -> impl Iterator<Item = (&LeaseId, &LeaseTerm)> {
        self.leases.iter().map(|(id, lease)| (id, &lease.term))
    }

    /// When the token itself is replaced, for volumes that are republished every `interval`; `None` while renewals extend it.
    pub(crate) fn token_replace_at(&self, interval: Duration) -> Option<UnixMillis> {
        self.token.term.replace_at(interval, self.token.chance)
    }

    /// Whether the token expires and cannot be renewed.
    pub(crate) fn is_degraded(&self) -> bool {
        cannot_renew(&self.token.term)
    }

    /// When the successor of a lease is issued, for a volume that is republished every `interval`; at once for an unknown lease.
    ///
    /// The server revokes a lease with its token. So a lease that renewals extend, or that ends after the token, is replaced with the token.
    pub(crate) fn replace_at(&self, id: &LeaseId, interval: Duration) -> Option<UnixMillis> {
        let Some(Tracked { term: lease, chance, .. }) = self.leases.get(id) else {
            return Some(UnixMillis::default());
        };
        let (token, own) = (&self.token.term, lease.replace_at(interval, *chance));
        let outlives =
            own.is_none() || token.ends().is_some_and(|ends| lease.ends().is_none_or(|own| own > ends));
        let with_token = self.token_replace_at(interval).filter(|_| outlives);
        own.into_iter().chain(with_token).min()
    }

    /// When the successor of a lease is issued: at `replace_at`, at the end of the lease, or at the end of the token, whichever is first.
    pub(crate) fn due_at(&self, id: &LeaseId, interval: Duration) -> Option<UnixMillis> {
        let lease = self.leases.get(id).and_then(|lease| lease.term.ends());
        lease.into_iter().chain(self.token.term.ends()).chain(self.replace_at(id, interval)).min()
    }

    /// Whether the successor of a lease is due at `now`.
    #[cfg(test)]
    pub(crate) fn is_due(&self, id: &LeaseId, interval: Duration, now: UnixMillis) -> bool {
        self.due_at(id, interval).is_some_and(|at| at <= now)
    }

    fn apply(&mut self, event: Event, now: UnixMillis, chance: f64) {
        match event {
            Event::Tick => {}
            Event::TokenRenewed(outcome) => self.token_renewed(outcome, now, chance),
            Event::LeaseIssued(id, term) => _ = self.leases.insert(id, Tracked::new(term, chance)),
            Event::LeaseRenewed(id, outcome) => self.lease_renewed(&id, outcome, now, chance),
            Event::LeaseGone(id) => _ = self.leases.remove(&id),
            Event::Wanted(until) => self.wanted_until = self.wanted_until.max(until),
        }
    }

    fn token_renewed(&mut self, outcome: Renewed, now: UnixMillis, chance: f64) {
        let degraded = self.is_degraded();
        self.token.renewed(outcome, now, chance);
        if self.is_degraded() && !degraded {
            self.warnings.push(Warning::Degraded);
        }
    }

    /// Ignores leases that were removed meanwhile.
    fn lease_renewed(&mut self, id: &LeaseId, outcome: Renewed, now: UnixMillis, chance: f64) {
        let Some(lease) = self.leases.get_mut(id) else { return };
        lease.renewed(outcome, now, chance);
        if outcome == Renewed::Refused && !self.leases_refused {
            self.leases_refused = true;
            self.warnings.push(Warning::LeaseRefused);
        }
    }

    /// The renewals that are due, each marked as begun. A token that has expired, or that no volume wants, renews nothing.
    fn due(&mut self, now: UnixMillis) -> Vec<Action> {
        if now > self.wanted_until || !self.token.term.is_of_use(now) {
            return Vec::new();
        }
        let token = self.token.begin(now).then_some(Action::RenewToken);
        let leases = self.leases.iter_mut().filter_map(|(id, lease)| {
            let increment = lease.term.first();
            lease.begin(now).then(|| Action::RenewLease(id.clone(), increment))
        });
        token.into_iter().chain(leases).collect()
    }

    /// The time of the next renewal, if a volume still wants it then.
    fn wakes_at(&self, now: UnixMillis) -> Option<UnixMillis> {
        let all = self.leases.values().chain([&self.token]);
        let first =
            all.filter(|tracked| tracked.calling.is_none()).filter_map(|tracked| tracked.renewal(now)).min();
        first.filter(|at| now < *at && *at <= self.wanted_until && self.token.term.is_of_use(*at))
    }
}

/// Applies `event` and returns what to do now: at most one call at a time for the token and for each lease.
///
/// `chance` is a new random number of 0 to 1 for each call.
pub(crate) fn next(state: &mut State, event: Event, now: UnixMillis, chance: f64) -> Vec<Action> {
    state.apply(event, now, chance);
    state.leases.retain(|_, lease| lease.calling.is_some() || lease.term.is_of_use(now));
    let mut actions: Vec<Action> = take(&mut state.warnings).into_iter().map(Action::Warn).collect();
    actions.extend(state.due(now));
    actions.extend(state.wakes_at(now).map(Action::WaitUntil));
    actions
}

impl Tracked {
    fn new(term: LeaseTerm, chance: f64) -> Self {
        Self { term, calling: None, chance }
    }

    fn renewed(&mut self, outcome: Renewed, now: UnixMillis, chance: f64) {
        let begun = self.calling.take().unwrap_or(now);
        let counts_from = if outcome == Renewed::Failed { now } else { begun };
        self.term.after(outcome, counts_from, chance);
        self.chance = chance;
    }

    fn renewal(&self, now: UnixMillis) -> Option<UnixMillis> {
        match self.term.next(now, self.chance) {
            Next::RenewAt(at) => Some(at),
            Next::Nothing(_) | Next::Ended => None,
        }
    }

    /// Begins a renewal that is due and not under way. Returns whether it did.
    fn begin(&mut self, now: UnixMillis) -> bool {
        let is_due = self.calling.is_none() && self.renewal(now).is_some_and(|at| at <= now);
        if is_due {
            self.calling = Some(now);
        }
        is_due
    }
}

fn cannot_renew(token: &LeaseTerm) -> bool {
    token.ends().is_some() && matches!(token.renewability(), Renewability::Fixed | Renewability::Refused)
}
