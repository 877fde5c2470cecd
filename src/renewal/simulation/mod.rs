//! A token and its volume with a server that fails, restarts, caps and refuses, generated from a seed: what must hold in every case.

mod fleet;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Action, Event, LeaseId, LeaseTerm, Renewed, RepublishInterval, State, UnixMillis, next};
use crate::renewal::simulation::server::{Grant, Kind, Weather};

/// Republishes of a volume before they stop.
const ROUNDS: u32 = 150;

/// Renewals of one token or lease in a minute that are a storm.
const STORM: usize = 20;

enum Happens {
    Tick,
    Republish(u32),
    Answer { thing: Thing, outcome: Renewed, ends: UnixMillis, last: bool },
}

/// A lease, or the token.
type Thing = Option<LeaseId>;

struct Session {
    state: State,
    token: Grant,
    calls: BTreeSet<Thing>,
    renewals: BTreeMap<Thing, Vec<UnixMillis>>,
}

/// What the pod reads.
struct Files {
    user: LeaseId,
    password: LeaseId,
    lease: Grant,
}

struct World {
    seed: u64,
    rng: StdRng,
    weather: Weather,
    now: UnixMillis,
    /// By time, then in the order in which it was planned; with the number of the login that it is for.
    plan: BTreeMap<(UnixMillis, u64), (u64, Happens)>,
    planned: u64,
    logins: u64,
    minted: u64,
    session: Option<Session>,
    files: Option<Files>,
    interval: RepublishInterval,
    wanted_until: UnixMillis,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}, at {:?}", self.seed, self.now);
        }
    }
}

