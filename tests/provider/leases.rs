//! Credentials that are valid only as long as their lease.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, interval};

use crate::support::openbao::Listener;
use crate::support::postgres::Postgres;
use crate::support::volume::Volume;
use crate::support::*;

/// A user of the database, in two files.
fn login(role: &str) -> Class {
    let member = |key: &str| {
        object(json!({ "objectName": key, "secretPath": format!("database/creds/{role}"), "secretKey": key }))
    };
    member("username").and(member("password"))
}

#[tokio::test]
async fn a_pod_logs_in_to_its_database_with_its_mounted_user() {
    let (vault, postgres) = (Vault::start().await, Postgres::start().await);
    vault.database(&postgres, "app", json!({ "default_ttl": "1h", "max_ttl": "24h" })).await;
    let provider = Provider::start(&vault).await;
    let pod = provider.mount("team-a/web", login("app")).await;
    let (user, password) = (pod.read("username"), pod.read("password"));
    assert!(postgres.lets_in(&user, &password));
    assert!(!postgres.lets_in(&user, "another"));
    assert_eq!(postgres.users(), BTreeSet::from([user]), "user and password are of one lease");
    assert!(!provider.log().contains(&password), "a password reached the log");
}

#[tokio::test]
async fn a_user_by_request_is_of_one_lease_with_its_password_too() {
    let (vault, postgres) = (Vault::start().await, Postgres::start().await);
    vault.database(&postgres, "app", json!({ "default_ttl": "1h", "max_ttl": "24h" })).await;
    let provider = Provider::start(&vault).await;
    let files = json!([{ "objectName": "user", "secretKey": "username" }, { "objectName": "password", "secretKey": "password" }]);
    let pod = provider
        .mount("team-a/web", object(json!({ "request": { "path": "database/creds/app" }, "files": files })))
        .await;
    assert!(postgres.lets_in(&pod.read("user"), &pod.read("password")));
    let again = pod.remount().await;
    assert_eq!(
        (again.read("user"), again.read("password"), postgres.users().len()),
        (pod.read("user"), pod.read("password"), 1)
    );
}

#[tokio::test]
async fn a_user_that_the_class_no_longer_names_is_no_longer_renewed() {
    let (vault, postgres) = (Vault::start().await, Postgres::start().await);
    for role in ["app", "other"] {
        vault.database(&postgres, role, json!({ "default_ttl": "10s", "max_ttl": "1h" })).await;
    }
    let provider = Provider::start(&vault).await;
    let pod = provider.mount("team-a/web", login("app").with("refresh", "0s")).await;
    let mut pace = interval(Duration::from_secs(1));
    // Until the provider knows how often the driver republishes here.
    for _ in 0..5 {
        pace.tick().await;
        pod.remount().await;
    }
    let edited = pod.edited(login("other").with("refresh", "0s"));
    let other = edited.clone().mount().await.read("username");
    until("the first user to be gone", async || {
        edited.clone().mount().await;
        (!postgres.users().contains(&pod.read("username"))).then_some(())
    })
    .await;
    assert_eq!(
        (postgres.users(), edited.mount().await.read("username")),
        (BTreeSet::from([other.clone()]), other)
    );
}

const MINTED: &str = "read database/creds/app";

/// Republishes `pod` each second for 25 s. Checks each time that the user can log in, and returns the number of users.
async fn is_let_in_for_25_seconds(postgres: &Postgres, pod: &Volume<'_>) -> usize {
    let (mut pace, begun, mut users) = (interval(Duration::from_secs(1)), Instant::now(), BTreeSet::new());
    while begun.elapsed() < Duration::from_secs(25) {
        pace.tick().await;
        let asked = Instant::now();
        let pod = pod.remount().await;
        let user = pod.read("username");
        // A response leaves a user at least two seconds: on a machine that paused for longer they are over before the database is called.
        let is_let_in =
            postgres.lets_in(&user, &pod.read("password")) || asked.elapsed() > Duration::from_secs(2);
        assert!(is_let_in, "{user} after {:?} and {} others", begun.elapsed(), users.len());
        users.insert(user);
    }
    users.len()
}

