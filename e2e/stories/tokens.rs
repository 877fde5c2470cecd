//! How long the tokens of mounts live: as long as the mount, unless something hangs on them.

use serde_json::json;

use crate::support::{Story, bao, enter, eventually, holds};

fn living(role: &str) -> Result<(), String> {
    if bao::tokens_of(role).is_empty() { Err(format!("no token of {role} lives")) } else { Ok(()) }
}

#[test]
fn no_token_of_a_mount_outlives_it() {
    let story = Story::begin();
    story.put("db", json!({"user": "u", "password": "p"}));
    let path = story.path("db");
    let user = format!("- {{objectName: user, secretPath: {path}, secretKey: user}}");
    story.class("user", &user).apply();
    story.class("password", &format!("- {{objectName: password, secretPath: {path}, secretKey: password}}")).apply();
    story.class("refused", &format!("{user}\n- {{objectName: more, secretPath: secret/data/of-nobody/x, secretKey: k}}")).apply();
    let reader = story.pod("reader").mounts("user").mounts("password").start();
    // Nor of one that failed after its login.
    let failing = story.pod("failing").mounts("refused").create();
    failing.fails_to_mount(&["vault.read_denied"], 60);
    assert!(!bao::audited(&path).is_empty(), "nobody has read with a token");

    // With the pods end the rotations, and with those the last tokens, long before the 20 minutes that the role gives them.
    reader.delete();
    failing.delete();
    eventually(30, "the end of all tokens", || match bao::tokens_of(&story.name) {
        none if none.is_empty() => Ok(()),
        some => Err(format!("there live {some:?}")),
    });
}

#[test]
fn a_token_with_a_lease_lives_on_and_its_database_user_too() {
    let story = Story::begin();
    let name = &story.name;
    let creds = story.database();
    // Username and password of one moment, in one file: the whole answer.
    story.class("db", &format!("- {{objectName: login, secretPath: {creds}}}")).apply();
    let pod = story.pod("reader").mounts("db").start();
    let answer: serde_json::Value = serde_json::from_str(&pod.read("db/login")).unwrap();
    let part = |key: &str| answer["data"][key].as_str().unwrap().to_owned();
    let address = format!("postgresql://{}:{}@10.99.0.1/postgres", part("username"), part("password"));
    pod.delete();

    holds(8, "token, lease and login", || {
        living(name)?;
        bao::run(&["list", &format!("sys/leases/lookup/{creds}")], ""); // fails when there is none
        enter(&["psql", &address, "-Atc", "SELECT 1"]).map(drop)
    });
}
