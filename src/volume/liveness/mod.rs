//! Whether a volume lives: only what was seen and is seen no more has ended. It is looked for among the mounts of the node and among its pods.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use super::VolumeId;
use crate::renewal::UnixMillis;
use crate::volume::mountinfo::{Mount, MountPoints};

/// The least between the two looks that both miss a volume: one list of mounts may lack it by chance, see `MountPoints::read`.
const APART: Duration = Duration::from_secs(5);

/// One look around.
#[derive(Debug)]
pub struct LivenessCheck<'l> {
    among: CheckedAgainst<'l>,
    at: UnixMillis,
}

#[derive(Debug)]
enum CheckedAgainst<'l> {
    /// What is mounted below `root`, the kubelet's `pods`, which `window` shows.
    Mounts { mounts: &'l MountPoints, root: &'l Path, window: &'l Mount },
    /// The uids of all pods of the node.
    Pods(&'l HashSet<String>),
}

/// What the looks so far say of a volume: those at mounts and those at pods each for themselves, for a list that never had it proves nothing
/// by lacking it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Liveness {
    mount: Observation<Mount>,
    pod: Observation<()>,
}

/// What one kind of look says. `W` is through what it was seen: through something else its absence says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Observation<W> {
    /// It was never seen: no evidence of anything.
    #[default]
    Never,
    /// It was seen, before a restart: through whatever shows it now.
    Before,
    /// It was there at the last look that says anything.
    There(W),
    /// It was seen, and was not there at this moment.
    Missing(W, UnixMillis),
    /// It has ended. This stays: a mount on the same path is another volume's, which begins as `Never`.
    Gone,
}

/// What all looks together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LivenessVerdict {
    /// Nothing: only its TTLs end what it holds.
    Nothing,
    /// It lives, as far as anybody sees.
    Lives,
    /// It has ended: its mount is gone.
    Unmounted,
    /// It has ended: its pod is gone.
    PodDeleted,
}

impl LivenessVerdict {
    /// Whether it has ended.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Unmounted | Self::PodDeleted)
    }
}

impl<'l> LivenessCheck<'l> {
    /// A look at the mounts below `root`; `None` when they show nothing of it, and so say nothing of any volume.
    ///
    /// The root must be a mount point or lie below one. Of the mount on `/` alone nobody knows whether it is the host's or a container's
    /// own, which shows an empty root for ever: it counts only while there is some mount below the root.
    pub fn at_mounts(mounts: &'l MountPoints, root: &'l Path, at: UnixMillis) -> Option<Self> {
        let (point, window) = mounts.over(root)?;
        let shows = point.parent().is_some() || mounts.has_below(root);
        shows.then_some(Self { among: CheckedAgainst::Mounts { mounts, root, window }, at })
    }

    /// A look at the uids of all pods of the node.
    pub fn at_pods(uids: &'l HashSet<String>, at: UnixMillis) -> Self {
        Self { among: CheckedAgainst::Pods(uids), at }
    }
}

impl Liveness {
    /// What an earlier process saw: the mount, the pod.
    pub fn before(mount: bool, pod: bool) -> Self {
        Self { mount: Observation::before(mount), pod: Observation::before(pod) }
    }

    /// What is known after a look. A look that failed is none, and at mounts one says nothing of a path that is not below its root.
    pub fn after(mut self, look: &LivenessCheck<'_>, id: &VolumeId) -> Self {
        match look.among {
            CheckedAgainst::Mounts { mounts, root, window } => {
                let target = Path::new(&id.target_path);
                if target != root && target.starts_with(root) {
                    self.mount = self.mount.after(mounts.at(target).is_some(), window.clone(), look.at);
                }
            }
            CheckedAgainst::Pods(uids) => self.pod = self.pod.after(uids.contains(&id.pod.uid), (), look.at),
        }
        self
    }

    /// What all looks so far say together of the volume `id`: either end is one.
    pub fn known(&self, id: &VolumeId) -> LivenessVerdict {
        // In a directory that classes share its pod lives on when nobody asks for the class any more.
        let by_pod = self.saw_pod() && id.parameters.is_none();
        match (&self.mount, &self.pod) {
            (Observation::Gone, _) => LivenessVerdict::Unmounted,
            (_, Observation::Gone) => LivenessVerdict::PodDeleted,
            _ if self.saw_mount() || by_pod => LivenessVerdict::Lives,
            _ => LivenessVerdict::Nothing,
        }
    }

    /// Whether its mount was ever seen.
    pub fn saw_mount(&self) -> bool {
        self.mount != Observation::Never
    }

    /// Whether its pod was ever seen.
    pub fn saw_pod(&self) -> bool {
        self.pod != Observation::Never
    }
}

impl<W: PartialEq> Observation<W> {
    fn before(seen: bool) -> Self {
        if seen { Self::Before } else { Self::Never }
    }

    /// What is known after a look through `window`.
    fn after(self, shown: bool, window: W, at: UnixMillis) -> Self {
        match self {
            Self::Gone => Self::Gone,
            Self::Never | Self::Before | Self::There(_) | Self::Missing(..) if shown => Self::There(window),
            Self::Never => Self::Never,
            Self::Before => Self::Missing(window, at),
            Self::There(seen_through) | Self::Missing(seen_through, _) if seen_through != window => {
                Self::There(seen_through)
            }
            Self::There(same) => Self::Missing(same, at),
            Self::Missing(_, since) if at.since(since) >= APART => Self::Gone,
            Self::Missing(same, since) => Self::Missing(same, since),
        }
    }
}
