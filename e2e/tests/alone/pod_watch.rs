//! The variant `deploy/pod-watch`: a volume ends with its pod, and the kubelet's directory is not mounted.

use std::collections::BTreeSet;

use crate::support::{Restore, Scenario, User, eventually, holds, kubectl, provider};

/// Deploys the variant until the guard is dropped.
fn variant() -> Restore<impl FnMut()> {
    let restore = Restore(|| {
        let rbac = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/pod-watch/rbac.yaml");
        kubectl(&["delete", "--ignore-not-found", "--filename", rbac]);
        provider::deploy("deploy");
    });
    provider::deploy("e2e/support/pod-watch");
    restore
}

/// The provider's rights in a namespace, one per line, without the padding of the table.
pub(super) fn rights(namespace: &str) -> BTreeSet<String> {
    provider::rights(namespace)
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn a_pod_that_is_deleted_takes_its_database_user_with_it_and_no_others() {
    let scenario = Scenario::alone();
    scenario.database("1h");
    let before = rights(&scenario.name);
    let restore = variant();

    // One more right, and one less directory of the node.
    let added: Vec<_> = rights(&scenario.name).difference(&before).cloned().collect();
    assert_eq!(added, ["pods [] [] [list watch]"]);
    let mounts = provider::proc("mounts");
    assert!(
        !mounts
            .lines()
            .any(|mount| mount.split(' ').nth(1).is_some_and(|at| at.starts_with("/var/lib/kubelet"))),
        "{mounts}"
    );

    let [first, second, third] =
        ["first", "second", "third"].map(|name| scenario.pod(name).mounts("db").start());
    let users = [&first, &second, &third].map(User::of);
    holds(15, "the logins into PostgreSQL", || users.iter().try_for_each(User::enters));
    first.delete();
    eventually(60, "the end of the first pod's user", || users[0].is_gone());
    users[1..].iter().try_for_each(User::enters).unwrap();

    // A pod that ended while no provider ran is missing in the first list of the next provider.
    let stopped = provider::stopped();
    second.delete();
    drop(stopped);
    eventually(60, "the end of the second pod's user", || users[1].is_gone());

    // Removing the variant removes the right, and leaves the running pod its user.
    drop(restore);
    assert_eq!(rights(&scenario.name), before);
    holds(15, "the login into PostgreSQL", || users[2].enters());
    assert_eq!(third.read("db/user"), users[2].name);
}
