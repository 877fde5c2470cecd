//! When a mount's answer must be ready.

use std::time::Duration;

use http::Extensions;
use tokio::time::Instant;

/// The longest that a mount may take: nobody waits longer with hope, and a 1.5 driver's rotation, which sets no
/// deadline, does one volume of the node after the other.
const LONGEST: Duration = Duration::from_secs(60);
/// What an answer may need at most to reach the pod before its caller gives up.
const MARGIN: Duration = Duration::from_secs(10);
/// A short deadline leaves a third of itself as margin.
const MARGIN_SHARE: u32 = 3;

/// The moment at which the answer must be ready, in the request's extensions: ours, well before the caller's own. A
/// caller that gives up first takes it for DeadlineExceeded, after which driver 1.6 starts the pod on an empty volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub Instant);

impl Deadline {
    /// The deadline of a request that `arrived` with `timeout`, its grpc-timeout.
    pub fn new(arrived: Instant, timeout: Option<Duration>) -> Self {
        let usable = |timeout: Duration| timeout - MARGIN.min(timeout / MARGIN_SHARE);
        Self(arrived + timeout.map_or(LONGEST, usable).min(LONGEST))
    }

    /// The deadline that the server room put there; a call from elsewhere has as long as a caller without a timeout.
    pub fn of(extensions: &Extensions) -> Instant {
        extensions.get::<Self>().map_or_else(|| Self::new(Instant::now(), None).0, |deadline| deadline.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_ready_before_its_caller_gives_up() {
        let arrived = Instant::now();
        for (timeout, usable) in [
            (120.0, 60.0),
            (71.0, 60.0),
            (69.0, 59.0),
            (30.0, 20.0),
            (15.0, 10.0),
            (1.0, 2.0 / 3.0),
            (0.0, 0.0),
        ] {
            let deadline = Deadline::new(arrived, Some(Duration::from_secs_f64(timeout)));
            let given = (deadline.0 - arrived).as_secs_f64();
            assert!((given - usable).abs() < 0.001, "{timeout} s gives {given} s");
        }
        assert_eq!(Deadline::new(arrived, None).0 - arrived, LONGEST);
    }
}
