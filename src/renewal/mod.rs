//! When what a volume has is renewed, made anew and forgotten; pure: the clock and the chance are handed in.

pub mod expiry;
pub mod lease_term;
pub mod poll_schedule;
pub mod republish_interval;
pub mod step;
pub mod unix_millis;
#[cfg(test)]
mod simulation;

pub use expiry::{Bounds, Expiry, RenewalInputs, too_short};
pub use lease_term::{LeaseTerm, Next, Renewability, Renewed};
pub use poll_schedule::{PollSchedule, TOGETHER};
pub use republish_interval::{RepublishInterval, USUAL, is_forgotten};
pub use step::{Action, Event, LeaseId, State, Warning, next};
pub use unix_millis::UnixMillis;
