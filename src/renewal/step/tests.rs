use super::*;
use crate::renewal::Action::{RenewLease, RenewToken, WaitUntil, Warn};
use crate::renewal::Event::{LeaseGone, LeaseIssued, LeaseRenewed, Tick, TokenRenewed, Wanted};
use crate::renewal::step::Renewed::{Failed, For, Refused};

const HOUR: Duration = Duration::from_secs(3600);
const USUAL: Duration = Duration::from_secs(75);

fn at(seconds: u64) -> UnixMillis {
    UnixMillis(seconds * 1000)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn db() -> LeaseId {
    LeaseId("database/creds/app/1".into())
}

/// A token of two hours that is wanted for a day, with a lease of one hour, both renewable.
fn session() -> State {
    let mut state = State::new(LeaseTerm::issued(2 * HOUR, true, at(0)), 0.0);
    step(&mut state, 0, Wanted(at(86400)));
    step(&mut state, 0, LeaseIssued(db(), LeaseTerm::issued(HOUR, true, at(0))));
    state
}

fn step(state: &mut State, now: u64, event: Event) -> Vec<Action> {
    next(state, event, at(now), 0.0)
}

#[test]
fn token_and_leases_are_renewed_each_at_its_time() {
    let mut state = session();
    assert_eq!(step(&mut state, 0, Tick), [WaitUntil(at(2400))]);
    assert_eq!(step(&mut state, 2400, Tick), [RenewLease(db(), HOUR), WaitUntil(at(4800))]);
    assert_eq!(step(&mut state, 2410, LeaseRenewed(db(), For(HOUR))), [WaitUntil(at(4800))]);
    assert_eq!(state.leases().next().unwrap().1.ends(), Some(at(6000)), "from the beginning of the call");
    assert_eq!(step(&mut state, 4801, Tick), [RenewToken, RenewLease(db(), HOUR)]);
}

#[test]
fn one_call_at_a_time_for_each_token_and_lease() {
    let mut state = session();
    step(&mut state, 2400, Tick);
    for now in 2400..2500 {
        assert_eq!(step(&mut state, now, Tick), [WaitUntil(at(4800))], "its renewal is under way");
    }
    assert_eq!(step(&mut state, 2500, LeaseRenewed(db(), Failed)), [WaitUntil(at(2501))]);
    assert_eq!(step(&mut state, 2501, Tick), [RenewLease(db(), HOUR), WaitUntil(at(4800))]);
}

#[test]
fn an_unused_token_is_not_renewed() {
    let mut state = State::new(LeaseTerm::issued(HOUR, true, at(0)), 0.0);
    assert_eq!(step(&mut state, 0, Tick), [], "nobody asked yet");
    assert_eq!(step(&mut state, 0, Wanted(at(2000))), [], "it is not renewed in that time");
    assert_eq!(step(&mut state, 3000, Tick), []);
    assert_eq!(step(&mut state, 3100, Wanted(at(3200))), [RenewToken], "late is better than never");
    assert_eq!(step(&mut state, 3100, Wanted(at(10))), [], "what one volume says another does not take back");
    assert_eq!(step(&mut state, 3101, TokenRenewed(For(HOUR))), []);
}

#[test]
fn an_expired_token_renews_nothing() {
    let mut state = State::new(LeaseTerm::issued(secs(2000), false, at(0)), 0.0);
    step(&mut state, 0, Wanted(at(86400)));
    assert_eq!(
        step(&mut state, 0, LeaseIssued(db(), LeaseTerm::issued(HOUR, true, at(0)))),
        [],
        "the token ends before its renewal"
    );
    assert_eq!(step(&mut state, 2400, Tick), []);
}

#[test]
fn a_token_that_cannot_be_renewed_degrades_with_one_warning() {
    let mut batch = State::new(LeaseTerm::issued(HOUR, false, at(0)), 0.0);
    assert_eq!(
        (step(&mut batch, 0, Wanted(at(9))), step(&mut batch, 1, Tick)),
        (vec![Warn(Warning::Degraded)], vec![])
    );
    assert!(batch.is_degraded());

    let mut state = session();
    step(&mut state, 4800, Tick);
    assert!(!state.is_degraded());
    let told = step(&mut state, 4800, TokenRenewed(Refused));
    assert_eq!((told, state.is_degraded()), (vec![Warn(Warning::Degraded)], true));
    assert_eq!(step(&mut state, 4801, Tick), []);

    let mut root = State::new(LeaseTerm::issued(Duration::ZERO, false, at(0)), 0.0);
    assert_eq!((step(&mut root, 0, Wanted(at(9))), root.is_degraded()), (vec![], false));
}

#[test]
fn refused_leases_are_warned_of_once_for_a_token() {
    let mut state = session();
    let other = LeaseId("database/creds/app/2".into());
    step(&mut state, 0, LeaseIssued(other.clone(), LeaseTerm::issued(HOUR, true, at(0))));
    assert_eq!(step(&mut state, 2400, Tick).len(), 3);
    assert_eq!(
        step(&mut state, 2400, LeaseRenewed(db(), Refused)),
        [Warn(Warning::LeaseRefused), WaitUntil(at(4800))]
    );
    assert_eq!(step(&mut state, 2400, LeaseRenewed(other, Refused)), [WaitUntil(at(4800))]);
    assert_eq!(state.replace_at(&db(), USUAL), Some(at(3240)));
}

#[test]
fn a_lease_is_removed_when_it_expires_or_is_revoked() {
    let mut state = session();
    step(&mut state, 2400, Tick);
    assert_eq!((state.leases().count(), state.is_due(&db(), USUAL, at(3599))), (1, false));
    step(&mut state, 3600, Tick);
    assert_eq!(
        (state.leases().count(), state.is_due(&db(), USUAL, at(3600))),
        (1, true),
        "its renewal is under way"
    );
    step(&mut state, 3700, LeaseRenewed(db(), Failed));
    assert_eq!((state.leases().count(), state.replace_at(&db(), USUAL)), (0, Some(UnixMillis(0))), "at once");

    let mut state = session();
    step(&mut state, 2400, Tick);
    step(&mut state, 2401, LeaseGone(db()));
    assert_eq!(step(&mut state, 2402, LeaseRenewed(db(), For(HOUR))), [WaitUntil(at(4800))]);
    assert_eq!(state.leases().count(), 0, "a late answer brings nothing back");
}

#[test]
fn a_lease_is_replaced_no_later_than_its_token() {
    // token: seconds, renewable; lease: seconds, renewable; replaced at
    let table = [
        ((7200, true), (3600, true), None),
        ((7200, true), (3600, false), Some(2520)),
        ((7200, false), (3600, false), Some(2520)),
        ((3600, false), (7200, false), Some(2520)),
        ((3600, false), (7200, true), Some(2520)),
        ((7200, false), (3600, true), Some(5040)), // its renewals would outlive the token
        ((3600, false), (0, false), Some(2520)),
        ((0, false), (3600, true), None),
        ((300, true), (3600, true), None), // while the token is renewed its end says nothing
    ];
    for ((token, renews), (lease, renewable), expected) in table {
        let mut state = State::new(LeaseTerm::issued(secs(token), renews, at(0)), 0.0);
        step(&mut state, 0, LeaseIssued(db(), LeaseTerm::issued(secs(lease), renewable, at(0))));
        assert_eq!(
            state.replace_at(&db(), USUAL),
            expected.map(at),
            "token {token} {renews}, lease {lease} {renewable}"
        );
    }
}

#[test]
fn a_lease_is_due_when_its_time_has_come_or_it_or_its_token_has_ended() {
    let due = |token: (u64, bool), lease: (u64, bool), now| {
        let mut state = State::new(LeaseTerm::issued(secs(token.0), token.1, at(0)), 0.0);
        step(&mut state, 0, LeaseIssued(db(), LeaseTerm::issued(secs(lease.0), lease.1, at(0))));
        state.is_due(&db(), USUAL, at(now))
    };
    assert_eq!([2519, 2520].map(|now| due((7200, true), (3600, false), now)), [false, true]);
    assert_eq!([3599, 3600].map(|now| due((7200, true), (3600, true), now)), [false, true]);
    assert_eq!([1799, 1800].map(|now| due((1800, true), (3600, true), now)), [false, true]);
    assert!(
        State::new(LeaseTerm::issued(HOUR, true, at(0)), 0.0).is_due(&db(), USUAL, at(0)),
        "an unknown lease is due at once"
    );
}
