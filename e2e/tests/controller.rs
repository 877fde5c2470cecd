//! Requests of the secrets-store-sync-controller, which mounts for no pod: its tokens are bound to no pod, and its target is always the same.

use serde_json::json;

use crate::support::{MountRequest, OPENBAO, Scenario, mount};

#[test]
fn a_request_of_the_sync_controller_is_answered() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"password": "for-the-controller"}));
    let tokens = json!({"vault": {"token": scenario.token("vault").trim(), "expirationTimestamp": "2099-01-01T00:00:00Z"}});
    let attributes = json!({
        "objects": format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db")),
        "vaultAddress": OPENBAO,
        "roleName": scenario.name,
        "csi.storage.k8s.io/pod.name": "secrets-store-sync-controller-0",
        "csi.storage.k8s.io/pod.uid": "b7f0a1f2-0000-4000-8000-000000000000",
        "csi.storage.k8s.io/pod.namespace": scenario.name,
        "csi.storage.k8s.io/serviceAccount.name": "app",
        "csi.storage.k8s.io/serviceAccount.tokens": tokens.to_string(),
    });
    let request = MountRequest {
        attributes: attributes.to_string(),
        secrets: "{}".into(),
        target_path: "/mnt/secrets-store".into(),
        permission: "420".into(),
        current_object_version: Vec::new(),
    };
    let answer = mount("vault", request).unwrap_or_else(|status| panic!("{status}"));
    assert_eq!(answer.files.len(), 1);
    assert_eq!((answer.files[0].path.as_str(), answer.files[0].mode), ("password", 0o644));
    assert_eq!(answer.files[0].contents, b"for-the-controller");
    assert_eq!(answer.object_version[0].id, "password");
}
