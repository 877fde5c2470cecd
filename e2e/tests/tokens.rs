//! Logins and their leases end with the volume.

use serde_json::json;

use crate::support::{Scenario, User, bao, eventually, holds, provider};

#[test]
fn no_token_of_a_volume_outlives_it() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"user": "u", "password": "p"}));
    let path = scenario.path("db");
    let user = format!("- {{objectName: user, secretPath: {path}, secretKey: user}}");
    scenario.class("user", &user).apply();
    scenario
        .class("password", &format!("- {{objectName: password, secretPath: {path}, secretKey: password}}"))
        .apply();
    scenario
        .class(
            "refused",
            &format!("{user}\n- {{objectName: more, secretPath: secret/data/of-nobody/x, secretKey: k}}"),
        )
        .apply();
    let reader = scenario.pod("reader").mounts("user").mounts("password").start();
    // Nor does a token of a mount that failed after its login.
    let failing = scenario.pod("failing").mounts("refused").create();
    failing.fails_to_mount(&["vault.read_denied"], 60);
    assert!(!bao::audited(&path).is_empty(), "no token has read");

    // Long before the 20 minutes of the role. A volume that never existed has no visible end, so its token ends after the kubelet's longest retry interval.
    reader.delete();
    failing.delete();
    eventually(220, "the end of all tokens", || match bao::tokens_of(&scenario.name) {
        none if none.is_empty() => Ok(()),
        some => Err(format!("there live {some:?}")),
    });
}

#[test]
fn a_database_user_lives_as_long_as_its_pod() {
    let scenario = Scenario::begin();
    scenario.database("1h");
    let pod = scenario.pod("reader").mounts("db").start();
    let user = User::of(&pod);

    // Polls create no other user, nor does a provider that was killed and restarted.
    holds(20, "the login into PostgreSQL", || user.enters());
    provider::kill();
    holds(20, "the login into PostgreSQL after a restart of the provider", || user.enters());
    assert_eq!(User::of(&pod).name, user.name);

    pod.delete();
    eventually(60, "the end of the user", || user.is_gone());
    eventually(60, "the end of all tokens", || match bao::tokens_of(&scenario.name) {
        none if none.is_empty() => Ok(()),
        some => Err(format!("there live {some:?}")),
    });
}

#[test]
fn a_database_user_whose_lease_an_operator_revokes_is_replaced_within_a_minute() {
    let scenario = Scenario::begin();
    let path = scenario.database("1h");
    let pod = scenario.pod("reader").mounts("db").start();
    let user = User::of(&pod);
    user.enters().expect("the first user is let in");

    bao::run(&["lease", "revoke", "-prefix", "-sync", &path], "");
    // A minute from one look-up to the next, and one rotation of the driver.
    let next = eventually(75, "another user", || {
        let next = User::of(&pod);
        if next.name == user.name { Err(format!("{} is still in the file", user.name)) } else { Ok(next) }
    });
    next.enters().expect("the new user is let in");
    user.is_gone().expect("the revoked user is gone");
    let lookups = bao::audited("sys/leases/lookup").len();
    assert!(lookups >= 1, "the lease was looked up");
}