impl World {
    fn new(seed: u64, weather: impl FnOnce(&mut StdRng) -> Weather) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let weather = weather(&mut rng);
        let (plan, now) = (BTreeMap::new(), UnixMillis::default());
        let (session, files, interval) = (None, None, RepublishInterval::default());
        Self {
            seed,
            rng,
            weather,
            now,
            plan,
            planned: 0,
            logins: 0,
            minted: 0,
            session,
            files,
            interval,
            wanted_until: now,
        }
    }

    /// Runs until nothing is planned any more: no republish and no renewal.
    fn run(&mut self) {
        self.happens_after(Duration::ZERO, Happens::Republish(ROUNDS));
        while let Some(((at, _), (login, happens))) = self.plan.pop_first() {
            self.now = at;
            match happens {
                Happens::Republish(left) => self.republish(left),
                Happens::Tick if login == self.logins => self.step(Event::Tick),
                Happens::Answer { thing, outcome, ends, last } if login == self.logins => {
                    self.answer(thing, outcome, ends, last)
                }
                Happens::Tick | Happens::Answer { .. } => {} // of a login that has ended
            }
            assert!(self.planned < 200_000, "it does not come to rest");
        }
        let thirds = |kind: Kind| self.now.0 / (kind.ttl / 3).as_millis() as u64;
        let most = 1 + thirds(self.weather.token) + thirds(self.weather.lease);
        assert!((1..=most).contains(&self.minted), "{} credentials were made", self.minted);
    }

    fn happens_after(&mut self, time: Duration, what: Happens) {
        self.planned += 1;
        self.plan.insert((self.now + time, self.planned), (self.logins, what));
    }

    fn is_up(&mut self) -> bool {
        let down = self.weather.outages.iter().any(|(begins, ends)| (*begins..*ends).contains(&self.now));
        !down && !self.rng.random_bool(self.weather.lost)
    }

    fn republish(&mut self, left: u32) {
        if left > 0 {
            let late = if self.rng.random_bool(self.weather.late) { 5.0 } else { 1.0 };
            let pause = self.weather.interval.mul_f64(late * self.rng.random_range(0.95..1.05));
            self.happens_after(pause, Happens::Republish(left - 1));
        }
        self.interval.add_request(self.now);
        self.wanted_until = self.now + self.weather.interval * 3;
        if self.is_up() {
            self.fetch();
        }
        if self.session.is_some() {
            self.step(Event::Wanted(self.wanted_until));
        }
    }

    /// Does what a mount does: uses what it has until its time has come.
    fn fetch(&mut self) {
        assert!(
            !self.weather.is_calm() || self.files.is_none() || self.works(),
            "what the pod read has ended though nothing went wrong"
        );
        let (kept, before) = (self.can_be_used(), self.minted + self.logins);
        let interval = self.interval.observed();
        let state = self.session.as_ref().map(|session| &session.state);
        let ends = |state: &State| state.token_replace_at(interval).is_some_and(|at| at <= self.now);
        if state.is_none_or(|state| !state.token().is_of_use(self.now) || ends(state)) {
            self.log_in();
        }
        let held = self.files.as_ref().zip(self.session.as_ref());
        if held.is_none_or(|(files, session)| session.state.is_due(&files.user, interval, self.now)) {
            self.issue();
        }
        assert!(
            !kept || before == self.minted + self.logins,
            "a credential was replaced that could still be used"
        );
        assert!(self.works(), "a mount gave what has ended");
    }

    /// Whether user and password belong together and the server accepts them.
    fn works(&self) -> bool {
        let whole = |files: &Files| files.user == files.password && files.lease.lives(self.now);
        self.files.as_ref().is_some_and(whole)
            && self.session.as_ref().is_some_and(|session| session.token.lives(self.now))
    }

    /// Whether lease and token are valid as far as the client knows, and can be renewed as far as it knows.
    fn can_be_used(&self) -> bool {
        let good = |grant: &Grant| self.now < grant.known_end && grant.extends;
        self.files.as_ref().is_some_and(|files| good(&files.lease))
            && self.session.as_ref().is_some_and(|session| good(&session.token))
    }

    fn log_in(&mut self) {
        let kind = self.weather.token;
        self.logins += 1;
        let state = State::new(LeaseTerm::issued(kind.ttl, kind.renewable, self.now), self.rng.random());
        let token = Grant::issued(kind, self.now);
        self.session = Some(Session { state, token, calls: BTreeSet::new(), renewals: BTreeMap::new() });
    }

    /// Has user and password issued by one response.
    fn issue(&mut self) {
        let kind = self.weather.lease;
        self.minted += 1;
        let id = LeaseId(format!("database/creds/app/{}", self.minted));
        let old = self.files.replace(Files {
            user: id.clone(),
            password: id.clone(),
            lease: Grant::issued(kind, self.now),
        });
        self.step(Event::LeaseIssued(id, LeaseTerm::issued(kind.ttl, kind.renewable, self.now)));
        if let Some(old) = old {
            self.step(Event::LeaseGone(old.user));
        }
    }

    fn step(&mut self, event: Event) {
        let chance = self.rng.random();
        let Some(session) = &mut self.session else { return };
        for action in next(&mut session.state, event, self.now, chance) {
            match action {
                Action::RenewToken => self.renew(None),
                Action::RenewLease(id, _) => self.renew(Some(id)),
                Action::WaitUntil(at) => {
                    assert!(at > self.now, "a wait that does not wait");
                    self.happens_after(at.since(self.now), Happens::Tick);
                }
                Action::Warn(_) => {}
            }
        }
    }

    fn renew(&mut self, thing: Thing) {
        assert!(self.now <= self.wanted_until, "a renewal without a volume that wants it");
        let up = self.is_up();
        let carried_out = up || self.rng.random_bool(0.5);
        let now = self.now;
        let Some(session) = &mut self.session else { return };
        assert!(session.calls.insert(thing.clone()), "two calls at a time");
        let renewals = session.renewals.entry(thing.clone()).or_default();
        renewals.retain(|at| now.since(*at) < Duration::from_secs(60));
        renewals.push(now);
        assert!(renewals.len() <= STORM, "a storm: {} renewals in a minute", renewals.len());
        let lease = self
            .files
            .as_mut()
            .filter(|files| thing.as_ref() == Some(&files.user))
            .map(|files| &mut files.lease);
        let grant = if thing.is_none() { Some(&mut session.token) } else { lease };
        let answer = grant.filter(|_| carried_out).map(|grant| grant.renew(now));
        let (outcome, ends, last) = answer.filter(|_| up).unwrap_or((Renewed::Failed, now, false));
        let takes = Duration::from_millis(self.rng.random_range(1..2000));
        self.happens_after(takes, Happens::Answer { thing, outcome, ends, last });
    }

    fn answer(&mut self, thing: Thing, outcome: Renewed, ends: UnixMillis, last: bool) {
        let Some(session) = &mut self.session else { return };
        session.calls.remove(&thing);
        let lease = self
            .files
            .as_mut()
            .filter(|files| thing.as_ref() == Some(&files.user))
            .map(|files| &mut files.lease);
        if let Some(grant) = if thing.is_none() { Some(&mut session.token) } else { lease } {
            grant.hears(outcome, ends, last);
        }
        self.step(thing.map_or(Event::TokenRenewed(outcome), |id| Event::LeaseRenewed(id, outcome)));
    }
}

#[test]
fn without_faults_no_pod_reads_an_expired_credential_and_none_is_issued_twice() {
    (0..1000).for_each(|seed| World::new(seed, Weather::calm).run());
}

#[test]
fn with_faults_nothing_is_issued_needlessly_and_the_server_has_no_storm_of_renewals() {
    (0..2000).for_each(|seed| World::new(seed, Weather::storm).run());
}

#[test]
fn a_seed_always_has_the_same_course() {
    let counts = |seed| {
        let mut world = World::new(seed, Weather::storm);
        world.run();
        (world.now, world.planned, world.logins, world.minted)
    };
    assert_eq!(counts(7), counts(7));
    assert_ne!(counts(7), counts(8));
}