#[tokio::test]
async fn a_database_user_stays_over_republishes_a_killed_provider_and_a_restart_of_the_server() {
    let mut vault = Vault::listening(&Listener { durable: true, ..Listener::default() }).await;
    let postgres = Postgres::start().await;
    vault.database(&postgres, "app", json!({ "default_ttl": "1h", "max_ttl": "24h" })).await;
    let provider = Provider::of(&vault).keeping_state().start().await;
    let pod = provider.mount("team-a/web", login("app")).await;
    let of = |pod: &Volume<'_>| (pod.read("username"), pod.read("password"));
    assert_eq!(of(&pod.remount().await), of(&pod));
    provider.kill();
    provider.restart().await;
    assert_eq!(of(&pod.remount().await), of(&pod));
    vault.restart().await;
    assert_eq!(of(&pod.remount().await), of(&pod));
    assert!(postgres.lets_in(&pod.read("username"), &pod.read("password")));
    assert_eq!(
        (postgres.users().len(), vault.count(MINTED), vault.count("update auth/kubernetes/login")),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn the_user_in_the_file_can_always_log_in_however_short_its_lease_is() {
    let (vault, postgres) = (Vault::start().await, Postgres::start().await);
    vault.database(&postgres, "app", json!({ "default_ttl": "10s", "max_ttl": "20s" })).await;
    let provider = Provider::start(&vault).await;
    let pod = provider.mount("team-a/web", login("app")).await;
    // Two renewals, and a new user.
    let users = is_let_in_for_25_seconds(&postgres, &pod).await;
    assert!(
        (2..=4).contains(&users) && vault.count(MINTED) == users,
        "{users} users, {} made",
        vault.count(MINTED)
    );
}

#[tokio::test]
async fn a_failed_renewal_does_not_create_a_user_at_every_republish() {
    let (vault, postgres) = (Vault::start().await, Postgres::start().await);
    vault.role("kubernetes", "web", json!({ "token_no_default_policy": true })).await;
    vault.database(&postgres, "app", json!({ "default_ttl": "10s", "max_ttl": "1h" })).await;
    let provider = Provider::start(&vault).await;
    let pod = provider.mount("team-a/web", login("app")).await;
    let users = is_let_in_for_25_seconds(&postgres, &pod).await;
    assert!(
        (2..=5).contains(&users) && vault.count(MINTED) == users,
        "{users} users, {} made",
        vault.count(MINTED)
    );
    assert_eq!(provider.log().matches("refused to renew a renewable lease").count(), 1, "one warning");
}

#[tokio::test]
async fn each_pod_has_its_own_user_unless_the_class_shares_it_in_the_account() {
    let (vault, postgres) = (Vault::start().await, Postgres::start().await);
    vault.names_accounts(json!({})).await;
    vault.database(&postgres, "app", json!({ "default_ttl": "1h", "max_ttl": "24h" })).await;
    let provider = Provider::start(&vault).await;
    let users = async |account: &str, class: Class| {
        let (one, other) =
            tokio::join!(provider.mount(account, class.clone()), provider.mount(account, class));
        assert!(postgres.lets_in(&one.read("username"), &one.read("password")));
        assert!(postgres.lets_in(&other.read("username"), &other.read("password")));
        BTreeSet::from([one.read("username"), other.read("username")])
    };
    let shared = || login("app").with("shareScope", "serviceAccount");
    assert_eq!(users("team-a/web", login("app")).await.len(), 2);
    let web = users("team-a/web", shared()).await;
    assert_eq!(web.len(), 1);
    assert!(users("team-a/other", shared()).await.is_disjoint(&web), "another account's user is another");
    assert_eq!((postgres.users().len(), vault.count(MINTED)), (4, 4));
}

#[tokio::test]
async fn a_mistake_in_a_class_revokes_no_user_that_pods_have_in_their_files() {
    let (vault, postgres) = (Vault::start().await, Postgres::start().await);
    vault.database(&postgres, "app", json!({ "default_ttl": "1h", "max_ttl": "24h" })).await;
    let provider = Provider::start(&vault).await;
    let pod = provider.mount("team-a/web", login("app")).await;
    let mut pace = interval(Duration::from_secs(1));
    // The provider knows that the volume is republished every second, so two republishes are soon over.
    for _ in 0..4 {
        pace.tick().await;
        pod.remount().await;
    }
    for slip in [login("ap"), login("app").with("roleName", "wbe")] {
        for _ in 0..5 {
            pace.tick().await;
            pod.edited(slip.clone()).fails().await;
        }
        assert!(
            postgres.lets_in(&pod.read("username"), &pod.read("password")),
            "the user in the files has ended"
        );
    }
    // With the original class there is another user, and the first one ends two republishes later.
    let mended = pod.remount().await;
    assert_ne!(mended.read("username"), pod.read("username"));
    let only = async || {
        mended.remount().await;
        (postgres.users() == BTreeSet::from([mended.read("username")])).then_some(())
    };
    until("the end of the first user", only).await;
}

#[tokio::test]
async fn without_the_account_name_each_pod_logs_in_for_what_its_account_shares() {
    let (vault, postgres) = (Vault::start().await, Postgres::start().await);
    vault.database(&postgres, "app", json!({ "default_ttl": "1h", "max_ttl": "24h" })).await;
    let provider = Provider::start(&vault).await;
    let shared = || login("app").with("shareScope", "serviceAccount");
    let one = provider.mount("team-a/web", shared()).await;
    let other = provider.mount("team-a/web", shared()).await;
    assert_ne!(one.read("username"), other.read("username"));
    assert_eq!(
        (one.remount().await.read("username"), other.remount().await.read("username")),
        (one.read("username"), other.read("username"))
    );
    assert_eq!((vault.count("update auth/kubernetes/login"), vault.count(MINTED)), (2, 2));
}
