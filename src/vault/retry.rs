//! What may be repeated; pure: clock and chance are handed in.

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use crate::vault::error::Status;

/// What repeating a call would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    /// Nothing: a GET or LIST of what is there already.
    Read,
    /// Perhaps make a second certificate, user or token: repeated only when the first certainly was not carried out.
    Write,
    /// Nothing that one would not do: renewals and revocations.
    Again,
    /// Make a second token: like a write, but its 403 is no matter of a token that other nodes do not know yet.
    Login,
}

impl CallKind {
    /// The kind of a request. Nobody tells whether a GET creates something; the engines that hand out credentials by GET
    /// do so below a part named `creds` (database, rabbitmq, ldap, aws, ..), `sts`, `token` or `key` (gcp), and those count
    /// as writes. A KV secret of such a name loses no more than our own retries of a 5xx.
    pub(crate) fn of(method: &http::Method, path: &str) -> Self {
        let reads = *method == http::Method::GET || method.as_str() == "LIST";
        let creates = path.split('/').skip(1).any(|part| matches!(part, "creds" | "sts" | "token" | "key"));
        if reads && !creates { Self::Read } else { Self::Write }
    }

    /// True when a second one does nothing that the first did not.
    fn may_be_repeated(self) -> bool {
        matches!(self, Self::Read | Self::Again)
    }
}

/// Whether a request makes something at the server, as far as anybody can tell.
pub fn creates(method: &http::Method, path: &str) -> bool {
    CallKind::of(method, path) == CallKind::Write
}

/// What came of one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptOutcome {
    /// No connection: nothing was sent.
    NotSent,
    /// The connection broke, or nothing came in time: nobody knows what the server did.
    Unknown,
    /// A status.
    Answered(Status),
}

/// The first pause; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause of our own choosing.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The tries of one call so far.
#[derive(Debug)]
pub(crate) struct RetryPolicy {
    kind: CallKind,
    until: Instant,
    made: u32,
    /// Whether a 403 may be that of a node that does not know the token yet.
    young: bool,
}

impl RetryPolicy {
    /// No try yet; none begins after `until`.
    pub(crate) fn new(kind: CallKind, young: bool, until: Instant) -> Self {
        Self { kind, until, made: 0, young }
    }

    /// When to try again after `outcome`; `None` when it stands. `chance` is uniform in 0..1.
    pub(crate) fn next(&mut self, outcome: AttemptOutcome, now: Instant, chance: f64) -> Option<Instant> {
        let cap = FIRST_PAUSE.saturating_mul(1 << self.made.min(8)).min(LONGEST_PAUSE);
        self.made += 1;
        let pause = match outcome {
            AttemptOutcome::NotSent => cap.mul_f64(chance),
            AttemptOutcome::Unknown if self.kind.may_be_repeated() => cap.mul_f64(chance),
            AttemptOutcome::Unknown => return None,
            AttemptOutcome::Answered(status) => self.after(status, cap, chance)?,
        };
        // A server may name any number of seconds: what no clock reaches is later than the budget.
        now.checked_add(pause).filter(|again| *again < self.until)
    }

    fn after(&mut self, status: Status, cap: Duration, chance: f64) -> Option<Duration> {
        let jitter = cap.mul_f64(chance);
        match status.code {
            // The server says that it did nothing yet and that waiting helps.
            _ if status.passing => Some(jitter),
            // A standby that has not heard of the new token says 403 too: once, 100 to 500 ms later.
            StatusCode::FORBIDDEN if self.young => {
                self.young = false;
                Some(Duration::from_millis(100) + Duration::from_millis(400).mul_f64(chance))
            }
            // This node lacks the state that the call wants; not carried out.
            StatusCode::PRECONDITION_FAILED => Some(jitter),
            StatusCode::TOO_MANY_REQUESTS => Some(status.retry_after.unwrap_or_default().max(jitter)),
            StatusCode::NOT_IMPLEMENTED => None,
            code if code.is_server_error() && (self.kind.may_be_repeated() || status.not_serving) => {
                Some(jitter)
            }
            _ => None,
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
    async fn a_call_that_creates_is_repeated_only_when_it_certainly_did_not_happen() {
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
    async fn a_denial_of_a_new_token_is_repeated_once() {
        let now = Instant::now();
        let mut tries = RetryPolicy::new(CallKind::Read, true, now + LONG);
        let again = tries.next(status(403), now, 0.0).unwrap();
        assert_eq!(again - now, Duration::from_millis(100));
        assert_eq!(tries.next(status(403), again, 0.0), None);
        assert_eq!(
            RetryPolicy::new(CallKind::Read, false, now + LONG).next(status(403), now, 0.0),
            None,
            "every node knows it"
        );
    }

    #[tokio::test]
    async fn pauses_double_up_to_five_seconds_and_end_with_the_budget() {
        let start = Instant::now();
        let mut tries = RetryPolicy::new(CallKind::Read, false, start + LONG);
        let (mut now, mut pauses) = (start, Vec::new());
        while let Some(again) = tries.next(AttemptOutcome::Unknown, now, 1.0) {
            pauses.push((again - now).as_millis());
            now = again;
        }
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 5000, 5000]);
        assert!(now - start < LONG);
    }

    #[tokio::test]
    async fn a_server_that_says_when_is_believed_unless_that_is_too_late() {
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

    #[test]
    fn credentials_by_get_count_as_writes() {
        let kind = |path| CallKind::of(&http::Method::GET, path);
        for path in
            ["database/creds/app", "a/b/creds/app", "aws/sts/x", "gcp/roleset/x/key", "identity/oidc/token/x"]
        {
            assert_eq!(kind(path), CallKind::Write, "{path}");
        }
        for path in ["secret/data/creds-of-db", "creds/data/app", "pki/cert/ca"] {
            assert_eq!(kind(path), CallKind::Read, "{path}");
        }
        assert_eq!(CallKind::of(&http::Method::PUT, "transit/decrypt/x"), CallKind::Write);
    }
}
