//! A fleet whose logins began in the same minutes, after an outage: in later hours no minute has many more logins than another.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::renewal::{USUAL, reauthenticate_after};

const TOKENS: usize = 100_000;
const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;
/// The seconds in which the server serves all logins after the outage, at 500 logins per second.
const RECOVERY: f64 = 200.0;

/// Logins per minute of hours 2 to 8. Each token logs in again at the first republish after its time.
fn logins_per_minute(seed: u64) -> Vec<usize> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut minutes = vec![0; 480];
    for _ in 0..TOKENS {
        let mut at = random.random::<f64>() * RECOVERY;
        while at < 8.0 * HOUR {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 480")]
            let minute = (at / MINUTE) as usize;
            minutes[minute] += 1;
            at += reauthenticate_after(random.random()).as_secs_f64();
            at += random.random::<f64>() * USUAL.as_secs_f64();
        }
    }
    minutes.split_off(120)
}

#[test]
fn two_hours_after_an_outage_the_logins_of_a_fleet_are_spread_evenly() {
    for seed in 0..3 {
        let minutes = logins_per_minute(seed);
        let (busiest, sum) = (minutes.iter().max().copied().unwrap_or(0), minutes.iter().sum::<usize>());
        // The busiest minute has at most 1.3 times the mean.
        assert!(
            busiest * minutes.len() * 10 <= sum * 13,
            "{busiest} of {sum} in {} minutes, seed {seed}",
            minutes.len()
        );
    }
}

#[test]
fn a_login_counts_for_half_an_hour_at_least_and_for_75_minutes_at_most() {
    assert_eq!([0.0, 1.0, 7.0].map(|fraction| reauthenticate_after(fraction).as_secs()), [1800, 4500, 4500]);
}
