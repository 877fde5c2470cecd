use super::*;
use crate::renewal::Renewed::{Failed, For, Refused};

const HOUR: Duration = Duration::from_secs(3600);
const USUAL: Duration = Duration::from_secs(75);

fn at(seconds: u64) -> UnixMillis {
    UnixMillis(seconds * 1000)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Issued for an hour at 0, and what came of its renewals.
fn lived(renewals: &[(u64, Renewed)]) -> LeaseTerm {
    let mut term = LeaseTerm::issued(HOUR, true, at(0));
    renewals.iter().for_each(|&(seconds, outcome)| term.after(outcome, at(seconds), 1.0));
    term
}

#[test]
fn a_term_is_renewed_after_two_thirds_or_up_to_a_quarter_earlier() {
    let term = lived(&[]);
    let next = [0.0, 0.5, 1.0].map(|chance| term.next(at(1), chance));
    assert_eq!(next, [2400, 2100, 1800].map(|seconds| Next::RenewAt(at(seconds))));
    assert_eq!(lived(&[(2400, For(HOUR))]).next(at(2401), 0.0), Next::RenewAt(at(4800)));
    assert_eq!((term.next(at(3599), 0.0), term.next(at(3600), 0.5)), (Next::RenewAt(at(2400)), Next::Ended));
}

#[test]
fn a_term_without_end_needs_no_renewal() {
    for renewable in [true, false] {
        let term = LeaseTerm::issued(Duration::ZERO, renewable, at(5));
        assert_eq!((term.next(at(9_999_999), 0.5), term.ends()), (Next::Nothing(None), None));
        assert_eq!((term.replace_at(USUAL, 0.0), term.is_of_use(UnixMillis(u64::MAX))), (None, true));
    }
}

#[test]
fn a_term_that_cannot_be_renewed_is_replaced_in_time() {
    let table = [(3600, 75, 2520), (400, 75, 250), (90, 75, 30), (3600, 900, 1800)];
    for (ttl, interval, expected) in table {
        let term = LeaseTerm::issued(secs(ttl), false, at(0));
        assert_eq!(term.next(at(0), 0.5), Next::Nothing(Some(at(ttl))));
        assert_eq!(
            term.replace_at(secs(interval), 0.0),
            Some(at(expected)),
            "ttl {ttl}, interval {interval}"
        );
    }
}

#[test]
fn failures_back_off_and_hurry_as_the_end_nears() {
    let mut term = lived(&[]);
    let mut tries = Vec::new();
    let mut now = at(2400);
    while let Next::RenewAt(due) = term.next(now, 0.0) {
        now = now.max(due);
        tries.push(now.0 / 1000);
        term.after(Failed, now, 1.0);
    }
    let expected = [
        2400, 2401, 2403, 2407, 2415, 2431, 2463, 2527, 2655, 2911, 3140, 3293, 3395, 3463, 3509, 3539, 3559,
        3573, 3582, 3588, 3592, 3594, 3596, 3597, 3598, 3599,
    ];
    assert_eq!(tries, expected);
}

#[test]
fn a_failed_renewal_issues_no_successor() {
    let mut term = lived(&[]);
    for seconds in (2400..3600).step_by(10) {
        term.after(Failed, at(seconds), 0.5);
        assert_eq!((term.replace_at(USUAL, 0.0), term.is_of_use(at(seconds))), (None, true));
    }
    assert!(!term.is_of_use(at(3600)), "its end is the reason");
    term.after(For(HOUR), at(3599), 0.5);
    assert_eq!(term, lived(&[(3599, For(HOUR))]), "nothing is left of the failures");
}

#[test]
fn a_refused_renewal_is_the_last_and_the_rest_is_used() {
    let term = lived(&[(2400, Refused)]);
    assert_eq!(
        (term.next(at(2401), 0.5), term.renewability()),
        (Next::Nothing(Some(at(3600))), Renewability::Refused)
    );
    assert_eq!(term.replace_at(USUAL, 0.0), Some(at(2400 + 840)));
    assert_eq!(term.replace_at(secs(300), 0.0), Some(at(3000)));
    assert_eq!(
        lived(&[(2400, Refused), (3000, Refused), (3100, Failed)]).replace_at(USUAL, 0.0),
        term.replace_at(USUAL, 0.0)
    );
}

#[test]
fn a_renewal_that_gives_less_than_nine_tenths_has_met_the_max_ttl() {
    assert_eq!(lived(&[(2400, For(secs(3240)))]).renewability(), Renewability::Extends);
    let term = lived(&[(2400, For(secs(3239)))]);
    assert_eq!((term.renewability(), term.ends()), (Renewability::Capped, Some(at(5639))));
    assert_eq!(term.replace_at(USUAL, 0.0), Some(UnixMillis(2_400_000 + 2_267_300)));
    let shorter = lived(&[(2400, For(secs(10)))]);
    assert_eq!(
        (shorter.ends(), shorter.replace_at(USUAL, 0.0)),
        (Some(at(2410)), Some(at(2260))),
        "as the server granted"
    );
    let nothing = lived(&[(2400, For(Duration::ZERO))]);
    assert_eq!(
        (nothing.renewability(), nothing.ends()),
        (Renewability::Capped, Some(at(3600))),
        "no time moves no end"
    );
}

#[test]
fn extreme_terms_do_no_harm() {
    let long = LeaseTerm::issued(Duration::MAX, true, at(5));
    assert_eq!(long.ends(), Some(UnixMillis(u64::MAX)));
    assert!(matches!(long.next(at(5), 1.0), Next::RenewAt(due) if due > at(9_000_000_000)));
    let short = LeaseTerm::issued(Duration::from_millis(1), true, at(5));
    assert_eq!(short.next(at(6), 0.5), Next::Ended);
}

#[test]
fn a_term_outlives_a_restart() {
    let term = lived(&[(2400, For(HOUR)), (4800, Failed)]);
    let written = serde_json::to_string(&term).unwrap();
    assert_eq!(serde_json::from_str::<LeaseTerm>(&written).unwrap(), term);
}

#[test]
fn what_lives_for_seconds_is_not_renewed_all_the_time_but_replaced_at_its_end() {
    let renewals = |ttl| {
        let (mut term, mut tries) = (LeaseTerm::issued(secs(ttl), true, at(0)), Vec::new());
        while let (Next::RenewAt(due), true) = (term.next(at(0), 0.5), tries.len() < 3) {
            tries.push(due.0 / 1000);
            term.after(For(secs(ttl)), due, 0.5);
        }
        (tries, term.next(at(4), 0.5))
    };
    assert_eq!(renewals(1), (vec![], Next::Ended));
    assert_eq!(renewals(5), (vec![], Next::Nothing(Some(at(5)))));
    assert_eq!(renewals(6).0, [5, 10, 15]);
    assert_eq!(LeaseTerm::issued(secs(1), true, at(0)).replace_at(USUAL, 0.0), None, "its end is the reason");
}

#[test]
fn tokens_that_were_issued_together_are_not_replaced_together() {
    let fixed = LeaseTerm::issued(HOUR, false, at(0));
    assert_eq!(
        [0.0, 0.5, 1.0].map(|chance| fixed.replace_at(USUAL, chance)),
        [2520, 2205, 1890].map(|s| Some(at(s)))
    );
}
