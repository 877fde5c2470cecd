//! When the answer must be ready.

use std::time::Duration;

use http::Extensions;
use tokio::time::Instant;

/// The moment by which a request must be answered; the server room hands it in with the request.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

/// Time of a request that came without a deadline: from a test, for the server room always sets one.
const UNSET: Duration = Duration::from_secs(60);

impl Deadline {
    /// The deadline at `moment`.
    pub fn at(moment: Instant) -> Self {
        Self(moment)
    }

    /// The moment by which the request with these extensions must be answered.
    pub(super) fn of(extensions: &Extensions) -> Instant {
        extensions.get::<Self>().map_or_else(|| Instant::now() + UNSET, |deadline| deadline.0)
    }
}
