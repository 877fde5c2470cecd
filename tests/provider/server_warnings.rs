//! Warnings of the server, which would otherwise be lost: the log has each once.

use crate::support::pki::certificate;
use crate::support::*;

#[tokio::test]
async fn a_ttl_that_the_server_cuts_is_in_the_log_once_for_each_source() {
    let vault = Vault::start().await;
    vault.authorities().await;
    vault.write("sys/auth/kubernetes/tune", json!({ "max_lease_ttl": "10m" })).await;
    let provider = Provider::start(&vault).await;
    let asked = json!({ "commonName": "web.example.com", "ttl": "720h" });
    for _ in 0..3 {
        provider.mount("team-a/web", certificate(asked.clone(), &["certificate"])).await;
    }
    let log = provider.log();
    for text in [
        "POST pki/issue/web: the server warns: TTL ",
        "log in at auth/kubernetes as role ",
        "exceeded the effective max_ttl",
    ] {
        assert_eq!(log.matches(text).count(), 1, "{text:?}: {log}");
    }
    assert_eq!(vault.count("update pki/issue/web"), 3, "each of the three volumes has its own certificate");
}
