//! Kubernetes Secrets synced from files.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Scenario, eventually, kubectl};

fn value(secret: &Value, key: &str) -> String {
    let encoded = secret["data"][key].as_str().unwrap_or_default();
    String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
}

fn owners(secret: &Value) -> usize {
    secret["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_secret_follows_its_files_and_ends_with_its_last_owner() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"user": "u1", "password": "p1"}));
    let path = scenario.path("db");
    let objects = format!(
        "- {{objectName: user, secretPath: {path}, secretKey: user}}
- {{objectName: nested/password, secretPath: {path}, secretKey: password}}"
    );
    scenario
        .class("db", &objects)
        .sync("login", &[("username", "user"), ("password", "nested/password")])
        .apply();

    // Two owners read the Secret through their environment.
    let one = scenario.pod("one").mounts("db").env("USERNAME", "login", "username").deploy();
    let two = scenario.pod("two").mounts("db").env("USERNAME", "login", "username").deploy();
    assert_eq!(one.sh("echo $USERNAME"), "u1\n");
    assert_eq!(two.sh("echo $USERNAME"), "u1\n");
    let secret = scenario.get("secret", "login").unwrap();
    assert_eq!((value(&secret, "username"), value(&secret, "password")), ("u1".into(), "p1".into()));
    assert_eq!(secret["metadata"]["labels"]["environment"], "test");
    assert_eq!(secret["metadata"]["labels"]["secrets-store.csi.k8s.io/managed"], "true");

    // The Secret follows a change.
    scenario.put("db", json!({"user": "u2", "password": "p2"}));
    eventually(90, "the Secret's new value", || {
        let secret = scenario.get("secret", "login")?;
        match (value(&secret, "username"), value(&secret, "password")) {
            (user, password) if user == "u2" && password == "p2" => Ok(()),
            other => Err(format!("it has {other:?}")),
        }
    });

    // The Secret exists as long as one owner does.
    let owned_by = |count: usize, seconds| {
        eventually(seconds, &format!("{count} owners"), || match owners(&scenario.get("secret", "login")?) {
            found if found == count => Ok(()),
            found => Err(format!("{found} owners")),
        });
    };
    owned_by(2, 60);
    kubectl(&[
        "delete",
        "deployment",
        "one",
        "--namespace",
        &scenario.name,
        "--cascade=foreground",
        "--timeout=60s",
    ]);
    owned_by(1, 60);
    kubectl(&[
        "delete",
        "deployment",
        "two",
        "--namespace",
        &scenario.name,
        "--cascade=foreground",
        "--timeout=60s",
    ]);
    eventually(60, "the Secret's end", || match scenario.get("secret", "login") {
        Err(gone) if gone.contains("NotFound") => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn a_kv1_value_reaches_file_and_secret() {
    let scenario = Scenario::begin();
    let path = format!("kv/{}/simple", scenario.name);
    crate::support::bao::write(&path, &json!({"token": "first"}));
    let class =
        scenario.class("simple", &format!("- {{objectName: token, secretPath: {path}, secretKey: token}}"));
    class.sync("simple", &[("token", "token")]).apply();
    let pod = scenario.pod("reader").mounts("simple").start();
    assert_eq!(pod.read("simple/token"), "first");
    crate::support::bao::write(&path, &json!({"token": "second"}));
    pod.comes_to_read("simple/token", "second", 60);
    eventually(60, "the Secret's new value", || match value(&scenario.get("secret", "simple")?, "token") {
        new if new == "second" => Ok(()),
        old => Err(old),
    });
}
