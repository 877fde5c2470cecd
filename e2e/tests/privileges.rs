//! The provider's rights on the node and in Kubernetes with `deploy/` (almost none) and with `deploy/own-writer`.

use crate::support::{Scenario, enter, provider, rights};

/// The value of a line `Name:<tab>value` of `/proc/<pid>/status`, each run of blanks as one space.
fn field(status: &str, name: &str) -> String {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("no {name} in {status}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Mounts of the process: directory and options, without those of the kernel and the container runtime.
fn mounts() -> Vec<(String, String)> {
    let mounts = provider::proc("mounts");
    assert!(!mounts.contains("serviceaccount"), "a token of Kubernetes is mounted: {mounts}");
    // Device, directory, type, options.
    let mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let files = mounts.filter(|mount| !["/proc", "/sys", "/dev"].iter().any(|own| mount[1].starts_with(own)));
    files.map(|mount| (mount[1].into(), mount[3].into())).collect()
}

/// Checks that the process can change files of the node only in the directories of sockets and state. Mounts for pods are left out.
fn changes_nothing_else(mounts: &[(String, String)]) {
    for directory in ["/", "/key", "/var/lib/kubelet/pods"] {
        assert!(
            mounts.iter().any(|(at, options)| at == directory && options.starts_with("ro")),
            "{directory}: {mounts:?}"
        );
    }
    let mut writable: Vec<_> =
        mounts.iter().filter(|(_, options)| options.starts_with("rw")).map(|(at, _)| at.as_str()).collect();
    writable.retain(|directory| !directory.starts_with("/var/lib/kubelet/pods/"));
    writable.sort_unstable();
    // The first one belongs to root and is created by the kubelet.
    assert_eq!(writable, ["/etc/hosts", "/provider", "/provider-etc", "/run/vaultmount"]);
}

/// Checks that the service account has only the rights that every account has.
fn has_no_right_in_kubernetes(scenario: &Scenario) {
    for namespace in ["vaultmount", "kube-system", &scenario.name] {
        let ours = provider::rights(namespace);
        assert_eq!(
            ours,
            rights(&format!("system:serviceaccount:{}:app", scenario.name), namespace),
            "in {namespace}"
        );
        for right in ["secrets", "serviceaccounts", "*.*"] {
            assert!(!ours.contains(right), "{right} in {namespace}: {ours}");
        }
    }
}

fn is_confined(status: &str) {
    assert_eq!(field(status, "NoNewPrivs"), "1");
    assert_eq!(field(status, "Seccomp"), "2", "no filter of system calls");
}

#[test]
fn the_process_has_no_capability_and_is_not_root() {
    let _story = Scenario::begin();
    let status = provider::proc("status");
    for ids in ["Uid", "Gid"] {
        assert_eq!(field(&status, ids), "65532 65532 65532 65532", "{ids}");
    }
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(&status, set), "0000000000000000", "{set}");
    }
    is_confined(&status);
}

#[test]
fn the_process_can_change_no_file_but_in_the_directories_of_sockets() {
    let _story = Scenario::begin();
    // The list of volumes is visible, but the volumes cannot be reached: the directory above them belongs to root and is read-only.
    changes_nothing_else(&mounts());
    let within =
        ["setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "ls", "/var/lib/kubelet/pods"];
    assert!(
        enter(&within).unwrap_err().contains("denied"),
        "an unprivileged user reads the kubelet's directory"
    );
}

#[test]
fn the_service_account_has_no_right_that_not_every_account_has() {
    let scenario = Scenario::begin();
    has_no_right_in_kubernetes(&scenario);
}

/// With the variant deployed: root, one capability, the same directories, no right in Kubernetes.
pub(super) fn root_with_chown_alone(scenario: &Scenario) {
    let status = provider::proc("status");
    for ids in ["Uid", "Gid"] {
        assert_eq!(field(&status, ids), "0 0 0 0", "{ids}");
    }
    assert!(field(&status, "Groups").split(' ').any(|group| group == "65532"), "{status}");
    let chown = "0000000000000001";
    let none = "0000000000000000";
    for (set, expected) in
        [("CapInh", none), ("CapPrm", chown), ("CapEff", chown), ("CapBnd", chown), ("CapAmb", none)]
    {
        assert_eq!(field(&status, set), expected, "{set}");
    }
    is_confined(&status);
    changes_nothing_else(&mounts());
    has_no_right_in_kubernetes(scenario);
}

#[test]
fn no_other_user_may_call_a_socket() {
    let _story = Scenario::begin();
    let sockets = ["openbao", "vault", "vaultmount"]
        .map(|name| format!("/run/secrets-store-csi-providers/{name}.sock"));
    let [one, two, three] = &sockets;
    assert_eq!(
        enter(&["stat", "--format=%a %u:%g %F", one, two, three]).unwrap(),
        "600 65532:65532 socket\n".repeat(3)
    );
}
