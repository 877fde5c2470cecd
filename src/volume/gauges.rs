//! Gauges of the volumes of the node.

use std::collections::HashSet;

use metrics::gauge;

use super::liveness::LivenessVerdict;
use super::{Volume, Volumes};
use crate::renewal::UnixMillis;

/// Republish intervals without a republish after which a volume counts as static.
const MISSED: u32 = 4;

/// How fresh the content of a volume is; the value of a label.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Freshness {
    /// The content is what Vault had at the last republish or poll.
    Fresh,
    /// The last republish or poll failed.
    Stale,
    /// The driver does not republish the volume, so no service account token comes: its content stays as it is.
    Static,
    /// The pod has no files yet.
    Empty,
}

const ALL: [(Freshness, &str); 4] = [
    (Freshness::Fresh, "fresh"),
    (Freshness::Stale, "stale"),
    (Freshness::Static, "static"),
    (Freshness::Empty, "empty"),
];

#[expect(clippy::cast_precision_loss, reason = "numbers of a dashboard")]
impl Volumes {
    /// Sets the gauges to their values at `now`.
    pub(crate) fn set_gauges(&self, now: UnixMillis) {
        let volumes = self.all();
        let states: Vec<_> = volumes.iter().map(|volume| freshness(volume, now)).collect();
        for (freshness, name) in ALL {
            gauge!("vaultmount_volumes", "freshness" => name)
                .set(states.iter().filter(|state| **state == freshness).count() as f64);
        }
        let unseen = volumes.iter().filter(|volume| volume.verdict() == LivenessVerdict::Nothing).count();
        gauge!("vaultmount_volumes_unseen").set(unseen as f64);
        let age = |volume: &Volume| Some(now.since(volume.state().last_known_good.as_ref()?.at));
        let oldest = volumes.iter().filter_map(|volume| age(volume)).max().unwrap_or_default();
        gauge!("vaultmount_oldest_content_age_seconds").set(oldest.as_secs_f64());
        let tokens: Vec<_> = volumes.iter().flat_map(|volume| volume.tokens()).collect();
        let mut counted = HashSet::new();
        let tokens: Vec<_> = tokens.iter().filter(|token| counted.insert(token.record())).collect();
        gauge!("vaultmount_tokens").set((tokens.len() + self.logins.pending_revocations()) as f64);
        gauge!("vaultmount_leases").set(tokens.iter().map(|token| token.lease_count()).sum::<usize>() as f64);
        let tokens_expire = tokens.iter().filter_map(|token| token.expires_at());
        let issued_expires = volumes.iter().flat_map(|volume| volume.issued.expiries());
        let next = tokens_expire.chain(issued_expires).map(|end| end.since(now)).min();
        gauge!("vaultmount_next_expiry_seconds").set(next.map_or(f64::INFINITY, |next| next.as_secs_f64()));
    }
}

fn freshness(volume: &Volume, now: UnixMillis) -> Freshness {
    let state = volume.state();
    let longest = state.interval.observed().saturating_mul(MISSED);
    let is_requested = state.requested_at.is_some_and(|at| now.since(at) <= longest);
    if !state.is_published {
        Freshness::Empty
    } else if !is_requested && !state.files.is_own {
        Freshness::Static
    } else if state.is_fresh {
        Freshness::Fresh
    } else {
        Freshness::Stale
    }
}
