//! The addresses to which tokens may be sent.

use crate::support::faulty::{Faulty, Reply};
use crate::support::token::Account;
use crate::support::unexpected_server::UnexpectedServer;
use crate::support::*;

#[tokio::test]
async fn a_class_cannot_send_tokens_to_loopback_or_metadata_hosts() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    let unexpected = UnexpectedServer::start().await;
    let port = unexpected.port();
    let class = kv("db", "team-a/db", "password");
    for address in [
        unexpected.address(),
        format!("http://localhost:{port}"),
        format!("http://[::1]:{port}"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
        format!("http://0.0.0.0:{port}"),
        format!("http://2130706433:{port}"),
        "http://169.254.169.254".into(),
        "http://[fe80::1]:8200".into(),
        "http://[fd00:ec2::254]".into(),
    ] {
        let refusal = provider.refuses("team-a/web", class.clone().with("vaultAddress", &*address)).await;
        refusal.tells("address.refused", &["--allow-address"]);
    }
    assert_eq!(unexpected.connections().await, 0);
}

#[tokio::test]
async fn with_a_list_only_its_addresses_and_the_configured_one_are_reached() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("listed") })).await;
    let (unexpected, listed) = (UnexpectedServer::start().await, Vault::start().await);
    listed.put("team-a/db", json!({ "password": canary("other-server") })).await;
    let provider = Provider::of(&vault).flag(format!("--allow-address={}", listed.address())).start().await;
    let class = kv("db", "team-a/db", "password");
    assert_eq!(provider.mount("team-a/web", class.clone()).await.read("db"), canary("listed"));
    let refusal =
        provider.refuses("team-a/web", class.clone().with("vaultAddress", unexpected.address())).await;
    refusal.tells("address.refused", &[&unexpected.address(), "--allow-address"]);
    assert_eq!(refusal.code, Code::PermissionDenied);
    assert_eq!(unexpected.connections().await, 0);
    let call = provider.call("team-a/web", class.with("vaultAddress", listed.address()));
    let account = Account { namespace: "team-a".into(), name: "web".into(), pod: None };
    let pod = call.token(listed.issuer.sign(&account.claims("vault", 600))).mount().await;
    assert_eq!(pod.read("db"), canary("other-server"));
}

#[tokio::test]
async fn a_proxy_sees_no_token_for_an_address_that_a_class_chose() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("direct") })).await;
    let unexpected = UnexpectedServer::start().await;
    let setup = Provider::without_server(&vault).flag("--vault-addr=http://127.0.0.1:1");
    let setup =
        ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "VAULT_HTTP_PROXY", "VAULT_PROXY_ADDR"]
            .iter()
            .fold(setup, |setup, variable| setup.env(variable, unexpected.address()));
    let provider = setup.flag(format!("--allow-address={}", vault.address())).start().await;
    let class = kv("db", "team-a/db", "password").with("vaultAddress", vault.address());
    assert_eq!(provider.mount("team-a/web", class).await.read("db"), canary("direct"));
    assert_eq!(unexpected.connections().await, 0);
}

#[tokio::test]
async fn the_configured_server_is_reached_through_its_proxy() {
    let proxy = Faulty::start().await;
    let data = json!({ "data": { "data": { "password": canary("proxied") } } });
    proxy.on("secret/data/team-a/db", [Reply::json(&data)]);
    let setup = Provider::facing("http://vault.example:8200").env("VAULT_PROXY_ADDR", proxy.address());
    let provider = setup.start().await;
    assert_eq!(
        provider.mount("team-a/web", kv("db", "team-a/db", "password")).await.read("db"),
        canary("proxied")
    );
    assert_eq!(
        proxy.calls("secret/data/team-a/db")[0].target,
        "http://vault.example:8200/v1/secret/data/team-a/db"
    );
}
