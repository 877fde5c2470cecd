//! Which calls are retried, and when. Pure: the clock and the randomness are parameters.

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use crate::limits::backoff::Backoff;
use crate::vault::effect::Effect;
use crate::vault::error::Status;

/// What a second execution of a call would do at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    /// Nothing: a GET or a LIST of something that exists already.
    Read,
    /// Perhaps issue a second certificate, user or token. Retried only if the first attempt certainly was not executed.
    Write,
    /// Idempotent: repeating a renewal or a revocation has the same effect as doing it once.
    Idempotent,
    /// Issue a second token. As a write, except that a 403 is not about a token that other nodes do not know yet.
    Login,
}

impl CallKind {
    /// The kind of a request with this effect.
    pub(crate) fn of(effect: Effect) -> Self {
        if effect.may_create() { Self::Write } else { Self::Read }
    }

    /// True if a second execution changes nothing at the server.
    pub(crate) fn is_repeatable(self) -> bool {
        match self {
            Self::Read | Self::Idempotent => true,
            Self::Write | Self::Login => false,
        }
    }
}

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptOutcome {
    /// No connection: nothing was sent.
    NotSent,
    /// The connection broke, or no response came in time. The server may have executed the call.
    Unknown,
    /// The server responded with a status.
    Answered(Status),
}

/// What a response says about another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ResponseClass {
    /// Not executed, because of a state that ends by itself: 400 or 403 with such a text, 412, or a 5xx of a server that is sealed or standby.
    NotExecuted,
    /// 403 with a token that was issued a moment ago: perhaps from a standby that does not know the token yet.
    YoungTokenDenied,
    /// 429: not executed; the server may say how long to wait.
    TooManyRequests(Option<Duration>),
    /// Any other 5xx except 501: the server may have executed the call.
    ServerError,
    /// Anything else: another attempt would end the same way.
    Final,
}

impl ResponseClass {
    fn of(status: Status, young_token: bool) -> Self {
        if status.passing {
            return Self::NotExecuted;
        }
        match status.code {
            StatusCode::FORBIDDEN if young_token => Self::YoungTokenDenied,
            // This node lacks the state that the call requires.
            StatusCode::PRECONDITION_FAILED => Self::NotExecuted,
            StatusCode::TOO_MANY_REQUESTS => Self::TooManyRequests(status.retry_after),
            StatusCode::NOT_IMPLEMENTED => Self::Final,
            code if code.is_server_error() && status.not_serving => Self::NotExecuted,
            code if code.is_server_error() => Self::ServerError,
            _ => Self::Final,
        }
    }
}

/// Pauses between attempts. All of a pause is jitter.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(5), jitter: 1.0 };

/// Pauses after 429. A server that limits its rate gets few tries, whatever its `Retry-After` says: none, 0, or something that is no number.
const BUSY: Backoff =
    Backoff { first: Duration::from_secs(2), longest: Duration::from_secs(10), jitter: 0.5 };

/// The shortest pause before the one retry of a denial of a young token, and what a random number adds to it.
const YOUNG_TOKEN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(400));

/// The attempts of one call.
#[derive(Debug)]
pub(crate) struct RetryPolicy {
    kind: CallKind,
    until: Instant,
    attempts: u32,
    /// True while a 403 may be from a node that does not know the token yet.
    young_token: bool,
}

impl RetryPolicy {
    /// A policy for a call without attempts so far. No attempt starts after `until`.
    pub(crate) fn new(kind: CallKind, young_token: bool, until: Instant) -> Self {
        Self { kind, until, attempts: 0, young_token }
    }

    /// When the next attempt starts after `outcome`; `None` if `outcome` is final. `random` is uniform in 0..1.
    pub(crate) fn next(&mut self, outcome: AttemptOutcome, now: Instant, random: f64) -> Option<Instant> {
        self.attempts = self.attempts.saturating_add(1);
        let pause = match outcome {
            AttemptOutcome::NotSent => BACKOFF.pause(self.attempts, random),
            AttemptOutcome::Unknown if self.kind.is_repeatable() => BACKOFF.pause(self.attempts, random),
            AttemptOutcome::Unknown => return None,
            AttemptOutcome::Answered(status) => self.after(status, random)?,
        };
        // A server may name any number of seconds. A moment that the clock cannot represent is later than `until`.
        now.checked_add(pause).filter(|next| *next < self.until)
    }

