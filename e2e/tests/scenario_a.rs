//! Scenario A: a Vault outside of the cluster that trusts the cluster's service accounts, and no sidecar in any pod.

use serde_json::json;

use crate::support::{Scenario, bao, eventually, kubectl};

/// A template of the class that renders what the Agent injector's template did.
const DEVOPS: &str = r#"
- objectName: devops.txt
  sources: {devops: {kv: {mount: secret, path: devops}}}
  template: "token value stored on path secret/devops is {{ devops.token }}"
"#;

/// Starts a test whose role exists at the cluster's own auth mount too.
fn begin() -> Scenario {
    let scenario = Scenario::begin();
    bao::write("secret/data/devops", &json!({"data": {"token": "pat"}}));
    let mut role = scenario.role();
    role["token_ttl"] = json!(3600);
    bao::write(&format!("auth/clusters/aks/role/{}", scenario.name), &role);
    scenario
}

fn may_read_devops(scenario: &Scenario) {
    scenario.allow("path \"secret/data/devops\" { capabilities = [\"read\"] }\n");
}

#[test]
fn a_template_takes_the_place_of_the_sidecar() {
    let scenario = begin();
    may_read_devops(&scenario);
    let subject = format!("system:serviceaccount:{}:app", scenario.name);
    let role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault", "bound_subject": subject, "token_policies": scenario.name});
    bao::write(&format!("auth/jwt/role/{}", scenario.name), &role);
    scenario.class("aks", DEVOPS).parameter("vaultAuthMountPath", "clusters/aks").apply();
    scenario.class("issuer", DEVOPS).parameter("vaultAuthMountPath", "jwt").apply();
    let pod = scenario.pod("busybox").mounts("aks").mounts("issuer").start();

    assert_eq!(pod.read("aks/devops.txt"), "token value stored on path secret/devops is pat");
    assert_eq!(pod.read("issuer/devops.txt"), pod.read("aks/devops.txt"));
    assert!(pod.object()["spec"]["initContainers"].is_null());
    let row = kubectl(&["get", "pod", "busybox", "--no-headers", "--namespace", &scenario.name]);
    assert_eq!(row.split_whitespace().nth(1), Some("1/1"), "{row}");
}

#[test]
fn a_missing_policy_is_read_in_kubectl_describe_pod() {
    let scenario = begin();
    scenario.class("aks", DEVOPS).parameter("vaultAuthMountPath", "clusters/aks").apply();
    let pod = scenario.pod("busybox").mounts("aks").create();
    let role = format!("role {:?}", scenario.name);
    let words =
        ["vault.read_denied", "\"devops.txt\"", "secret/data/devops", "403", &role, "\"clusters/aks\""];
    eventually(60, "what the pod's author has to know", || {
        let text = kubectl(&["describe", "pod", "busybox", "--namespace", &scenario.name]);
        if words.iter().all(|word| text.contains(word)) { Ok(()) } else { Err(text) }
    });
    assert!(pod.is_waiting());

    may_read_devops(&scenario);
    pod.ready_within(150);
    assert_eq!(pod.read("aks/devops.txt"), "token value stored on path secret/devops is pat");
}

#[test]
fn the_error_for_a_path_of_the_cli_shows_the_path_of_the_api() {
    let scenario = begin();
    may_read_devops(&scenario);
    let objects = "- {objectName: token, secretPath: secret/devops, secretKey: token}";
    scenario.class("aks", objects).parameter("vaultAuthMountPath", "clusters/aks").apply();
    let pod = scenario.pod("busybox").mounts("aks").create();
    pod.fails_to_mount(&["\"token\"", "secret/devops", "secret/data/devops"], 60);
    assert!(pod.is_waiting());
}
