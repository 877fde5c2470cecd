//! How many calls to one server run at the same time: limits that follow how the server answers, with turns by Kubernetes namespace.
//!
//! Each pod's namespace has a limit of its own for its calls, so that the dead engine of one namespace shrinks that namespace's limit alone. If
//! the server itself is slow, the limits of all namespaces shrink. Logins have a limit for each auth mount: all pods of an auth mount
//! share what checks their tokens, and no other pods do.
//!
//! A login has a permit of its auth mount and none of the calls. With both, a login that waits for the second would hold the first: logins at a
//! hanging auth mount would take the permits of reads, or the other way round.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::time::Instant;

use crate::bounded_map::BoundedMap;
use crate::limits::Budget;
use crate::limits::adaptive::{AdaptiveLimit, LimitBounds, Sample};
use crate::limits::limiter::{FairLimiter, Permit};
use crate::mutex::Mutex;
use crate::vault::retry::CallKind;

/// Concurrent logins at one auth mount. Each is a TokenReview at the API server, and after an outage all pods of a node log in at once.
const LOGINS: LimitBounds = LimitBounds { min: 1, slow: 3, start: 4, max: 8 };
/// The most auth mounts of one server with a limit of their own. Classes choose auth mounts; further ones share one limit.
const AUTH_MOUNTS: usize = 32;
/// One namespace runs at most one part in this many of all calls to a server.
const NAMESPACE_SHARE: u16 = 4;
/// The smallest limit for the calls of one namespace, so that a mount with many objects ends also while the server is slow.
const SMALLEST_SHARE: u16 = 4;
/// Namespaces whose limits are remembered.
const NAMESPACES: usize = 256;

/// The limits of one server.
pub(crate) struct CallLimits {
    calls: FairLimiter,
    bounds: LimitBounds,
    shares: Mutex<BoundedMap<String, AdaptiveLimit, NAMESPACES>>,
    logins: Mutex<HashMap<String, Arc<LoginLimit>>>,
    /// For the auth mounts beyond [`AUTH_MOUNTS`].
    other_logins: Arc<LoginLimit>,
}

struct LoginLimit {
    limiter: FairLimiter,
    limit: Mutex<AdaptiveLimit>,
}

/// The right to send one call. Dropping it lets the next call through.
pub(crate) struct CallPermit<'l> {
    of: PermitOf<'l>,
    _permit: Permit,
}

/// The limit that learns from the call.
enum PermitOf<'l> {
    Login(Arc<LoginLimit>),
    Read {
        limits: &'l CallLimits,
        namespace: String,
    },
    /// The time of a call that creates something is its engine's, and says nothing about the server.
    Other,
}

impl CallLimits {
    /// Limits for at most `calls` concurrent calls, logins apart.
    pub(crate) fn new(calls: NonZeroUsize) -> Self {
        let share = u16::try_from(calls.get()).unwrap_or(u16::MAX).div_ceil(NAMESPACE_SHARE);
        let share_limit = NonZeroUsize::new(share.into()).unwrap_or(NonZeroUsize::MIN);
        Self {
            calls: FairLimiter::new(calls, share_limit),
            bounds: LimitBounds {
                min: SMALLEST_SHARE.min(share),
                slow: SMALLEST_SHARE.min(share),
                start: share,
                max: share,
            },
            shares: Mutex::default(),
            logins: Mutex::default(),
            other_logins: Arc::new(LoginLimit::new()),
        }
    }

    /// Waits for a permit until the end of `budget`; `None` when that comes first. `target` is the Vault namespace and the path of a login.
    pub(crate) async fn acquire(
        &self,
        kind: CallKind,
        target: &str,
        budget: &Budget,
    ) -> Option<CallPermit<'_>> {
        let namespace = budget.namespace();
        if kind == CallKind::Login {
            let login = self.login_limit(target);
            let permit = login.limiter.acquire(namespace, budget.end()).await.ok()?;
            return Some(CallPermit { of: PermitOf::Login(login), _permit: permit });
        }
        let permit = self.calls.acquire_within(namespace, self.share(namespace), budget.end()).await.ok()?;
        let of = match kind {
            CallKind::Read => PermitOf::Read { limits: self, namespace: namespace.to_owned() },
            CallKind::Write | CallKind::Idempotent | CallKind::Login => PermitOf::Other,
        };
        Some(CallPermit { of, _permit: permit })
    }

    fn share(&self, namespace: &str) -> usize {
        self.shares.lock().get(namespace).map_or(self.bounds.max.into(), AdaptiveLimit::get)
    }

    fn login_limit(&self, target: &str) -> Arc<LoginLimit> {
        let mut logins = self.logins.lock();
        if let Some(login) = logins.get(target) {
            return Arc::clone(login);
        }
        if logins.len() >= AUTH_MOUNTS {
            logins.retain(|_, login| Arc::strong_count(login) > 1);
        }
        if logins.len() >= AUTH_MOUNTS {
            return Arc::clone(&self.other_logins);
        }
        let new = Arc::new(LoginLimit::new());
        logins.insert(target.to_owned(), Arc::clone(&new));
        new
    }
}

