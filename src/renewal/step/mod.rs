//! The keeper of a session as a pure step: its token and its leases are renewed in time, and only while somebody wants them.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::mem::take;
use std::time::Duration;

use super::UnixMillis;
use super::{LeaseTerm, Next, Renewability, Renewed};

/// A lease, as the server names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub String);

/// What is known of a session.
#[derive(Debug)]
pub struct State {
    token: Held,
    leases: BTreeMap<LeaseId, Held>,
    wanted_until: UnixMillis,
    warnings: Vec<Warning>,
    leases_refused: bool,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// Time passed.
    Tick,
    /// The token's renewal came to this. Each `RenewToken` is answered by one, the call that was given up too: as `Failed`.
    TokenRenewed(Renewed),
    /// A lease was issued with the token, or is remembered.
    LeaseIssued(LeaseId, LeaseTerm),
    /// As for the token.
    LeaseRenewed(LeaseId, Renewed),
    /// A lease was revoked, or nobody has what came with it.
    LeaseGone(LeaseId),
    /// A volume that lives uses the session, and is sure to until then.
    Wanted(UnixMillis),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// The token renews itself.
    RenewToken,
    /// The lease is renewed, by this time.
    RenewLease(LeaseId, Duration),
    /// The next `Tick` is due then, if nothing happens before. Without it none is.
    WaitUntil(UnixMillis),
    /// Said once in the life of a session.
    Warn(Warning),
}

/// What an operator should know of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Warning {
    /// The token cannot be renewed: it is a batch token, or its role lacks the default policy. Everything is made anew before its end.
    Degraded,
    /// A lease that is renewable was refused its renewal: each is made anew before its end.
    LeaseRefused,
}

/// A term, and the call for it.
#[derive(Debug)]
struct Held {
    term: LeaseTerm,
    /// When the call began that is under way.
    calling: Option<UnixMillis>,
    /// Of its grant: the moment of the next renewal stays where it is, however often it is looked at.
    chance: f64,
}

impl State {
    /// A session of this token, which nobody wants yet. `chance` is 0 to 1, as everywhere.
    pub fn new(token: LeaseTerm, chance: f64) -> Self {
        let warnings = if cannot_renew(&token) { vec![Warning::Degraded] } else { Vec::new() };
        Self {
            token: Held::new(token, chance),
            leases: BTreeMap::new(),
            wanted_until: UnixMillis::default(),
            warnings,
            leases_refused: false,
        }
    }

    /// The token's term.
    pub fn token(&self) -> &LeaseTerm {
        &self.token.term
    }

    /// The terms of its leases; what has ended is gone from them.
    pub fn leases(&self) -> impl Iterator<Item = (&LeaseId, &LeaseTerm)> {
        self.leases.iter().map(|(id, held)| (id, &held.term))
    }

    /// Whether the token cannot be renewed, though it ends.
    pub fn is_degraded(&self) -> bool {
        cannot_renew(&self.token.term)
    }

    /// When the successor of a lease is made, for a volume that is asked about every `interval`; at once for one that is not held any more.
    ///
    /// The server ends a lease with its token. So one that renewals extend, or that ends later than the token, goes when the token goes.
    pub fn replace_at(&self, id: &LeaseId, interval: Duration) -> Option<UnixMillis> {
        let Some(Held { term: lease, .. }) = self.leases.get(id) else { return Some(UnixMillis::default()) };
        let (token, own) = (&self.token.term, lease.replace_at(interval));
        let outlives =
            own.is_none() || token.ends().is_some_and(|ends| lease.ends().is_none_or(|own| own > ends));
        let with_token = token.replace_at(interval).filter(|_| outlives);
        own.into_iter().chain(with_token).min()
    }

    /// When a volume makes the successor of a lease, as far as is known: when its time has come, or it has ended, or its token has.
    pub fn due_at(&self, id: &LeaseId, interval: Duration) -> Option<UnixMillis> {
        let lease = self.leases.get(id).and_then(|held| held.term.ends());
        lease.into_iter().chain(self.token.term.ends()).chain(self.replace_at(id, interval)).min()
    }

    /// Whether that is now.
    pub fn is_due(&self, id: &LeaseId, interval: Duration, now: UnixMillis) -> bool {
        self.due_at(id, interval).is_some_and(|at| at <= now)
    }

    fn take_in(&mut self, event: Event, now: UnixMillis, chance: f64) {
        match event {
            Event::Tick => {}
            Event::TokenRenewed(outcome) => self.token_renewed(outcome, now, chance),
            Event::LeaseIssued(id, term) => _ = self.leases.insert(id, Held::new(term, chance)),
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

    /// One that is gone in the meantime is nobody's business.
    fn lease_renewed(&mut self, id: &LeaseId, outcome: Renewed, now: UnixMillis, chance: f64) {
        let Some(held) = self.leases.get_mut(id) else { return };
        held.renewed(outcome, now, chance);
        if outcome == Renewed::Refused && !self.leases_refused {
            self.leases_refused = true;
            self.warnings.push(Warning::LeaseRefused);
        }
    }

    /// The renewals that are due, each marked as begun; nothing is renewed with a token that has ended, or that nobody wants.
    fn due(&mut self, now: UnixMillis) -> Vec<Action> {
        if now > self.wanted_until || !self.token.term.is_of_use(now) {
            return Vec::new();
        }
        let token = self.token.begins(now).then_some(Action::RenewToken);
        let leases = self.leases.iter_mut().filter_map(|(id, held)| {
            let increment = held.term.first();
            held.begins(now).then(|| Action::RenewLease(id.clone(), increment))
        });
        token.into_iter().chain(leases).collect()
    }

    /// The first renewal to come, if somebody still wants it then.
    fn wakes(&self, now: UnixMillis) -> Option<UnixMillis> {
        let all = self.leases.values().chain([&self.token]);
        let first = all.filter(|held| held.calling.is_none()).filter_map(|held| held.renewal(now)).min();
        first.filter(|at| now < *at && *at <= self.wanted_until && self.token.term.is_of_use(*at))
    }
}

/// Takes in what happened and says what is to be done now: at most one call at a time for each thing.
///
/// `chance`, 0 to 1, is drawn anew for each call.
pub fn next(state: &mut State, event: Event, now: UnixMillis, chance: f64) -> Vec<Action> {
    state.take_in(event, now, chance);
    state.leases.retain(|_, held| held.calling.is_some() || held.term.is_of_use(now));
    let mut actions: Vec<Action> = take(&mut state.warnings).into_iter().map(Action::Warn).collect();
    actions.extend(state.due(now));
    actions.extend(state.wakes(now).map(Action::WaitUntil));
    actions
}

impl Held {
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

    /// Whether a renewal is due and not under way; it is from now on.
    fn begins(&mut self, now: UnixMillis) -> bool {
        let begins = self.calling.is_none() && self.renewal(now).is_some_and(|at| at <= now);
        if begins {
            self.calling = Some(now);
        }
        begins
    }
}

fn cannot_renew(token: &LeaseTerm) -> bool {
    token.ends().is_some() && matches!(token.stand(), Renewability::Fixed | Renewability::Refused)
}