    /// The pause after a response; `None` if the response is final.
    fn after(&mut self, status: Status, random: f64) -> Option<Duration> {
        let pause = BACKOFF.pause(self.attempts, random);
        match ResponseClass::of(status, self.young_token) {
            ResponseClass::NotExecuted => Some(pause),
            // Once, 100 to 500 ms later.
            ResponseClass::YoungTokenDenied => {
                self.young_token = false;
                Some(YOUNG_TOKEN.0 + YOUNG_TOKEN.1.mul_f64(random))
            }
            ResponseClass::TooManyRequests(retry_after) => {
                Some(retry_after.unwrap_or_default().max(BUSY.pause(self.attempts, random)))
            }
            ResponseClass::ServerError => self.kind.is_repeatable().then_some(pause),
            ResponseClass::Final => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);
    const KINDS: [CallKind; 3] = [CallKind::Read, CallKind::Write, CallKind::Login];

    fn status(code: u16) -> AttemptOutcome {
        AttemptOutcome::Answered(Status {
            code: code.try_into().unwrap(),
            retry_after: None,
            not_serving: false,
            passing: false,
        })
    }

    fn repeats(outcome: AttemptOutcome) -> [bool; 3] {
        let now = Instant::now();
        KINDS.map(|kind| {
            RetryPolicy::new(kind, kind != CallKind::Login, now + LONG).next(outcome, now, 0.5).is_some()
        })
    }

    #[tokio::test]
    async fn a_call_that_issues_something_is_retried_only_if_it_certainly_was_not_executed() {
        let not_serving = |code: u16| {
            AttemptOutcome::Answered(Status {
                code: code.try_into().unwrap(),
                retry_after: None,
                not_serving: true,
                passing: false,
            })
        };
        let passing =
            Status { code: StatusCode::BAD_REQUEST, retry_after: None, not_serving: false, passing: true };
        let table = [
            (AttemptOutcome::NotSent, [true; 3]),
            (AttemptOutcome::Unknown, [true, false, false]),
            (status(400), [false; 3]),
            (status(403), [true, true, false]),
            (status(404), [false; 3]),
            (status(405), [false; 3]),
            (status(412), [true; 3]),
            (status(429), [true; 3]),
            (status(500), [true, false, false]),
            (status(501), [false; 3]),
            (status(502), [true, false, false]),
            (status(503), [true, false, false]),
            (not_serving(500), [true; 3]),
            (not_serving(503), [true; 3]),
            (AttemptOutcome::Answered(passing), [true; 3]),
        ];
        for (outcome, expected) in table {
            assert_eq!(repeats(outcome), expected, "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_denial_of_a_new_token_is_retried_once() {
        let now = Instant::now();
        let mut policy = RetryPolicy::new(CallKind::Read, true, now + LONG);
        let next = policy.next(status(403), now, 0.0).unwrap();
        assert_eq!(next - now, Duration::from_millis(100));
        assert_eq!(policy.next(status(403), next, 0.0), None);
        assert_eq!(
            RetryPolicy::new(CallKind::Read, false, now + LONG).next(status(403), now, 0.0),
            None,
            "every node knows an older token"
        );
    }

    #[tokio::test]
    async fn pauses_double_to_five_seconds_and_end_with_the_budget() {
        let start = Instant::now();
        let mut policy = RetryPolicy::new(CallKind::Read, false, start + LONG);
        let (mut now, mut pauses) = (start, Vec::new());
        while let Some(next) = policy.next(AttemptOutcome::Unknown, now, 1.0) {
            pauses.push((next - now).as_millis());
            now = next;
        }
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 5000, 5000]);
        assert!(now - start < LONG);
    }

    #[tokio::test]
    async fn a_busy_server_gets_few_tries_whatever_its_retry_after_says() {
        for retry_after in [None, Some(Duration::ZERO)] {
            let busy = Status {
                code: StatusCode::TOO_MANY_REQUESTS,
                retry_after,
                not_serving: false,
                passing: false,
            };
            let start = Instant::now();
            let mut policy = RetryPolicy::new(CallKind::Idempotent, false, start + Duration::from_secs(5));
            let (mut now, mut tries) = (start, 1);
            while let Some(next) = policy.next(AttemptOutcome::Answered(busy), now, 0.0) {
                (now, tries) = (next, tries + 1);
            }
            assert_eq!(tries, 3, "within five seconds, by the shortest pauses");
        }
    }

    #[tokio::test]
    async fn retry_after_is_obeyed_unless_that_is_too_late() {
        let now = Instant::now();
        let wait = |seconds| {
            let outcome = AttemptOutcome::Answered(Status {
                code: StatusCode::TOO_MANY_REQUESTS,
                retry_after: Some(Duration::from_secs(seconds)),
                not_serving: false,
                passing: false,
            });
            RetryPolicy::new(CallKind::Read, false, now + LONG).next(outcome, now, 0.5)
        };
        assert_eq!(wait(3), Some(now + Duration::from_secs(3)));
        assert_eq!(wait(30), None);
        for seconds in [1 << 40, 1 << 62, u64::MAX / 2, u64::MAX] {
            assert_eq!(wait(seconds), None, "{seconds}");
        }
    }
}
