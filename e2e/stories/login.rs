//! Auth mounts, audiences, namespaces.

use serde_json::json;

use crate::support::{Restore, Story, bao, server};

fn password(story: &Story) -> String {
    format!("- {{objectName: password, secretPath: {}, secretKey: password}}", story.path("db"))
}

#[test]
fn a_jwt_mount_logs_a_pod_in() {
    let story = Story::begin();
    story.put("db", json!({"password": "by-jwt"}));
    let subject = format!("system:serviceaccount:{}:app", story.name);
    bao::write(
        &format!("auth/jwt/role/{}", story.name),
        &json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault", "bound_subject": subject, "token_policies": story.name}),
    );
    story.class("db", &password(&story)).parameter("vaultAuthMountPath", "jwt").apply();
    assert_eq!(story.pod("reader").mounts("db").start().read("db/password"), "by-jwt");
}

#[test]
fn an_auth_mount_of_any_name_logs_a_pod_in() {
    let story = Story::begin();
    story.put("db", json!({"password": "by-aks"}));
    bao::write(&format!("auth/clusters/aks/role/{}", story.name), &story.role());
    story.class("new", &password(&story)).parameter("vaultAuthMountPath", "clusters/aks").apply();
    story.class("old", &password(&story)).parameter("vaultKubernetesMountPath", "clusters/aks").apply();
    let pod = story.pod("reader").mounts("new").mounts("old").start();
    assert_eq!((pod.read("new/password"), pod.read("old/password")), ("by-aks".into(), "by-aks".into()));
}

#[test]
fn an_openbao_namespace_has_logins_and_secrets_of_its_own() {
    let story = Story::begin();
    let name = &story.name;
    let rules = format!("path \"secret/data/{name}/*\" {{ capabilities = [\"read\"] }}");
    bao::run(&["policy", "write", "-namespace=team-a", name, "-"], &rules);
    bao::write_in("team-a", &format!("auth/kubernetes/role/{name}"), &story.role());
    bao::write_in("team-a", &story.path("db"), &json!({"data": {"password": "of-team-a"}}));
    story.put("db", json!({"password": "of-the-root"}));
    story.class("team", &password(&story)).parameter("vaultNamespace", "team-a").apply();
    story.class("root", &password(&story)).apply();
    let pod = story.pod("reader").mounts("team").mounts("root").start();
    assert_eq!((pod.read("team/password"), pod.read("root/password")), ("of-team-a".into(), "of-the-root".into()));
}

#[test]
fn a_class_chooses_among_the_audiences_that_the_driver_offers() {
    let story = Story::begin();
    story.put("db", json!({"password": "by-audience"}));
    let mut role = story.role();
    role["audience"] = json!("team");
    bao::write(&format!("auth/kubernetes/role/{}", story.name), &role);
    story.class("db", &password(&story)).parameter("audience", "team").apply();
    assert_eq!(story.pod("reader").mounts("db").start().read("db/password"), "by-audience");

    // Without the choice the role does not take the token.
    story.class("unchosen", &password(&story)).apply();
    let pod = story.pod("another").mounts("unchosen").create();
    pod.fails_to_mount(&["vault.login_", &format!("role {:?}", story.name)], 60);
    assert!(pod.is_waiting());
}

#[test]
fn https_with_the_right_ca_mounts_and_without_it_says_so() {
    let story = Story::begin();
    story.put("db", json!({"password": "by-tls"}));
    let class = story.class("untrusted", &password(&story)).parameter("vaultAddress", "https://10.99.0.1:8210");
    class.apply();
    let pod = story.pod("distrustful").mounts("untrusted").create();
    pod.fails_to_mount(&["vault.tls", "https://10.99.0.1:8210"], 60);
    assert!(pod.is_waiting());

    story
        .class("unchecked", &password(&story))
        .parameter("vaultAddress", "https://10.99.0.1:8210")
        .parameter("vaultSkipTLSVerify", "true")
        .apply();
    assert_eq!(story.pod("reader").mounts("unchecked").start().read("unchecked/password"), "by-tls");
}

#[test]
fn without_token_requests_the_event_says_what_the_csidriver_lacks() {
    let story = Story::alone();
    story.put("db", json!({"password": "p"}));
    story.class("db", &password(&story)).apply();
    let restore = Restore(|| server::audiences(server::AUDIENCES));
    server::audiences(&[]);
    let pod = story.pod("reader").mounts("db").create();
    pod.fails_to_mount(&["token.missing", "tokenRequests"], 60);
    assert!(pod.is_waiting());

    // What was missing is given: the same pod starts.
    drop(restore);
    pod.ready_within(150);
    assert_eq!(pod.read("db/password"), "p");
}
