//! What the provider may do on the node and in Kubernetes, as `deploy/` has it: next to nothing.

use crate::support::{Story, enter, provider, rights};

/// The value of a line `Name:<tab>value` of `/proc/<pid>/status`, its spaces made one.
fn field(status: &str, name: &str) -> String {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("no {name} in {status}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_process_has_no_capability_and_is_not_root() {
    let _story = Story::begin();
    let status = provider::proc("status");
    for ids in ["Uid", "Gid"] {
        assert_eq!(field(&status, ids), "65532 65532 65532 65532", "{ids}");
    }
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(&status, set), "0000000000000000", "{set}");
    }
    assert_eq!(field(&status, "NoNewPrivs"), "1");
    assert_eq!(field(&status, "Seccomp"), "2", "no filter of system calls");
}

#[test]
fn the_process_can_change_no_file_but_in_the_directories_of_sockets() {
    let _story = Story::begin();
    let mounts = provider::proc("mounts");
    // Device, directory, type, options; what the kernel and the container's runtime make themselves are no files of anybody's.
    let files = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let files: Vec<_> = files.filter(|mount| !["/proc", "/sys", "/dev"].iter().any(|own| mount[1].starts_with(own))).collect();
    assert!(files.iter().any(|mount| mount[1] == "/" && mount[3].starts_with("ro")), "{mounts}");
    assert!(files.iter().any(|mount| mount[1] == "/key" && mount[3].starts_with("ro")), "{mounts}");
    let mut writable: Vec<_> = files.iter().filter(|mount| mount[3].starts_with("rw")).map(|mount| mount[1]).collect();
    writable.sort_unstable();
    // Volumes of pods are seen and not reached: what is over them is root's and read-only.
    writable.retain(|directory| !directory.starts_with("/var/lib/kubelet/pods/"));
    assert!(files.iter().any(|mount| mount[1] == "/var/lib/kubelet/pods" && mount[3].starts_with("ro")), "{mounts}");
    let within = ["setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "ls", "/var/lib/kubelet/pods"];
    assert!(enter(&within).unwrap_err().contains("denied"), "an unprivileged user reads the kubelet's directory");
    // The first is root's, and the kubelet's doing.
    assert_eq!(writable, ["/etc/hosts", "/provider", "/provider-etc", "/run/vaultmount"]);
    assert!(!mounts.contains("serviceaccount"), "a token of Kubernetes is mounted: {mounts}");
}

#[test]
fn the_service_account_has_no_right_that_not_every_account_has() {
    let story = Story::begin();
    for namespace in ["vaultmount", "kube-system", &story.name] {
        let ours = provider::rights(namespace);
        assert_eq!(ours, rights(&format!("system:serviceaccount:{}:app", story.name), namespace), "in {namespace}");
        for right in ["secrets", "serviceaccounts", "*.*"] {
            assert!(!ours.contains(right), "{right} in {namespace}: {ours}");
        }
    }
}

#[test]
fn nobody_else_may_call_a_socket() {
    let _story = Story::begin();
    let sockets = ["openbao", "vault", "vaultmount"].map(|name| format!("/run/secrets-store-csi-providers/{name}.sock"));
    let [one, two, three] = &sockets;
    assert_eq!(enter(&["stat", "--format=%a %u:%g %F", one, two, three]).unwrap(), "600 65532:65532 socket\n".repeat(3));
}
