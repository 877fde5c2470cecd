//! Whether a volume lives. Only a volume whose mount or pod was seen and is gone has ended. Mounts and pods of the node are checked.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use super::VolumeId;
use super::mountinfo::{Mount, MountPoints};
use crate::renewal::UnixMillis;

/// Shortest time between the two checks that must both miss a volume: one list of mounts may lack it by chance, see `MountPoints::read`.
const APART: Duration = Duration::from_secs(5);

/// One check of all volumes.
#[derive(Debug)]
pub(crate) struct LivenessCheck<'l> {
    against: CheckedAgainst<'l>,
    at: UnixMillis,
}

#[derive(Debug)]
enum CheckedAgainst<'l> {
    /// The mounts below `root`, the kubelet's `pods` directory, which is visible through the mount `through`.
    Mounts { mounts: &'l MountPoints, root: &'l Path, through: &'l Mount },
    /// The uids of all pods of the node.
    Pods(&'l HashSet<String>),
}

/// What all checks so far say about a volume. Checks of mounts and of pods are counted apart: a list that never had the volume proves nothing
/// when it lacks it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Liveness {
    mount: Observation<Mount>,
    pod: Observation<()>,
}

/// What one kind of check says. `W` is what the volume was seen through: when it is missing through something else, that says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Observation<W> {
    /// It was never seen, which proves nothing.
    #[default]
    Never,
    /// It was seen before a restart, through anything.
    BeforeRestart,
    /// The last check that says anything saw it.
    Present(W),
    /// It was seen before, and was missing at this time.
    Missing(W, UnixMillis),
    /// It has ended for good. A new mount on the same path is another volume, which starts as `Never`.
    Gone,
}

/// What all checks together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LivenessVerdict {
    /// Nothing is known: its tokens and leases expire with their TTLs.
    Nothing,
    /// It lives, as far as the checks can see.
    Lives,
    /// It has ended: its mount is gone.
    Unmounted,
    /// It has ended: its pod is gone.
    PodDeleted,
}

impl LivenessVerdict {
    /// Whether it has ended.
    pub(crate) fn is_end(self) -> bool {
        matches!(self, Self::Unmounted | Self::PodDeleted)
    }
}

impl<'l> LivenessCheck<'l> {
    /// A check of the mounts below `root`; `None` when `root` is not visible, so that the mounts say nothing about any volume.
    ///
    /// The root must be a mount point or lie below one. The mount on `/` may be the host's, or a container's own, in which the root is always
    /// empty: it counts only while there is a mount below the root.
    pub(crate) fn of_mounts(mounts: &'l MountPoints, root: &'l Path, at: UnixMillis) -> Option<Self> {
        let (point, through) = mounts.over(root)?;
        let is_visible = point.parent().is_some() || mounts.has_below(root);
        is_visible.then_some(Self { against: CheckedAgainst::Mounts { mounts, root, through }, at })
    }

    /// A check of the uids of all pods of the node.
    pub(crate) fn of_pods(uids: &'l HashSet<String>, at: UnixMillis) -> Self {
        Self { against: CheckedAgainst::Pods(uids), at }
    }
}

impl Liveness {
    /// What an earlier process saw: the mount, the pod.
    pub(crate) fn resumed(mount: bool, pod: bool) -> Self {
        Self { mount: Observation::resumed(mount), pod: Observation::resumed(pod) }
    }

    /// What is known after `check`. A check of mounts says nothing about a path that is not below its root.
    pub(crate) fn after(mut self, check: &LivenessCheck<'_>, id: &VolumeId) -> Self {
        match check.against {
            CheckedAgainst::Mounts { mounts, root, through } => {
                let target = Path::new(&id.target_path);
                if target != root && target.starts_with(root) {
                    self.mount = self.mount.after(mounts.at(target).is_some(), through.clone(), check.at);
                }
            }
            CheckedAgainst::Pods(uids) => self.pod = self.pod.after(uids.contains(&id.pod.uid), (), check.at),
        }
        self
    }

    /// What all checks so far say together about the volume `id`. Either a missing mount or a missing pod ends it.
    pub(crate) fn verdict(&self, id: &VolumeId) -> LivenessVerdict {
        // In a directory that classes share, the pod lives on when the class is no longer requested.
        let by_pod = self.saw_pod() && id.parameters.is_none();
        match (&self.mount, &self.pod) {
            (Observation::Gone, _) => LivenessVerdict::Unmounted,
            (_, Observation::Gone) => LivenessVerdict::PodDeleted,
            _ if self.saw_mount() || by_pod => LivenessVerdict::Lives,
            _ => LivenessVerdict::Nothing,
        }
    }

    /// Whether its mount was ever seen.
    pub(crate) fn saw_mount(&self) -> bool {
        self.mount != Observation::Never
    }

    /// Whether its pod was ever seen.
    pub(crate) fn saw_pod(&self) -> bool {
        self.pod != Observation::Never
    }
}

impl<W: PartialEq> Observation<W> {
    fn resumed(seen: bool) -> Self {
        if seen { Self::BeforeRestart } else { Self::Never }
    }

    /// What is known after a check through `through`, which saw the volume or not.
    fn after(self, seen: bool, through: W, at: UnixMillis) -> Self {
        match self {
            Self::Gone => Self::Gone,
            Self::Never | Self::BeforeRestart | Self::Present(_) | Self::Missing(..) if seen => {
                Self::Present(through)
            }
            Self::Never => Self::Never,
            Self::BeforeRestart => Self::Missing(through, at),
            Self::Present(before) | Self::Missing(before, _) if before != through => Self::Present(before),
            Self::Present(same) => Self::Missing(same, at),
            Self::Missing(_, since) if at.since(since) >= APART => Self::Gone,
            Self::Missing(same, since) => Self::Missing(same, since),
        }
    }
}
