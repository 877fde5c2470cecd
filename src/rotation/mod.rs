//! When what a volume has is renewed, made anew and forgotten; pure: the clock and the chance are handed in.

mod backoff;
mod cadence;
mod interval;
mod made;
mod moment;
#[cfg(test)]
mod simulation;
mod step;
mod term;

pub use cadence::{Cadence, TOGETHER};
pub use interval::{Interval, USUAL, is_forgotten};
pub use made::{Bounds, Life, Pace, too_short};
pub use moment::Moment;
pub use step::{Action, Event, LeaseId, State, Warning, next};
pub use term::{Next, Renewed, Stand, Term};
