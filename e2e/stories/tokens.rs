//! How long logins live, and what hangs on them: as long as the volume.

use serde_json::json;

use crate::support::{Pod, Restore, Story, bao, enter, eventually, holds, provider, server};

#[test]
fn no_token_of_a_volume_outlives_it() {
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

    // Long before the 20 minutes that the role gives them. Nobody sees the end of a volume that never was: the kubelet's longest pause tells.
    reader.delete();
    failing.delete();
    eventually(220, "the end of all tokens", || match bao::tokens_of(&story.name) {
        none if none.is_empty() => Ok(()),
        some => Err(format!("there live {some:?}")),
    });
}

/// A running pod and its own user of the database, which ends after `ttl` unless somebody prolongs its lease.
fn database_pod(story: &Story, ttl: &str) -> (Pod, [String; 2]) {
    let creds = story.database(ttl);
    let objects = format!(
        "- {{objectName: user, secretPath: {creds}, secretKey: username}}
- {{objectName: password, secretPath: {creds}, secretKey: password}}"
    );
    story.class("db", &objects).apply();
    let pod = story.pod("reader").mounts("db").start();
    let pair = pod.together("db", ["user", "password"]);
    (pod, pair)
}

/// Whether PostgreSQL lets the user in.
fn enters(user: &str, password: &str) -> Result<(), String> {
    enter(&["psql", &format!("postgresql://{user}:{password}@10.99.0.1/postgres"), "-Atc", "SELECT 1"]).map(drop)
}

#[test]
fn a_database_user_lives_as_long_as_its_pod() {
    let story = Story::begin();
    let (pod, [user, password]) = database_pod(&story, "1h");
    let enters = || enters(&user, &password);

    // Polls make no other, nor does a provider that was killed and begins anew.
    holds(20, "the login into PostgreSQL", enters);
    provider::kill();
    holds(20, "the login into PostgreSQL after a restart of the provider", enters);
    assert_eq!(pod.together("db", ["user", "password"]), [user.clone(), password.clone()]);

    pod.delete();
    eventually(60, "the end of the user", || if enters().is_err() { Ok(()) } else { Err(format!("{user} still logs in")) });
    eventually(60, "the end of all tokens", || match bao::tokens_of(&story.name) {
        none if none.is_empty() => Ok(()),
        some => Err(format!("there live {some:?}")),
    });
}

#[test]
fn a_database_user_lives_while_nobody_asks_for_it() {
    let story = Story::alone();
    let _rotation = Restore(|| server::driver("5s"));
    server::driver("off");
    let (pod, [user, password]) = database_pod(&story, "20s");
    let enters = || enters(&user, &password);
    holds(45, "the login into PostgreSQL without rotation", enters);
    {
        let _kubelet = Restore(|| server::kubelet("resume"));
        server::kubelet("hang");
        holds(45, "the login into PostgreSQL without a kubelet", enters);
    }
    assert_eq!((pod.together("db", ["user", "password"]), pod.restarts()), ([user.clone(), password.clone()], 0));
    assert_eq!(bao::audited(&format!("database/creds/{}", story.name)).len(), 1, "somebody made another user");

    pod.delete();
    eventually(60, "the end of the user", || if enters().is_err() { Ok(()) } else { Err(format!("{user} still logs in")) });
}
