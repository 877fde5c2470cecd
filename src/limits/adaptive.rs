//! A limit on concurrent calls that follows how a server answers: additive increase, multiplicative decrease. Pure: the clock is a parameter.

use std::time::Duration;

use tokio::time::Instant;

/// A response that took longer than this shows that the server has more to do than it can.
const SLOW: Duration = Duration::from_secs(1);
/// The limit shrinks at most once in this time: calls that were sent together and are slow together are one event.
const SHRINK_INTERVAL: Duration = Duration::from_secs(1);
/// What a slow response leaves of the limit.
const AFTER_SLOW: f64 = 0.7;
/// What a call without a response leaves of the limit.
const AFTER_UNANSWERED: f64 = 0.5;

/// The bounds of a limit, each at least 1, and where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LimitBounds {
    pub(crate) min: u16,
    /// What slow responses leave at least; calls without a response may leave less.
    pub(crate) slow: u16,
    pub(crate) start: u16,
    pub(crate) max: u16,
}

/// How a call ended, for the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sample {
    /// The response was quick.
    Quick,
    /// The response was slow, or the server said that it has too much to do.
    Slow,
    /// There was no response.
    Unanswered,
}

/// How many calls may run at the same time.
#[derive(Clone, Debug)]
pub(crate) struct AdaptiveLimit {
    bounds: LimitBounds,
    limit: f64,
    /// When it shrank last.
    shrunk: Option<Instant>,
}

impl Sample {
    /// The sample of a response that took `time`.
    pub(crate) fn answered(time: Duration) -> Self {
        if time > SLOW { Self::Slow } else { Self::Quick }
    }
}

impl AdaptiveLimit {
    /// A limit without samples.
    pub(crate) fn new(bounds: LimitBounds) -> Self {
        Self { bounds, limit: f64::from(bounds.start.clamp(bounds.min, bounds.max)), shrunk: None }
    }

    /// The limit.
    pub(crate) fn get(&self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between `min` and `max`"
        )]
        let limit = self.limit as usize;
        limit
    }

    /// Records how a call ended at `now`.
    pub(crate) fn record(&mut self, sample: Sample, now: Instant) {
        let (factor, least) = match sample {
            Sample::Quick => {
                self.limit = (self.limit + 1.0 / self.limit).min(f64::from(self.bounds.max));
                return;
            }
            Sample::Slow => (AFTER_SLOW, self.bounds.slow),
            Sample::Unanswered => (AFTER_UNANSWERED, self.bounds.min),
        };
        if self.shrunk.is_some_and(|shrunk| now.saturating_duration_since(shrunk) < SHRINK_INTERVAL) {
            return;
        }
        self.shrunk = Some(now);
        self.limit = (self.limit * factor).max(f64::from(least).min(self.limit));
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    const BOUNDS: LimitBounds = LimitBounds { min: 1, slow: 1, start: 4, max: 8 };

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[tokio::test]
    async fn slow_responses_that_end_together_shrink_the_limit_once() {
        let (mut limit, now) =
            (AdaptiveLimit::new(LimitBounds { min: 1, slow: 1, start: 64, max: 64 }), Instant::now());
        for _ in 0..64 {
            limit.record(Sample::Slow, now);
        }
        assert_eq!(limit.get(), 44);
        limit.record(Sample::Unanswered, now + seconds(0.9));
        assert_eq!(limit.get(), 44, "within the same second");
        limit.record(Sample::Unanswered, now + seconds(1.0));
        assert_eq!(limit.get(), 22);
    }

    #[tokio::test]
    async fn the_limit_stays_within_its_bounds_whatever_a_server_does() {
        let mut random = StdRng::seed_from_u64(7);
        let (mut limit, mut now) = (AdaptiveLimit::new(BOUNDS), Instant::now());
        for _ in 0..100_000 {
            let sample = [Sample::Quick, Sample::Slow, Sample::Unanswered][random.random_range(0..3)];
            limit.record(sample, now);
            assert!((1..=8).contains(&limit.get()), "{limit:?}");
            now += seconds(random.random_range(0.0..3.0));
        }
    }

    #[tokio::test]
    async fn a_limit_that_shrank_grows_back_with_quick_responses() {
        let (mut limit, mut now) = (AdaptiveLimit::new(BOUNDS), Instant::now());
        for _ in 0..10 {
            now += seconds(2.0);
            limit.record(Sample::Unanswered, now);
        }
        assert_eq!(limit.get(), 1);
        let responses = (0..).take_while(|_| {
            limit.record(Sample::Quick, now);
            limit.get() < BOUNDS.max.into()
        });
        let responses = responses.count();
        assert!((25..=40).contains(&responses), "about half of the square of the limit: {responses}");
    }

    /// A server that works on one login after the other, each for `service`, and gets `count` logins from a client with this limit.
    /// Returns the time until the last response, and the largest number of logins at the same time after the first 20 s.
    fn serial_server(service: f64, count: usize) -> (f64, usize) {
        let (mut limit, start) = (AdaptiveLimit::new(BOUNDS), Instant::now());
        let (mut waiting, mut now, mut busy_until, mut most) = (count, 0.0_f64, 0.0_f64, 0);
        let mut under_way: Vec<(f64, f64)> = Vec::new(); // begun, ends
        loop {
            while waiting > 0 && under_way.len() < limit.get() {
                busy_until = busy_until.max(now) + service;
                under_way.push((now, busy_until));
                waiting -= 1;
            }
            if now > 20.0 {
                most = most.max(under_way.len());
            }
            if under_way.is_empty() {
                return (now, most);
            }
            let (begun, ends) = under_way.remove(0);
            now = ends;
            limit.record(Sample::answered(seconds(ends - begun)), start + seconds(now));
        }
    }

    #[tokio::test]
    async fn a_server_with_too_much_to_do_is_kept_busy_by_one_call_at_a_time() {
        let (took, most) = serial_server(1.0 / 0.6, 20);
        assert!(took < 34.0, "20 logins at 0.6 per second need 33.3 s, and took {took}");
        assert_eq!(most, 1);
        let (took, most) = serial_server(0.01, 10_000);
        assert!(took < 101.0 && most == 8, "{took} {most}");
    }
}
