//! Several classes, sockets and parameter prefixes.

use serde_json::json;

use crate::support::{OPENBAO, Scenario, bao};

#[test]
fn a_pod_may_mount_two_classes() {
    let scenario = Scenario::begin();
    scenario.put("one", json!({"key": "value-one"}));
    scenario.put("two", json!({"key": "value-two"}));
    for name in ["one", "two"] {
        let objects = format!("- {{objectName: key, secretPath: {}, secretKey: key}}", scenario.path(name));
        scenario.class(name, &objects).sync(name, &[("key", "key")]).apply();
    }
    let pod = scenario
        .pod("reader")
        .mounts("one")
        .mounts("two")
        .env("ONE", "one", "key")
        .env("TWO", "two", "key")
        .start();
    assert_eq!((pod.read("one/key"), pod.read("two/key")), ("value-one".into(), "value-two".into()));
    assert_eq!(pod.sh("echo $ONE $TWO"), "value-one value-two\n");
}

#[test]
fn a_class_of_another_namespace_is_out_of_reach() {
    let scenario = Scenario::begin();
    let other = scenario.neighbour();
    other.put("db", json!({"password": "p"}));
    other
        .class(
            "db",
            &format!("- {{objectName: password, secretPath: {}, secretKey: password}}", other.path("db")),
        )
        .apply();
    let pod = scenario.pod("reader").mounts("db").create();
    pod.fails_to_mount(
        &["failed to get secretproviderclass", &format!("{}/db", scenario.name), "not found"],
        60,
    );
    assert!(pod.is_waiting());

    // A copy of the class does not help either: its role is bound to the other namespace.
    let objects =
        format!("- {{objectName: password, secretPath: {}, secretKey: password}}", other.path("db"));
    scenario.class("copy", &objects).parameter("roleName", &other.name).apply();
    let pod = scenario.pod("copier").mounts("copy").create();
    pod.fails_to_mount(&["vault.login_", &other.name, "\"kubernetes\"", &scenario.name], 60);
    assert!(pod.is_waiting());
}

#[test]
fn every_socket_answers_to_every_prefix() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"password": "p"}));
    // Unless the class names an audience, a socket uses that of the upstream provider of the same name.
    let role = format!("{}-openbao", scenario.name);
    let mut bound = scenario.role();
    bound["audience"] = json!("openbao");
    bao::write(&format!("auth/kubernetes/role/{role}"), &bound);

    let objects =
        format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db"));
    let mut pod = scenario.pod("reader");
    let pairs = ["vault", "openbao", "vaultmount"]
        .into_iter()
        .flat_map(|socket| ["vault", "bao", "openbao"].map(|prefix| (socket, prefix)));
    for (socket, prefix) in pairs.clone() {
        let role = if socket == "openbao" { &role } else { &scenario.name };
        let class = scenario
            .class(&format!("{socket}-{prefix}"), &objects)
            .provider(socket)
            .without("vaultAddress")
            .without("roleName");
        // HashiCorp's provider has no prefix before roleName.
        let role_name = if prefix == "vault" { "roleName".into() } else { format!("{prefix}RoleName") };
        class.parameter(&format!("{prefix}Address"), OPENBAO).parameter(&role_name, role).apply();
        pod = pod.mounts(&format!("{socket}-{prefix}"));
    }
    let pod = pod.start();
    for (socket, prefix) in pairs {
        assert_eq!(pod.read(&format!("{socket}-{prefix}/password")), "p");
    }
}
