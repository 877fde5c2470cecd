use super::*;
use crate::spec::Pod;

const ROOT: &str = "/var/lib/kubelet/pods";
const TARGET: &str = "/var/lib/kubelet/pods/1/volumes/kubernetes.io~csi/secrets/mount";

/// The mounts of a container: its root file system, and a tmpfs on each path, numbered from `first`.
fn container(first: u64, paths: &[&str]) -> MountPoints {
    let lines =
        paths.iter().zip(first..).map(|(path, id)| format!("{id} 1 0:{id} / {path} rw - tmpfs tmpfs rw\n"));
    let list: String =
        ["1 0 0:1 / / rw - overlay overlay rw\n".to_owned()].into_iter().chain(lines).collect();
    MountPoints::parse(list.as_bytes()).unwrap()
}

fn volume(target: &str) -> VolumeId {
    let pod = Pod {
        namespace: "team-a".into(),
        name: "web".into(),
        uid: "1".into(),
        service_account: "web".into(),
    };
    VolumeId { target_path: target.into(), pod, parameters: None }
}

/// What is known about the mount of a volume after checks at these seconds.
fn after(begin: Observation<Mount>, target: &str, checks: &[(u64, &MountPoints)]) -> Observation<Mount> {
    let begin = Liveness { mount: begin, pod: Observation::Never };
    let liveness = checks.iter().fold(begin, |liveness, (seconds, mounts)| {
        let check = LivenessCheck::of_mounts(mounts, Path::new(ROOT), UnixMillis(seconds * 1000));
        check.map_or(liveness.clone(), |check| liveness.after(&check, &volume(target)))
    });
    assert_eq!(liveness.pod, Observation::Never, "mounts say nothing of pods");
    liveness.mount
}

fn seen_by(checks: &[(u64, &MountPoints)]) -> Observation<Mount> {
    after(Observation::Never, TARGET, checks)
}

fn mounted(mounts: &MountPoints) -> Observation<Mount> {
    Observation::Present(mounts.at(Path::new(ROOT)).unwrap().clone())
}

/// What is known about the volume of pod 1 after checks of the listed pods at these seconds.
fn listed(begin: Liveness, checks: &[(u64, &[&str])]) -> Liveness {
    checks.iter().fold(begin, |liveness, (seconds, uids)| {
        let uids = uids.iter().map(|&uid| uid.into()).collect();
        liveness.after(&LivenessCheck::of_pods(&uids, UnixMillis(seconds * 1000)), &volume(TARGET))
    })
}

fn verdict(liveness: &Liveness) -> LivenessVerdict {
    liveness.verdict(&volume(TARGET))
}

#[test]
fn a_volume_that_was_seen_and_is_missing_twice_has_ended() {
    let (with, without) = (container(10, &[ROOT, TARGET]), container(10, &[ROOT]));
    assert_eq!(seen_by(&[(0, &with), (10, &without), (15, &without)]), Observation::Gone);
    let once = seen_by(&[(0, &with), (10, &without)]);
    assert!(matches!(once, Observation::Missing(_, UnixMillis(10_000))));
    assert_eq!(seen_by(&[(0, &with), (10, &without), (14, &without)]), once, "too soon after");
    assert_eq!(
        seen_by(&[(0, &with), (10, &without), (12, &without), (15, &without)]),
        Observation::Gone,
        "from the first miss on"
    );
    assert_eq!(
        seen_by(&[(0, &with), (10, &without), (3, &without)]),
        once,
        "a clock that went back proves nothing"
    );
}

#[test]
fn a_list_that_lacks_a_mount_once_ends_no_volume() {
    let (with, without) = (container(10, &[ROOT, TARGET]), container(10, &[ROOT]));
    assert_eq!(seen_by(&[(0, &with), (10, &without), (20, &with)]), mounted(&with));
    let again = seen_by(&[(0, &with), (10, &without), (20, &with), (30, &without)]);
    assert!(matches!(again, Observation::Missing(_, UnixMillis(30_000))), "misses count anew");
}

#[test]
fn a_volume_that_was_never_seen_never_ends() {
    let without = container(10, &[ROOT]);
    assert_eq!(seen_by(&[(0, &without), (10, &without), (9999, &without)]), Observation::Never);
}

#[test]
fn no_volume_ends_while_the_root_is_not_visible() {
    let (with, nothing) = (container(10, &[ROOT, TARGET]), container(10, &[]));
    assert_eq!(seen_by(&[(0, &with), (10, &nothing), (60, &nothing)]), mounted(&with));
}

#[test]
fn no_volume_ends_behind_another_mount() {
    let (with, other) = (container(10, &[ROOT, TARGET]), container(30, &[ROOT]));
    let ancestor = container(10, &["/var/lib/kubelet"]);
    assert_eq!(seen_by(&[(0, &with), (10, &other), (60, &other)]), mounted(&with));
    assert_eq!(
        seen_by(&[(0, &with), (10, &ancestor), (60, &container(30, &["/var/lib"]))]),
        mounted(&with),
        "seen through another mount"
    );
    let without = container(10, &[ROOT]);
    assert_eq!(
        seen_by(&[(0, &with), (10, &without), (20, &other), (30, &without), (40, &without)]),
        Observation::Gone,
        "it came back"
    );
}

