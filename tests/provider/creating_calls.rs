//! Calls that create something, at a server that is slow: each is made once, its result is never lost, and nothing dead is served.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, interval, sleep};

use crate::support::faulty::Faulty;
use crate::support::postgres::Postgres;
use crate::support::volume::Volume;
use crate::support::*;

const MINT: &str = "database/creds/app";

/// A user of the database, in two files.
fn user() -> Class {
    let files = json!([{ "objectName": "username", "secretKey": "username" }, { "objectName": "password", "secretKey": "password" }]);
    object(json!({ "request": { "path": MINT }, "files": files }))
}

/// A server with a database role of `ttl`, behind a proxy, and the provider before it.
async fn scene(ttl: &str, flags: &[&str]) -> (Vault, Postgres, Faulty, Provider) {
    let (vault, postgres) = (Vault::start().await, Postgres::start().await);
    vault.database(&postgres, "app", json!({ "default_ttl": ttl, "max_ttl": ttl })).await;
    let proxy = Faulty::before(vault.address()).await;
    let setup = Provider::of(&vault).flag(format!("--vault-addr={}", proxy.address()));
    let provider = flags.iter().fold(setup, |setup, flag| setup.flag(*flag)).start().await;
    (vault, postgres, proxy, provider)
}

#[tokio::test]
async fn a_credential_that_takes_8_s_is_replaced_in_time_by_one_call_each() {
    let (vault, postgres, proxy, provider) = scene("45s", &[]).await;
    proxy.delay(MINT, Duration::from_secs(8));
    let pod = provider.mount("team-a/web", user()).await;
    let (mut pace, begun, mut users) = (interval(Duration::from_secs(2)), Instant::now(), BTreeSet::new());
    while begun.elapsed() < Duration::from_secs(60) {
        pace.tick().await;
        let pod = pod.remount().await;
        let user = pod.read("username");
        assert!(postgres.lets_in(&user, &pod.read("password")), "{user} after {:?}", begun.elapsed());
        users.insert(user);
    }
    let calls = vault.count("read database/creds/app");
    // The last call may not have ended yet.
    assert!((2..=3).contains(&users.len()) && calls - users.len() <= 1, "{users:?}, {calls} calls");
}

#[tokio::test]
async fn a_credential_that_the_first_mount_could_not_wait_for_is_mounted_by_the_same_call() {
    let (vault, postgres, proxy, provider) = scene("1h", &[]).await;
    proxy.delay(MINT, Duration::from_secs(6));
    let call = provider.call("team-a/web", user());
    call.clone().within(Duration::from_secs(4)).fails().await.tells("deadline", &["database/creds/app"]);
    let pod = until("the credential", async || call.send().await.ok()).await;
    assert!(!pod.files.is_empty() || !pod.object_version.is_empty());
    assert_eq!((vault.count("read database/creds/app"), postgres.users().len()), (1, 1));
}

#[tokio::test]
async fn a_credential_for_a_pod_that_has_gone_is_revoked() {
    let (vault, postgres, proxy, provider) = scene("1h", &[]).await;
    proxy.delay(MINT, Duration::from_secs(5));
    provider.call("team-a/web", user()).within(Duration::from_secs(2)).fails().await;
    assert_eq!(vault.count("read database/creds/app"), 1);
    provider.terminate();
    until("the user to be revoked", async || postgres.users().is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_dead_credential_is_never_served_again() {
    let (_vault, postgres, proxy, provider) = scene("6s", &[]).await;
    let pod = provider.mount("team-a/web", user()).await;
    proxy.delay(MINT, Duration::from_secs(40));
    until("the user to end", async || postgres.users().is_empty().then_some(())).await;
    let refusal = pod.edited(user()).within(Duration::from_secs(6)).fails().await;
    refusal.tells("deadline", &["database/creds/app", "has expired"]);
}

#[tokio::test]
async fn slow_logins_of_ten_accounts_are_made_once_each() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": "one" })).await;
    let accounts: Vec<_> = (0..10).map(|number| format!("team-a/web-{number}")).collect();
    vault.names_accounts(json!({})).await;
    let proxy = Faulty::before(vault.address()).await;
    let provider = Provider::of(&vault).flag(format!("--vault-addr={}", proxy.address())).start().await;
    let password = || {
        object(json!({ "objectName": "password", "secretPath": "secret/data/team-a/db", "secretKey": "password" })).with("refresh", "0s")
    };
    let mut pods = Vec::new();
    for account in &accounts {
        pods.push(provider.mount(account, password()).await);
    }
    let login = "auth/kubernetes/login";
    let (before, tokens) = (proxy.calls(login).len(), vault.accessors().await.len());
    proxy.delay(login, Duration::from_secs(6));
    vault.revoke_logins().await;
    vault.put("team-a/db", json!({ "password": "two" })).await;
    let begun = Instant::now();
    let mut have_it = false;
    // Ten logins of 6 s, two to four at a time.
    while !have_it && begun.elapsed() < Duration::from_secs(55) {
        let mounted = futures::future::join_all(pods.iter().map(Volume::remount)).await;
        have_it = mounted.iter().all(|pod| pod.read("password") == "two");
    }
    let (took, logins) = (begun.elapsed(), proxy.calls(login).len() - before);
    assert!(have_it && logins == 10, "{logins} logins in {took:?}");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(vault.accessors().await.len(), tokens, "no token is left alone");
}
