//! Who may read a file.

use serde_json::json;

use crate::support::Scenario;

/// A pod of one user with a container of another user.
pub(super) fn check(scenario: &Scenario) {
    scenario.put("db", json!({"own": "for-1000", "shared": "for-1001-too"}));
    let path = scenario.path("db");
    let objects = format!(
        "- {{objectName: own, secretPath: {path}, secretKey: own, filePermission: 0400}}
- {{objectName: tls/shared, secretPath: {path}, secretKey: shared, group: 1001, filePermission: 0640}}
- {{objectName: roots, secretPath: {path}, secretKey: own, owner: 0, filePermission: 0600}}"
    );
    scenario.class("db", &objects).parameter("owner", "1000").apply();
    let pod = scenario.pod("reader").user(1000).neighbour(1001).mounts("db").start();

    let listed = pod.sh("cd /mnt/db/..data && ls -ln own tls/shared roots | awk '{print $1, $3, $4, $NF}'");
    assert_eq!(listed, "-r-------- 1000 0 own\n-rw------- 0 0 roots\n-rw-r----- 1000 1001 tls/shared\n");
    assert_eq!((pod.read("db/own"), pod.read("db/tls/shared")), ("for-1000".into(), "for-1001-too".into()));
    let denied = |read: Result<Vec<u8>, String>| assert!(read.unwrap_err().contains("Permission denied"));
    denied(pod.try_bytes("db/roots"));
    assert_eq!(pod.try_neighbour("cat /mnt/db/tls/shared").unwrap(), "for-1001-too");
    denied(pod.try_neighbour("cat /mnt/db/own").map(String::into_bytes));
    pod.delete();
}