#[test]
fn a_volume_seen_before_a_restart_ends_by_checks_after_it() {
    let (with, without) = (container(10, &[ROOT, TARGET]), container(20, &[ROOT]));
    let resumed = |checks: &[_]| after(Observation::BeforeRestart, TARGET, checks);
    assert_eq!(resumed(&[(0, &without), (5, &without)]), Observation::Gone);
    assert_eq!(resumed(&[(0, &with)]), mounted(&with));
    assert_eq!(resumed(&[(0, &container(10, &[])), (60, &container(10, &[]))]), Observation::BeforeRestart);
}

#[test]
fn a_path_outside_of_the_root_is_unknown_for_ever() {
    for target in [ROOT, "/var/lib/kubelet/podsaplenty/mount", "/tmp/mount", "/var/lib/kubelet"] {
        let (with, without) = (container(10, &[ROOT, target]), container(10, &[ROOT]));
        let liveness = after(Observation::Never, target, &[(0, &with), (10, &without), (20, &without)]);
        assert_eq!(liveness, Observation::Never, "{target}");
    }
}

#[test]
fn the_mount_on_the_top_counts_while_another_volume_is_seen() {
    let other = "/var/lib/kubelet/pods/2/mount";
    let (with, without, nothing) =
        (container(10, &[TARGET, other]), container(11, &[other]), container(10, &["/var/lib/kubeletty"]));
    assert_eq!(seen_by(&[(0, &with), (10, &without), (20, &without)]), Observation::Gone);
    assert_eq!(seen_by(&[(0, &with), (10, &nothing), (20, &nothing)]), seen_by(&[(0, &with)]));
}

#[test]
fn a_volume_that_has_ended_stays_ended() {
    let with = container(10, &[ROOT, TARGET]);
    assert_eq!(after(Observation::Gone, TARGET, &[(0, &with), (10, &with)]), Observation::Gone);
}

#[test]
fn a_volume_whose_pod_was_listed_ends_when_it_is_listed_no_more() {
    let begun = listed(Liveness::default(), &[(0, &["2"]), (5, &["1", "2"])]);
    assert_eq!(verdict(&begun), LivenessVerdict::Lives);
    let once = listed(begun.clone(), &[(10, &["2"])]);
    assert_eq!(verdict(&once), LivenessVerdict::Lives, "at one check");
    assert_eq!(verdict(&listed(once, &[(15, &["2"])])), LivenessVerdict::PodDeleted);
    assert_eq!(
        verdict(&listed(begun, &[(9999, &["1"])])),
        LivenessVerdict::Lives,
        "a gap that the pod outlived"
    );
}

#[test]
fn a_pod_that_was_never_listed_proves_nothing() {
    let liveness = listed(Liveness::default(), &[(0, &["2"]), (10, &["2"]), (9999, &[])]);
    assert_eq!(verdict(&liveness), LivenessVerdict::Nothing);
    // Its mount is seen; a list of pods that is behind lacks it still.
    let (with, without) = (container(10, &[ROOT, TARGET]), container(10, &[ROOT]));
    let at = |mounts, liveness: Liveness| {
        liveness.after(
            &LivenessCheck::of_mounts(mounts, Path::new(ROOT), UnixMillis(20_000)).unwrap(),
            &volume(TARGET),
        )
    };
    let mounted = listed(at(&with, liveness), &[(30, &["2"]), (40, &["2"])]);
    assert_eq!(verdict(&mounted), LivenessVerdict::Lives);
    // And the other way round: mounts that never showed it.
    let running = at(&without, listed(Liveness::default(), &[(0, &["1"])]));
    assert_eq!((running.mount.clone(), verdict(&running)), (Observation::Never, LivenessVerdict::Lives));
}

#[test]
fn a_missing_mount_or_a_missing_pod_ends_a_volume() {
    let begun = listed(
        Liveness { mount: Observation::BeforeRestart, pod: Observation::BeforeRestart },
        &[(0, &["1"])],
    );
    let without = container(10, &[ROOT]);
    let unmounted = [5, 10].into_iter().fold(begun.clone(), |liveness, seconds| {
        liveness.after(
            &LivenessCheck::of_mounts(&without, Path::new(ROOT), UnixMillis(seconds * 1000)).unwrap(),
            &volume(TARGET),
        )
    });
    assert_eq!(verdict(&unmounted), LivenessVerdict::Unmounted);
    assert_eq!(verdict(&listed(begun, &[(5, &["2"]), (10, &["2"])])), LivenessVerdict::PodDeleted);
}

#[test]
fn a_pod_listed_before_a_restart_ends_when_the_first_list_lacks_it() {
    let resumed = Liveness::resumed(false, true);
    assert_eq!(verdict(&resumed), LivenessVerdict::Lives, "while nothing is listed yet");
    assert_eq!(verdict(&listed(resumed.clone(), &[(0, &["1"])])), LivenessVerdict::Lives);
    assert_eq!(verdict(&listed(resumed, &[(0, &["2"]), (5, &["2"])])), LivenessVerdict::PodDeleted);
}

#[test]
fn a_directory_that_classes_share_ends_with_its_pod_and_does_not_live_by_it() {
    let shared = VolumeId { parameters: Some([0; 32]), ..volume("/mnt/secrets-store") };
    let begun = listed(Liveness::default(), &[(0, &["1"])]);
    assert_eq!(begun.verdict(&shared), LivenessVerdict::Nothing);
    assert_eq!(listed(begun, &[(5, &["2"]), (10, &["2"])]).verdict(&shared), LivenessVerdict::PodDeleted);
}
