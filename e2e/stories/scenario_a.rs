//! Scenario A: a Vault outside of the cluster, a cluster that trusts by its service accounts, and no sidecar in any pod.

use serde_json::json;

use crate::support::{Story, bao, eventually, kubectl};

/// What the injector's template yielded, by a template of the class.
const DEVOPS: &str = r#"
- objectName: devops.txt
  sources: {devops: {kv: {mount: secret, path: devops}}}
  template: "token value stored on path secret/devops is {{ devops.token }}"
"#;

/// A story whose role stands at the cluster's own mount too.
fn begin() -> Story {
    let story = Story::begin();
    bao::write("secret/data/devops", &json!({"data": {"token": "pat"}}));
    let mut role = story.role();
    role["token_ttl"] = json!(3600);
    bao::write(&format!("auth/clusters/aks/role/{}", story.name), &role);
    story
}

fn may_read_devops(story: &Story) {
    story.allow("path \"secret/data/devops\" { capabilities = [\"read\"] }\n");
}

#[test]
fn a_template_takes_the_place_of_the_sidecar() {
    let story = begin();
    may_read_devops(&story);
    let subject = format!("system:serviceaccount:{}:app", story.name);
    let role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault", "bound_subject": subject, "token_policies": story.name});
    bao::write(&format!("auth/jwt/role/{}", story.name), &role);
    story.class("aks", DEVOPS).parameter("vaultAuthMountPath", "clusters/aks").apply();
    story.class("issuer", DEVOPS).parameter("vaultAuthMountPath", "jwt").apply();
    let pod = story.pod("busybox").mounts("aks").mounts("issuer").start();

    assert_eq!(pod.read("aks/devops.txt"), "token value stored on path secret/devops is pat");
    assert_eq!(pod.read("issuer/devops.txt"), pod.read("aks/devops.txt"));
    assert!(pod.object()["spec"]["initContainers"].is_null());
    let row = kubectl(&["get", "pod", "busybox", "--no-headers", "--namespace", &story.name]);
    assert_eq!(row.split_whitespace().nth(1), Some("1/1"), "{row}");
}

#[test]
fn a_missing_policy_is_read_in_kubectl_describe_pod() {
    let story = begin();
    story.class("aks", DEVOPS).parameter("vaultAuthMountPath", "clusters/aks").apply();
    let pod = story.pod("busybox").mounts("aks").create();
    let role = format!("role {:?}", story.name);
    let words = ["vault.read_denied", "\"devops.txt\"", "secret/data/devops", "403", &role, "\"clusters/aks\""];
    eventually(60, "what the pod's author has to know", || {
        let told = kubectl(&["describe", "pod", "busybox", "--namespace", &story.name]);
        if words.iter().all(|word| told.contains(word)) { Ok(()) } else { Err(told) }
    });
    assert!(pod.is_waiting());

    may_read_devops(&story);
    pod.ready_within(150);
    assert_eq!(pod.read("aks/devops.txt"), "token value stored on path secret/devops is pat");
}

#[test]
fn a_path_as_its_author_knows_it_is_told_as_the_api_has_it() {
    let story = begin();
    may_read_devops(&story);
    let objects = "- {objectName: token, secretPath: secret/devops, secretKey: token}";
    story.class("aks", objects).parameter("vaultAuthMountPath", "clusters/aks").apply();
    let pod = story.pod("busybox").mounts("aks").create();
    pod.fails_to_mount(&["\"token\"", "secret/devops", "secret/data/devops"], 60);
    assert!(pod.is_waiting());
}
