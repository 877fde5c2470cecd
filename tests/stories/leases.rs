//! What lives only as long as its lease.

use std::collections::BTreeSet;

use crate::support::postgres::Postgres;
use crate::support::*;

/// A user of the database, in two files.
fn login(role: &str) -> Class {
    let member = |key: &str| object(json!({ "objectName": key, "secretPath": format!("database/creds/{role}"), "secretKey": key }));
    member("username").and(member("password"))
}

#[tokio::test]
async fn a_pod_logs_in_to_its_database_with_what_it_mounted() {
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
