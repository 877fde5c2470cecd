//! A server that is down, sealed, silent or slow: reported in time, with a code after which no pod starts without its files.

use std::pin::pin;
use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use tokio::time::Instant;

use crate::support::blocking_proxy::BlockingProxy;
use crate::support::*;

/// A first mount reports an outage before this: after 18 s on an idle machine. Its deadline is 60 s.
const PATIENCE: Duration = Duration::from_secs(35);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outage {
    Stopped,
    Sealed,
    Hanging,
}

/// All three in parallel: each takes as long as its retries.
#[tokio::test]
async fn an_outage_is_reported_within_20_seconds_and_the_first_retry_after_it_mounts() {
    join_all(
        [
            (Outage::Stopped, "vault.unreachable"),
            (Outage::Sealed, "vault.sealed"),
            (Outage::Hanging, "vault.unreachable"),
        ]
        .map(endured),
    )
    .await;
}

/// Returns both to be dropped after all have ended: the end of a provider blocks this thread, which would count as the others' time.
async fn endured((outage, reason): (Outage, &str)) -> (Provider, Vault) {
    let mut vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("outage") })).await;
    let provider = Provider::start(&vault).await;
    let call = provider.call("team-a/web", kv("db", "team-a/db", "password"));
    match outage {
        Outage::Stopped => vault.kill(),
        Outage::Sealed => vault.seal().await,
        Outage::Hanging => vault.hang(),
    }
    let begun = Instant::now();
    let refusal = call.clone().fails().await;
    assert!(begun.elapsed() <= PATIENCE, "{outage:?}: {:?}", begun.elapsed());
    refusal.tells(reason, &[&vault.address(), "role \"web\"", "auth mount \"kubernetes\""]);
    assert_eq!(refusal.code, Code::FailedPrecondition);
    match outage {
        Outage::Stopped => return (provider, vault),
        Outage::Sealed => vault.unseal().await,
        Outage::Hanging => vault.resume(),
    }
    assert_eq!(call.mount().await.read("db"), canary("outage"), "{outage:?}");
    (provider, vault)
}

#[tokio::test]
async fn a_mount_with_nine_seconds_of_time_is_answered_within_them() {
    let vault = Vault::start().await;
    let proxy = BlockingProxy::before(&vault).await;
    let provider =
        Provider::without_server(&vault).flag(format!("--vault-addr={}", proxy.address())).start().await;
    let call = provider.call("team-a/web", kv("db", "team-a/db", "password")).within(Duration::from_secs(9));
    let begun = Instant::now();
    let refusal = call.fails().await;
    // Due after 6 s; with more time it would wait for 18 s.
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    assert!(
        ["deadline: ", "vault.unreachable: "].iter().any(|reason| refusal.text.starts_with(reason)),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn a_server_that_hangs_delays_no_pod_of_another_server() {
    let (vault, hanging) = (Vault::start().await, Vault::start().await);
    vault.put("team-a/db", json!({ "password": canary("beside") })).await;
    let proxy = BlockingProxy::before(&hanging).await;
    let provider = Provider::of(&vault).flag(format!("--allow-address={}", proxy.address())).start().await;
    let class = kv("db", "team-a/db", "password");
    let stuck = provider
        .call("team-a/web", class.clone().with("vaultAddress", proxy.address()))
        .within(Duration::from_secs(90));
    let mut stuck = pin!(stuck.fails());
    let others = async {
        proxy.reached().await;
        for _ in 0..20 {
            assert_eq!(provider.mount("team-a/web", class.clone()).await.read("db"), canary("beside"));
        }
    };
    // Its mount would fail after 18 s.
    tokio::select! {
        biased;
        () = others => proxy.open(),
        refusal = &mut stuck => panic!("the others have waited for it: {refusal:?}"),
    }
    stuck.await;
}

#[tokio::test]
async fn the_error_for_a_rate_limit_names_the_server_and_the_remedy() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("limited") })).await;
    let provider = Provider::start(&vault).await;
    let call = provider.call("team-a/web", kv("db", "team-a/db", "password"));
    assert_eq!(call.clone().mount().await.read("db"), canary("limited"));
    // One read an hour, which the second mount has used up.
    vault
        .write("sys/quotas/rate-limit/reads", json!({ "path": "secret/", "rate": 1, "interval": "1h" }))
        .await;
    assert_eq!(call.clone().mount().await.read("db"), canary("limited"));
    provider
        .refuses("team-a/web", kv("db", "team-a/db", "password"))
        .await
        .tells("vault.busy", &["429", "raise the server's quota"]);
    vault.call(Method::DELETE, "", "sys/quotas/rate-limit/reads", &json!({})).await;
    assert_eq!(call.mount().await.read("db"), canary("limited"));
}
