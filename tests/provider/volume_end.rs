//! A volume that disappears from the node's mounts: its tokens and leases end.

use std::path::PathBuf;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::sleep;

use crate::support::driver::Call;
use crate::support::postgres::Postgres;
use crate::support::volume::Volume;
use crate::support::wait::free_address;
use crate::support::*;

/// A provider that sees mounts, and the URL of its metrics.
async fn watching(vault: &Vault) -> (Provider, String) {
    let address = free_address();
    let setup = Provider::of(vault).without("--health-addr").flag(format!("--health-addr={address}"));
    let provider = setup.seeing_mounts().start().await;
    provider.sees_the_kubelet();
    (provider, format!("http://{address}/metrics"))
}

/// Mounts the volumes of `pods` pods, and waits until the provider has seen each.
async fn begun<'p>(
    (provider, metrics): &'p (Provider, String),
    pods: usize,
    class: &Class,
) -> Vec<(PathBuf, Volume<'p>)> {
    let calls: Vec<_> =
        (0..pods).map(|_| provider.call("team-a/web", class.clone()).below(&provider.kubelet())).collect();
    let places: Vec<_> = calls.iter().map(Call::place).collect();
    provider.volumes_begin(&places);
    let volumes: Vec<_> = stream::iter(calls.into_iter().map(Call::mount)).buffered(20).collect().await;
    let seen = format!("vaultmount_volumes{{freshness=\"fresh\"}} {pods}\n");
    let look = async || {
        let text = reqwest::get(metrics).await.ok()?.text().await.ok()?;
        (text.contains(&seen) && text.contains("vaultmount_volumes_unseen 0\n")).then_some(())
    };
    until("every volume to be seen", look).await;
    places.into_iter().zip(volumes).collect()
}

#[tokio::test]
async fn a_volume_that_ends_takes_its_token_and_its_database_user_with_it_and_no_others() {
    let (vault, postgres) = (Vault::start().await, Postgres::start().await);
    vault.database(&postgres, "app", json!({ "default_ttl": "1h", "max_ttl": "24h" })).await;
    let member = |key: &str| {
        object(json!({ "objectName": key, "secretPath": "database/creds/app", "secretKey": key }))
    };
    let node = watching(&vault).await;
    let tokens = vault.tokens().await;
    let pods = begun(&node, 2, &member("username").and(member("password"))).await;
    let [(ends, _), (_, stays)] = &pods[..] else { panic!("two pods") };
    assert_eq!((vault.tokens().await, postgres.users().len()), (tokens + 2, 2));
    node.0.volumes_end(std::slice::from_ref(ends));
    let gone = async || (vault.tokens().await == tokens + 1 && postgres.users().len() == 1).then_some(());
    until("the token and the user to be gone", gone).await;
    assert!(postgres.lets_in(&stays.read("username"), &stays.read("password")), "the other's user stays");
    assert_eq!(stays.remount().await.read("username"), stays.read("username"));
    assert_eq!(vault.count("update auth/token/revoke-self"), 1);
}

#[tokio::test]
async fn a_shared_login_ends_with_the_last_volume_that_uses_it() {
    let vault = Vault::start().await;
    vault.names_accounts(json!({})).await;
    vault.put("team-a/db", json!({ "password": canary("last") })).await;
    let node = watching(&vault).await;
    let tokens = vault.tokens().await;
    let pods = begun(&node, 3, &kv("db", "team-a/db", "password")).await;
    node.0.volumes_end(&[pods[0].0.clone(), pods[1].0.clone()]);
    until("two ends", async || (node.0.log().matches("the volume has ended").count() == 2).then_some(()))
        .await;
    assert_eq!(pods[2].1.remount().await.read("db"), canary("last"));
    assert_eq!((vault.tokens().await, vault.count("update auth/kubernetes/login")), (tokens + 1, 1));
    node.0.volumes_end(&[pods[2].0.clone()]);
    until("its token to be gone", async || (vault.tokens().await == tokens).then_some(())).await;
}

#[tokio::test]
async fn a_hundred_volumes_that_end_together_leave_no_token() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("hundred") })).await;
    let node = watching(&vault).await;
    let tokens = vault.tokens().await;
    let pods = begun(&node, 100, &kv("db", "team-a/db", "password")).await;
    assert_eq!(vault.tokens().await, tokens + 100);
    let places: Vec<_> = pods.into_iter().map(|(place, _)| place).collect();
    node.0.volumes_end(&places);
    until("the first tokens to be gone", async || (vault.tokens().await < tokens + 100).then_some(())).await;
    until("all tokens to be gone", async || (vault.tokens().await == tokens).then_some(())).await;
    let calls = vault.count("update auth/token/revoke-self");
    // Four revocations run at a time: no more than these are repeated after a time without a response.
    assert!(vault.revoked().len() == 100 && calls <= 110, "{calls} calls, and not one for each login");
}

#[tokio::test]
async fn a_pod_that_lives_for_a_second_leaves_no_token_and_no_user() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("second") })).await;
    let (provider, _) = watching(&vault).await;
    let tokens = vault.tokens().await;
    // One after the other, so that the check every five seconds sees at most one of them.
    for _ in 0..3 {
        let call = provider.call("team-a/web", kv("db", "team-a/db", "password")).below(&provider.kubelet());
        let place = [call.place()];
        provider.volumes_begin(&place);
        assert_eq!(call.mount().await.read("db"), canary("second"));
        sleep(Duration::from_secs(1)).await;
        provider.volumes_end(&place);
    }
    until("all tokens to be gone", async || (vault.tokens().await == tokens).then_some(())).await;
    assert_eq!(vault.count("update auth/kubernetes/login"), 3);
}
