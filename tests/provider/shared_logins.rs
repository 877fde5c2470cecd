//! One login for all pods of an account, and for no other pod.

use std::collections::BTreeSet;

use futures::future::join_all;

use crate::support::pki::certificate;
use crate::support::volume::Volume;
use crate::support::*;

const LOGIN: &str = "update auth/kubernetes/login";
const DB: &str = "read secret/data/team-a/db";

/// A class of one file, which a republish reads again only after a minute.
fn db() -> Class {
    kv("db", "team-a/db", "password").with("refresh", "1m")
}

/// A server with one secret, whose role `web` accepts every account and names it in the login response, with `changes`.
async fn naming(changes: serde_json::Value) -> Vault {
    let vault = Vault::start().await;
    vault.names_accounts(changes).await;
    vault.put("team-a/db", json!({ "password": canary("shared") })).await;
    vault
}

async fn mounts<'p>(provider: &'p Provider, pods: usize, class: &Class) -> Vec<Volume<'p>> {
    join_all((0..pods).map(|_| provider.mount("team-a/web", class.clone()))).await
}

async fn remounts<'p>(pods: &[Volume<'p>]) -> Vec<Volume<'p>> {
    join_all(pods.iter().map(Volume::remount)).await
}

#[tokio::test]
async fn the_pods_of_an_account_share_one_login_and_each_read() {
    let vault = naming(json!({})).await;
    let provider = Provider::start(&vault).await;
    for number in 0..5 {
        vault.put(&format!("team-a/{number}"), json!({ "value": canary(&number.to_string()) })).await;
    }
    let class = (0..5)
        .map(|number| kv(&number.to_string(), &format!("team-a/{number}"), "value"))
        .reduce(Class::and)
        .unwrap();
    let pods = mounts(&provider, 10, &class.with("refresh", "1m")).await;
    let again = remounts(&pods).await;
    for pod in pods.iter().chain(&again) {
        (0..5).for_each(|number| assert_eq!(pod.read(&number.to_string()), canary(&number.to_string())));
    }
    let reads: BTreeSet<_> =
        vault.calls().into_iter().filter(|call| call.starts_with("read secret/")).collect();
    assert_eq!((vault.count(LOGIN), reads.len(), vault.calls().len()), (1, 5, 6), "{:?}", vault.calls());
}

#[tokio::test]
async fn a_change_is_seen_by_all_pods_with_one_read() {
    let vault = naming(json!({})).await;
    let provider = Provider::start(&vault).await;
    let pods = mounts(&provider, 5, &db().with("refresh", "5s")).await;
    vault.put("team-a/db", json!({ "password": canary("changed") })).await;
    let seen = async || {
        let pods = remounts(&pods).await;
        pods.iter().all(|pod| pod.read("db") == canary("changed")).then_some(())
    };
    until("the change in every pod", seen).await;
    // On a machine that pauses for longer than `refresh`, some of them read once more. Without sharing they would make ten reads.
    let reads = vault.count(DB);
    assert!(
        vault.count(LOGIN) == 1 && (2..=3).contains(&reads),
        "{} logins, {reads} reads",
        vault.count(LOGIN)
    );
}

#[tokio::test]
async fn without_the_accounts_name_in_the_answer_every_pod_has_its_own_login() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("own") })).await;
    let pods = mounts(&provider, 4, &db()).await;
    remounts(&pods).await;
    assert_eq!((vault.count(LOGIN), vault.count(DB)), (4, 4));
}

#[tokio::test]
async fn without_the_accounts_name_pods_share_no_certificate_and_keep_their_own_over_a_restart() {
    let vault = Vault::start().await;
    vault.root_authority("pki").await;
    let provider = Provider::of(&vault).keeping_state().start().await;
    let class = certificate(json!({ "commonName": "a.example.com" }), &["certificate"])
        .with("shareScope", "serviceAccount");
    let pods = mounts(&provider, 2, &class).await;
    assert_ne!(pods[0].read("certificate"), pods[1].read("certificate"));
    provider.kill();
    provider.restart().await;
    for pod in &pods {
        assert_eq!(pod.remount().await.read("certificate"), pod.read("certificate"));
    }
}

#[tokio::test]
async fn another_account_never_shares_a_login_nor_a_recreated_one_of_the_same_name() {
    let vault = naming(json!({})).await;
    let provider = Provider::start(&vault).await;
    provider.mount("team-a/web", db()).await;
    provider.mount("team-a/other", db()).await;
    provider.mount("team-b/web", db()).await;
    provider.call("team-a/web", db()).account_uid("0b5a1a5e-5a0e-4c1a-9d0a-00000000000f").mount().await;
    assert_eq!((vault.count(LOGIN), vault.count(DB)), (4, 4));
}

#[tokio::test]
async fn another_role_never_shares_a_login() {
    let vault = naming(json!({})).await;
    let provider = Provider::start(&vault).await;
    vault.role("kubernetes", "denied", json!({ "token_policies": [] })).await;
    provider.mount("team-a/web", db()).await;
    provider.refuses("team-a/web", db().with("roleName", "denied")).await.tells("vault.read_denied", &[]);
    assert_eq!(vault.count(LOGIN), 2);
}

#[tokio::test]
async fn a_class_may_require_a_login_for_each_pod() {
    let vault = naming(json!({})).await;
    let provider = Provider::start(&vault).await;
    let pods = mounts(&provider, 3, &db().with("login", "pod")).await;
    remounts(&pods).await;
    assert_eq!((vault.count(LOGIN), vault.count(DB)), (3, 3));
}

