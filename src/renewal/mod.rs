//! When tokens, leases and certificates are renewed or replaced, and when volumes are polled. Pure: clock and random numbers are parameters.

pub(crate) mod expiry; // when the successor of something that cannot be extended is issued
pub(crate) mod lease_term; // the term of a token or a lease
pub(crate) mod poll_schedule; // when volumes are polled
pub(crate) mod republish_interval; // how often the driver republishes a volume
pub(crate) mod step; // renewal of a token and its leases
pub(crate) mod unix_millis; // a time that means the same after a restart
#[cfg(test)]
mod simulation;

use std::time::Duration;

pub(crate) use expiry::{Bounds, Expiry, RenewalInputs, too_short};
pub(crate) use lease_term::{LeaseTerm, Next, Renewability, Renewed};
pub(crate) use poll_schedule::{PollSchedule, TOGETHER};
pub(crate) use republish_interval::{RepublishInterval, USUAL, is_forgotten};
pub(crate) use step::{Action, Event, LeaseId, State, Warning, next};
pub(crate) use unix_millis::UnixMillis;

/// The shortest and the longest time for which a login counts as authenticated. After that a pod's new service account token must log in again,
/// because the account may have lost its role meanwhile. The logins of a fleet that began together are spread evenly after two hours: see
/// `simulation/fleet.rs`. `docs/operations.md`, `docs/security.md`, `docs/large-fleets.md` and `docs/troubleshooting.md` name these times.
const REAUTHENTICATE_AFTER: (Duration, Duration) = (Duration::from_secs(1800), Duration::from_secs(4500));

/// How long a login counts as authenticated; `fraction` (0 to 1) is the token's own.
pub(crate) fn reauthenticate_after(fraction: f64) -> Duration {
    let (shortest, longest) = REAUTHENTICATE_AFTER;
    shortest + (longest - shortest).mul_f64(fraction.clamp(0.0, 1.0))
}
