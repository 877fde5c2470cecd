//! Auth mounts, audiences, namespaces.

use serde_json::json;

use crate::support::{Scenario, bao};

fn password(scenario: &Scenario) -> String {
    format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db"))
}

#[test]
fn a_jwt_mount_logs_a_pod_in() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"password": "by-jwt"}));
    let subject = format!("system:serviceaccount:{}:app", scenario.name);
    bao::write(
        &format!("auth/jwt/role/{}", scenario.name),
        &json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault", "bound_subject": subject, "token_policies": scenario.name}),
    );
    scenario.class("db", &password(&scenario)).parameter("vaultAuthMountPath", "jwt").apply();
    assert_eq!(scenario.pod("reader").mounts("db").start().read("db/password"), "by-jwt");
}

#[test]
fn an_auth_mount_of_any_name_logs_a_pod_in() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"password": "by-aks"}));
    bao::write(&format!("auth/clusters/aks/role/{}", scenario.name), &scenario.role());
    scenario.class("new", &password(&scenario)).parameter("vaultAuthMountPath", "clusters/aks").apply();
    scenario.class("old", &password(&scenario)).parameter("vaultKubernetesMountPath", "clusters/aks").apply();
    let pod = scenario.pod("reader").mounts("new").mounts("old").start();
    assert_eq!((pod.read("new/password"), pod.read("old/password")), ("by-aks".into(), "by-aks".into()));
}

#[test]
fn an_openbao_namespace_has_logins_and_secrets_of_its_own() {
    let scenario = Scenario::begin();
    let name = &scenario.name;
    let rules = format!("path \"secret/data/{name}/*\" {{ capabilities = [\"read\"] }}");
    bao::run(&["policy", "write", "-namespace=team-a", name, "-"], &rules);
    bao::write_in("team-a", &format!("auth/kubernetes/role/{name}"), &scenario.role());
    bao::write_in("team-a", &scenario.path("db"), &json!({"data": {"password": "of-team-a"}}));
    scenario.put("db", json!({"password": "of-the-root"}));
    scenario.class("team", &password(&scenario)).parameter("vaultNamespace", "team-a").apply();
    scenario.class("root", &password(&scenario)).apply();
    let pod = scenario.pod("reader").mounts("team").mounts("root").start();
    assert_eq!(
        (pod.read("team/password"), pod.read("root/password")),
        ("of-team-a".into(), "of-the-root".into())
    );
}

#[test]
fn a_class_chooses_among_the_audiences_that_the_driver_offers() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"password": "by-audience"}));
    let mut role = scenario.role();
    role["audience"] = json!("team");
    bao::write(&format!("auth/kubernetes/role/{}", scenario.name), &role);
    scenario.class("db", &password(&scenario)).parameter("audience", "team").apply();
    assert_eq!(scenario.pod("reader").mounts("db").start().read("db/password"), "by-audience");

    // Without the chosen audience, the role refuses the token.
    scenario.class("unchosen", &password(&scenario)).apply();
    let pod = scenario.pod("another").mounts("unchosen").create();
    pod.fails_to_mount(&["vault.login_", &format!("role {:?}", scenario.name)], 60);
    assert!(pod.is_waiting());
}

#[test]
fn https_with_the_right_ca_mounts_and_without_it_the_event_says_so() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"password": "by-tls"}));
    let class =
        scenario.class("untrusted", &password(&scenario)).parameter("vaultAddress", "https://10.99.0.1:8210");
    class.apply();
    let pod = scenario.pod("distrustful").mounts("untrusted").create();
    pod.fails_to_mount(&["vault.tls", "https://10.99.0.1:8210"], 60);
    assert!(pod.is_waiting());

    scenario
        .class("unchecked", &password(&scenario))
        .parameter("vaultAddress", "https://10.99.0.1:8210")
        .parameter("vaultSkipTLSVerify", "true")
        .apply();
    assert_eq!(scenario.pod("reader").mounts("unchecked").start().read("unchecked/password"), "by-tls");
}
