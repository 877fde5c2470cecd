//! Whether a volume is still mounted: only what was seen and is seen no more has ended.

use std::path::Path;
use std::time::Duration;

use super::mountinfo::{Mount, MountPoints};
use crate::rotation::Moment;

/// The least between the two looks that both miss a mount: one list may lack it by chance, see `MountPoints::read`.
const APART: Duration = Duration::from_secs(5);

/// One look at the mounts below the directory that is watched, the kubelet's `pods`.
#[derive(Debug)]
pub struct Look<'m> {
    mounts: &'m MountPoints,
    root: &'m Path,
    window: &'m Mount,
    at: Moment,
}

/// What the looks so far say of a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// It was never seen: no evidence of anything.
    #[default]
    Unknown,
    /// It was seen, before a restart: through whatever shows the directory now.
    SeenBefore,
    /// It was there at the last look that says anything.
    Mounted(Window),
    /// It was seen, and was not there at this moment.
    Missing(Window, Moment),
    /// It has ended. This stays: a mount on the same path is another volume's, which begins as `Unknown`.
    Gone,
}

/// The mount through which a volume was seen. Through another one its absence says nothing: the directory may be hidden under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window(Mount);

impl<'m> Look<'m> {
    /// A look at `root`, taken at a moment; `None` when it shows nothing of it, and so says nothing of any volume.
    ///
    /// The root must be a mount point or lie below one. Of the mount on `/` alone nobody knows whether it is the host's or a container's
    /// own, which shows an empty root for ever: it counts only while there is some mount below the root.
    pub fn of(mounts: &'m MountPoints, root: &'m Path, at: Moment) -> Option<Self> {
        let (point, window) = mounts.over(root)?;
        let shows = point.parent().is_some() || mounts.has_below(root);
        shows.then_some(Self { mounts, root, window, at })
    }

    /// Whether a mount is on `target`; `None` for one that is not below the root.
    fn shows(&self, target: &Path) -> Option<bool> {
        let below = target != self.root && target.starts_with(self.root);
        below.then(|| self.mounts.at(target).is_some())
    }
}

impl Presence {
    /// What is known after a look. A look that failed is none.
    pub fn after(self, look: &Look<'_>, target: &Path) -> Self {
        let Some(shown) = look.shows(target) else { return self };
        let window = || Window(look.window.clone());
        match self {
            Self::Gone => Self::Gone,
            Self::Unknown | Self::SeenBefore | Self::Mounted(_) | Self::Missing(..) if shown => Self::Mounted(window()),
            Self::Unknown => Self::Unknown,
            Self::SeenBefore => Self::Missing(window(), look.at),
            Self::Mounted(seen_through) | Self::Missing(seen_through, _) if seen_through != window() => Self::Mounted(seen_through),
            Self::Mounted(same) => Self::Missing(same, look.at),
            Self::Missing(_, since) if look.at.since(since) >= APART => Self::Gone,
            Self::Missing(same, since) => Self::Missing(same, since),
        }
    }

