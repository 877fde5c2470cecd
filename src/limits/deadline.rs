//! When a mount's response must be ready.

use std::time::Duration;

use http::Extensions;
use tokio::time::Instant;

/// The longest time that a mount may take. A mount that takes longer rarely succeeds, and the rotation of driver 1.5, which sets no deadline,
/// mounts the volumes of the node one after the other.
const LONGEST: Duration = Duration::from_secs(60);
/// The longest time that a response may need to reach the pod before the driver gives up.
const MARGIN: Duration = Duration::from_secs(10);
/// For a short timeout the margin is one part in this many of it.
const MARGIN_SHARE: u32 = 3;

/// When the response must be ready; carried in the request's extensions. It lies well before the driver's own deadline: a driver that gives up
/// first sees DeadlineExceeded, after which driver 1.6 starts the pod on an empty volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline(pub Instant);

impl Deadline {
    /// The deadline of a request that `arrived` with `timeout`, its `grpc-timeout`.
    pub(crate) fn new(arrived: Instant, timeout: Option<Duration>) -> Self {
        let usable = |timeout: Duration| timeout - MARGIN.min(timeout / MARGIN_SHARE);
        Self(arrived + timeout.map_or(LONGEST, usable).min(LONGEST))
    }

    /// The deadline that the `server` module stored in `extensions`. Without one the request has as long as a request without a timeout.
    pub(crate) fn of(extensions: &Extensions) -> Instant {
        extensions.get::<Self>().map_or_else(|| Self::new(Instant::now(), None).0, |deadline| deadline.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_ready_before_the_driver_gives_up() {
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
            let left = (deadline.0 - arrived).as_secs_f64();
            assert!((left - usable).abs() < 0.001, "a timeout of {timeout} s leaves {left} s");
        }
        assert_eq!(Deadline::new(arrived, None).0 - arrived, LONGEST);
    }
}