impl LoginLimit {
    fn new() -> Self {
        let limit = AdaptiveLimit::new(LOGINS);
        let seats = |seats: usize| NonZeroUsize::new(seats).unwrap_or(NonZeroUsize::MIN);
        let limiter = FairLimiter::new(seats(limit.get()), seats(namespace_logins(limit.get())));
        Self { limiter, limit: Mutex::new(limit) }
    }
}

/// The logins of one namespace at an auth mount with this limit: one less, so that no namespace has all of them.
fn namespace_logins(limit: usize) -> usize {
    limit.saturating_sub(1).max(1)
}

impl CallPermit<'_> {
    /// Records how the call ended, or that it has no response yet.
    pub(crate) fn record(&self, sample: Sample) {
        let now = Instant::now();
        match &self.of {
            PermitOf::Login(login) => {
                let limit = {
                    let mut limit = login.limit.lock();
                    limit.record(sample, now);
                    limit.get()
                };
                login.limiter.resize(limit, namespace_logins(limit));
            }
            PermitOf::Read { limits, namespace } => {
                let share = {
                    let mut shares = limits.shares.lock();
                    if shares.get(namespace).is_none() {
                        shares.insert(namespace.clone(), AdaptiveLimit::new(limits.bounds));
                    }
                    let Some(share) = shares.get_mut(namespace) else { return };
                    share.record(sample, now);
                    share.get()
                };
                limits.calls.resize_namespace(namespace, share);
            }
            PermitOf::Other => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::limits::MemoryQuota;

    fn limits(calls: usize) -> CallLimits {
        CallLimits::new(NonZeroUsize::new(calls).unwrap())
    }

    fn budget(namespace: &str) -> Budget {
        Budget::lasting(Duration::from_millis(100)).of(namespace, &MemoryQuota::new(1024))
    }

    /// As many permits as `namespace` gets.
    async fn taken<'l>(
        limits: &'l CallLimits,
        kind: CallKind,
        target: &str,
        namespace: &str,
    ) -> Vec<CallPermit<'l>> {
        let mut permits = Vec::new();
        while let Some(permit) = limits.acquire(kind, target, &budget(namespace)).await {
            permits.push(permit);
        }
        permits
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_auth_mount_takes_no_login_of_another_and_no_call() {
        let limits = limits(64);
        let hanging = taken(&limits, CallKind::Login, "/auth/a/login", "team-a").await;
        assert_eq!(hanging.len(), 3, "one namespace never has all four");
        let others = taken(&limits, CallKind::Login, "/auth/a/login", "team-b").await;
        assert_eq!(others.len(), 1);
        assert_eq!(taken(&limits, CallKind::Login, "/auth/b/login", "team-b").await.len(), 3);
        assert_eq!(taken(&limits, CallKind::Login, "tenant/auth/a/login", "team-b").await.len(), 3);
        assert_eq!(taken(&limits, CallKind::Read, "", "team-a").await.len(), 16);
    }

    #[tokio::test(start_paused = true)]
    async fn unanswered_logins_shrink_the_limit_of_their_mount_and_quick_ones_widen_it() {
        let limits = limits(64);
        let login =
            async |namespace| limits.acquire(CallKind::Login, "/auth/a/login", &budget(namespace)).await;
        let first = login("team-a").await.unwrap();
        for _ in 0..5 {
            sleep(Duration::from_secs(2)).await;
            first.record(Sample::Unanswered);
        }
        assert!(login("team-b").await.is_none(), "one login at a time");
        for _ in 0..100 {
            first.record(Sample::Quick);
        }
        drop(first);
        assert_eq!(taken(&limits, CallKind::Login, "/auth/a/login", "team-a").await.len(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn the_dead_engine_of_one_namespace_shrinks_the_limit_of_that_namespace_alone() {
        let limits = limits(64);
        let dead = taken(&limits, CallKind::Read, "", "team-a").await;
        assert_eq!(dead.len(), 16, "a quarter");
        for permit in &dead {
            permit.record(Sample::Unanswered);
            sleep(Duration::from_secs(1)).await;
        }
        drop(dead);
        assert_eq!(taken(&limits, CallKind::Read, "", "team-a").await.len(), 4);
        assert_eq!(taken(&limits, CallKind::Read, "", "team-b").await.len(), 16);
        for kind in [CallKind::Write, CallKind::Idempotent] {
            let creating = limits.acquire(kind, "", &budget("team-c")).await.unwrap();
            creating.record(Sample::Unanswered);
            drop(creating);
        }
        assert_eq!(taken(&limits, CallKind::Write, "", "team-c").await.len(), 16, "only reads are a signal");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_of_one_call_is_obeyed_and_auth_mounts_are_bounded() {
        let limits = limits(1);
        assert_eq!(taken(&limits, CallKind::Read, "", "team-a").await.len(), 1);
        let mut in_use = Vec::new();
        for mount in 0..AUTH_MOUNTS + 10 {
            in_use.extend(limits.acquire(CallKind::Login, &mount.to_string(), &budget("team-a")).await);
        }
        assert_eq!((in_use.len(), limits.logins.lock().len()), (AUTH_MOUNTS + 3, AUTH_MOUNTS));
        drop(in_use);
        assert!(limits.acquire(CallKind::Login, "new", &budget("team-a")).await.is_some());
        assert_eq!(limits.logins.lock().len(), 1);
    }
}
