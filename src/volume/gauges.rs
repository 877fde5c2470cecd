//! What the volumes of the node have, in numbers.

use std::collections::HashSet;

use metrics::gauge;

use super::{Volume, Volumes};
use crate::renewal::UnixMillis;
use crate::volume::liveness::LivenessVerdict;

/// Republishes that may fail to come before a volume counts as one that nobody asks about.
const MISSED: u32 = 4;

/// How fresh a volume's content is; a name of the gauge's label.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Freshness {
    /// As Vault had it at the last republish.
    Fresh,
    /// The last question was not answered with what Vault has.
    Stale,
    /// Nobody asks about it, and so nobody brings a token: what it has lives to its end.
    Static,
    /// Not filled yet.
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
    /// Tells the numbers of now.
    pub(crate) fn count(&self, now: UnixMillis) {
        let volumes = self.all();
        let states: Vec<_> = volumes.iter().map(|volume| freshness(volume, now)).collect();
        for (freshness, name) in ALL {
            gauge!("vaultmount_volumes", "freshness" => name)
                .set(states.iter().filter(|state| **state == freshness).count() as f64);
        }
        let unseen = volumes.iter().filter(|volume| volume.known() == LivenessVerdict::Nothing).count();
        gauge!("vaultmount_volumes_unseen").set(unseen as f64);
        let age = volumes
            .iter()
            .filter_map(|volume| Some(now.since(volume.held().good.as_ref()?.at)))
            .max()
            .unwrap_or_default();
        gauge!("vaultmount_oldest_content_age_seconds").set(age.as_secs_f64());
        let sessions: Vec<_> = volumes.iter().flat_map(|volume| volume.sessions()).collect();
        let mut seen = HashSet::new();
        let sessions: Vec<_> = sessions.iter().filter(|session| seen.insert(session.record())).collect();
        gauge!("vaultmount_tokens").set((sessions.len() + self.logins.ending()) as f64);
        gauge!("vaultmount_leases")
            .set(sessions.iter().map(|session| session.leases()).sum::<usize>() as f64);
        let ends = sessions.iter().filter_map(|session| session.ends());
        let made = volumes.iter().flat_map(|volume| volume.shelf.ends());
        let next = ends.chain(made).map(|end| end.since(now)).min();
        gauge!("vaultmount_next_expiry_seconds").set(next.map_or(f64::INFINITY, |next| next.as_secs_f64()));
    }
}

fn freshness(volume: &Volume, now: UnixMillis) -> Freshness {
    let held = volume.held();
    let silent =
        held.asked.is_none_or(|asked| now.since(asked) > held.interval.observed().saturating_mul(MISSED));
    match () {
        () if !held.answered => Freshness::Empty,
        () if silent && !held.files.ours => Freshness::Static,
        () if held.fresh => Freshness::Fresh,
        () => Freshness::Stale,
    }
}