    /// Whether its mount was ever seen: else only its TTLs end what it holds.
    pub fn is_seen(&self) -> bool {
        !matches!(self, Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "/var/lib/kubelet/pods";
    const TARGET: &str = "/var/lib/kubelet/pods/1/volumes/kubernetes.io~csi/secrets/mount";

    /// The mounts of a container: its root file system, and a tmpfs on each path, numbered from `first`.
    fn container(first: u64, paths: &[&str]) -> MountPoints {
        let lines = paths.iter().zip(first..).map(|(path, id)| format!("{id} 1 0:{id} / {path} rw - tmpfs tmpfs rw\n"));
        let list: String = ["1 0 0:1 / / rw - overlay overlay rw\n".to_owned()].into_iter().chain(lines).collect();
        MountPoints::parse(list.as_bytes()).unwrap()
    }

    /// What is known of a volume after looks at these seconds.
    fn after(begin: Presence, target: &str, looks: &[(u64, &MountPoints)]) -> Presence {
        looks.iter().fold(begin, |presence, (seconds, mounts)| {
            let look = Look::of(mounts, Path::new(ROOT), Moment(seconds * 1000));
            look.map_or(presence.clone(), |look| presence.after(&look, Path::new(target)))
        })
    }

    fn looked(looks: &[(u64, &MountPoints)]) -> Presence {
        after(Presence::Unknown, TARGET, looks)
    }

    fn mounted(mounts: &MountPoints) -> Presence {
        Presence::Mounted(Window(mounts.at(Path::new(ROOT)).unwrap().clone()))
    }

    #[test]
    fn a_volume_that_was_seen_and_is_missed_twice_is_gone() {
        let (with, without) = (container(10, &[ROOT, TARGET]), container(10, &[ROOT]));
        assert_eq!(looked(&[(0, &with), (10, &without), (15, &without)]), Presence::Gone);
        let once = looked(&[(0, &with), (10, &without)]);
        assert!(matches!(once, Presence::Missing(_, Moment(10_000))));
        assert_eq!(looked(&[(0, &with), (10, &without), (14, &without)]), once, "too soon after");
        assert_eq!(looked(&[(0, &with), (10, &without), (12, &without), (15, &without)]), Presence::Gone, "from the first miss on");
        assert_eq!(looked(&[(0, &with), (10, &without), (3, &without)]), once, "a clock that went back proves nothing");
    }

    #[test]
    fn a_list_that_lacked_it_by_chance_ends_nothing() {
        let (with, without) = (container(10, &[ROOT, TARGET]), container(10, &[ROOT]));
        assert_eq!(looked(&[(0, &with), (10, &without), (20, &with)]), mounted(&with));
        let again = looked(&[(0, &with), (10, &without), (20, &with), (30, &without)]);
        assert!(matches!(again, Presence::Missing(_, Moment(30_000))), "misses count anew");
    }

    #[test]
    fn a_volume_that_was_never_seen_never_ends() {
        let without = container(10, &[ROOT]);
        let presence = looked(&[(0, &without), (10, &without), (9999, &without)]);
        assert_eq!((presence.is_seen(), presence), (false, Presence::Unknown));
    }

    #[test]
    fn nothing_ends_while_the_root_is_not_seen() {
        let (with, nothing) = (container(10, &[ROOT, TARGET]), container(10, &[]));
        assert_eq!(looked(&[(0, &with), (10, &nothing), (60, &nothing)]), mounted(&with));
    }

    #[test]
    fn nothing_ends_behind_another_mount() {
        let (with, other) = (container(10, &[ROOT, TARGET]), container(30, &[ROOT]));
        let ancestor = container(10, &["/var/lib/kubelet"]);
        assert_eq!(looked(&[(0, &with), (10, &other), (60, &other)]), mounted(&with));
        assert_eq!(looked(&[(0, &with), (10, &ancestor), (60, &container(30, &["/var/lib"]))]), mounted(&with), "other windows");
        let without = container(10, &[ROOT]);
        assert_eq!(looked(&[(0, &with), (10, &without), (20, &other), (30, &without), (40, &without)]), Presence::Gone, "it came back");
    }

    #[test]
    fn a_volume_seen_before_a_restart_ends_through_the_new_window() {
        let (with, without) = (container(10, &[ROOT, TARGET]), container(20, &[ROOT]));
        let resumed = |looks: &[_]| after(Presence::SeenBefore, TARGET, looks);
        assert_eq!(resumed(&[(0, &without), (5, &without)]), Presence::Gone);
        assert_eq!(resumed(&[(0, &with)]), mounted(&with));
        assert_eq!(resumed(&[(0, &container(10, &[])), (60, &container(10, &[]))]), Presence::SeenBefore);
    }

    #[test]
    fn a_path_outside_of_the_root_is_unknown_for_ever() {
        for target in [ROOT, "/var/lib/kubelet/podsaplenty/mount", "/tmp/mount", "/var/lib/kubelet"] {
            let (with, without) = (container(10, &[ROOT, target]), container(10, &[ROOT]));
            let presence = after(Presence::Unknown, target, &[(0, &with), (10, &without), (20, &without)]);
            assert_eq!(presence, Presence::Unknown, "{target}");
        }
    }

    #[test]
    fn the_mount_on_the_top_counts_while_another_volume_is_seen() {
        let other = "/var/lib/kubelet/pods/2/mount";
        let (with, without, nothing) = (container(10, &[TARGET, other]), container(11, &[other]), container(10, &["/var/lib/kubeletty"]));
        assert_eq!(looked(&[(0, &with), (10, &without), (20, &without)]), Presence::Gone);
        assert_eq!(looked(&[(0, &with), (10, &nothing), (20, &nothing)]), looked(&[(0, &with)]));
    }

    #[test]
    fn what_is_gone_stays_gone() {
        let with = container(10, &[ROOT, TARGET]);
        assert_eq!(after(Presence::Gone, TARGET, &[(0, &with), (10, &with)]), Presence::Gone);
    }
}