#[tokio::test]
async fn a_transient_login_is_never_shared_and_leaves_no_token() {
    let vault = naming(json!({})).await;
    let provider = Provider::start(&vault).await;
    let before = vault.tokens().await;
    let pods = mounts(&provider, 3, &db().with("login", "transient")).await;
    remounts(&pods).await;
    until("the tokens to be gone", async || (vault.tokens().await == before).then_some(())).await;
    assert_eq!(vault.count(LOGIN), 6);
}

#[tokio::test]
async fn a_token_that_an_operator_revoked_is_replaced_once_for_all() {
    let vault = naming(json!({})).await;
    let provider = Provider::start(&vault).await;
    let pods = mounts(&provider, 5, &db().with("refresh", "0s")).await;
    vault.revoke_logins().await;
    let pods = remounts(&pods).await;
    assert_eq!(vault.count(LOGIN), 2);
    remounts(&pods).await;
    assert_eq!(vault.count(LOGIN), 2);
}

#[tokio::test]
async fn a_denied_policy_costs_no_login_and_its_fix_is_seen_at_once() {
    let vault = naming(json!({})).await;
    let provider = Provider::start(&vault).await;
    vault.put("team-b/db", json!({ "password": canary("denied") })).await;
    let call = provider.call("team-a/web", kv("db", "team-b/db", "password"));
    for _ in 0..3 {
        call.clone().fails().await.tells("vault.read_denied", &["object \"db\""]);
    }
    assert_eq!(vault.count(LOGIN), 1);
    vault.allow("secret/data/team-b/db", &["read"]).await;
    assert_eq!(call.mount().await.read("db"), canary("denied"));
    assert_eq!(vault.count(LOGIN), 1);
}

#[tokio::test]
async fn a_policy_that_is_taken_away_is_seen_at_the_next_read() {
    let vault = naming(json!({})).await;
    let provider = Provider::start(&vault).await;
    let pod = provider.mount("team-a/web", db().with("refresh", "0s")).await;
    vault
        .write(
            "sys/policies/acl/web",
            json!({ "policy": "path \"secret/data/other\" { capabilities = [\"read\"] }" }),
        )
        .await;
    for _ in 0..3 {
        pod.remount_fails().await.tells("vault.read_denied", &[]);
    }
    assert_eq!(vault.count(LOGIN), 2, "one new login distinguishes a revoked token from a policy");
}

#[tokio::test]
async fn a_token_with_a_limited_number_of_uses_is_not_shared_and_replaced_when_they_are_used_up() {
    let vault = naming(json!({ "token_num_uses": 3 })).await;
    let provider = Provider::start(&vault).await;
    let mut pods = mounts(&provider, 2, &db().with("refresh", "0s")).await;
    assert_eq!(vault.count(LOGIN), 2);
    for _ in 0..3 {
        pods = remounts(&pods).await;
    }
    assert_eq!(vault.count(LOGIN), 4);
}

#[tokio::test]
async fn batch_tokens_are_neither_renewed_nor_revoked() {
    let vault = naming(json!({ "token_type": "batch", "token_ttl": "6s" })).await;
    let mut provider = Provider::start(&vault).await;
    let pods = mounts(&provider, 3, &db().with("refresh", "0s")).await;
    assert_eq!(vault.count(LOGIN), 1);
    let replaced = async || {
        remounts(&pods).await;
        (vault.count(LOGIN) > 1).then_some(())
    };
    until("a new token before the old one's end", replaced).await;
    provider.terminate();
    assert!(provider.ended().await.success());
    assert_eq!(
        (vault.count("update auth/token/renew-self"), vault.count("update auth/token/revoke-self")),
        (0, 0)
    );
}

#[tokio::test]
async fn a_role_without_the_default_policy_works_with_one_warning() {
    let vault = naming(json!({ "token_no_default_policy": true, "token_ttl": "9s" })).await;
    let provider = Provider::start(&vault).await;
    let pods = mounts(&provider, 3, &db().with("refresh", "0s")).await;
    let replaced = async || {
        remounts(&pods).await;
        (vault.count(LOGIN) > 2).then_some(())
    };
    until("two successors", replaced).await;
    assert_eq!(provider.log().matches("a token cannot be renewed").count(), 1);
    let tried = vault.count("update auth/token/renew-self");
    assert!(tried <= 3, "{tried} renewals of 3 tokens that cannot be renewed");
}

#[tokio::test]
async fn with_inline_auth_reads_carry_their_login_and_leave_no_token() {
    let vault = naming(json!({})).await;
    let provider = Provider::of(&vault).flag("--inline-auth").start().await;
    let before = vault.tokens().await;
    let pods = mounts(&provider, 2, &db().with("refresh", "0s")).await;
    for pod in remounts(&pods).await {
        assert_eq!(pod.read("db"), canary("shared"));
    }
    provider.refuses("team-a/web", kv("db", "team-b/db", "password")).await.tells("vault.read_denied", &[]);
    assert_eq!((vault.tokens().await, vault.count("update auth/token/revoke-self")), (before, 0));
    assert!(
        vault
            .requests()
            .iter()
            .all(|request| request["path"] != "auth/kubernetes/login" || request["headers"].is_null()),
        "no login"
    );
}
