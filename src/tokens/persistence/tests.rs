//! The logins of 0.1.0, as `tests/golden` has them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::*;
use crate::spec::{Address, AuthSpec, ClientCertificate, ServerSpec, TlsSpec};
use crate::state::golden;
use crate::vault::{Account, Outbound, Vaults};

/// 2100-01-01: nothing in the records is due before.
const THEN: UnixMillis = UnixMillis(4_102_444_800_000);

/// The record whose token is `golden-token-<name>`.
async fn record(name: &str) -> Record {
    let (_directory, store) = golden::store().await;
    let token = format!("golden-token-{name}");
    let is = |record: &Record| {
        record.outer.token.as_ref().is_some_and(|secret| secret.expose() == token.as_bytes())
    };
    golden::records(&store).into_iter().find(is).unwrap()
}

async fn body(name: &str) -> Body {
    serde_json::from_slice(record(name).await.body.expose()).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn account() -> Account {
    Account { namespace: "team-a".into(), name: "web".into(), uid: "account-uid".into() }
}

fn server(address: &str, namespace: Option<&str>) -> ServerSpec {
    let namespace = namespace.map(str::to_owned);
    ServerSpec { address: address.parse().unwrap(), configured: true, namespace, tls: TlsSpec::default() }
}

#[tokio::test]
async fn no_member_of_a_login_of_0_1_0_is_renamed_or_dropped() {
    let (_directory, store) = golden::store().await;
    let tokens: Vec<_> =
        golden::records(&store).into_iter().filter(|record| record.outer.kind == Kind::VaultToken).collect();
    assert_eq!(tokens.len(), 6);
    for record in tokens {
        let old = golden::json(&record);
        let body: Body = serde_json::from_slice(record.body.expose()).unwrap();
        assert_eq!(golden::lost(&old, &serde_json::to_value(&body).unwrap()), [""; 0], "{old}");
        assert_eq!(record.outer.server.as_ref(), Some(&body.key.server));
        assert_eq!(record.outer.accessor, body.info.accessor);
        assert!(record.outer.leases.iter().eq(body.leases.keys()));
    }
}

#[tokio::test]
async fn a_login_of_0_1_0_is_for_the_same_account_at_the_same_server() {
    let body = body("account").await;
    assert_eq!(body.key.server, server("http://127.0.0.1:9", Some("team-a")));
    assert_eq!(body.key.auth, AuthSpec { mount: "kubernetes".into(), role: "web".into(), audience: None });
    assert_eq!((&body.key.account, &body.key.scope), (&account(), &Scope::Account));
    assert_eq!(body.authenticated_at, THEN - seconds(1));
    assert_eq!(body.term, LeaseTerm::issued(seconds(3600), true, THEN));
    assert!(body.leases.is_empty());
    let TokenInfo { accessor, ttl, renewable, batch, uses, account: named, has_default_policy: _ } =
        body.info;
    assert_eq!((accessor.as_deref(), ttl, renewable), (Some("accessor-account"), seconds(3600), true));
    assert_eq!((batch, uses, named), (false, 0, Some(account())));
}

#[tokio::test]
async fn the_leases_of_0_1_0_have_the_same_ends() {
    let body = body("leases").await;
    let Scope::Volume(volume) = &body.key.scope else { panic!("it is one volume's") };
    let uid = "7b4a1f0e-6d41-4f41-9d0a-000000000001";
    assert_eq!(
        *volume,
        format!("{uid} team-a/web /var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~csi/secrets/mount ")
    );
    assert_eq!((body.info.ttl, body.authenticated_at), (Duration::new(7200, 5), THEN - seconds(2)));
    // Capped by the last of its renewals, and tried again since.
    let capped = json!({
        "first": {"secs": 7200, "nanos": 0}, "granted": THEN.0, "ends": THEN.0 + 7_200_000, "stand": "Capped",
        "known": THEN.0 + 5000, "failures": 1, "try_again": THEN.0 + 9000,
    });
    assert_eq!(golden::lost(&capped, &serde_json::to_value(&body.term).unwrap()), [""; 0]);
    let ends: Vec<_> = body
        .leases
        .iter()
        .map(|(id, term)| (id.trim_start_matches("database/creds/app/"), term.ends()))
        .collect();
    let ends_at = |seconds: u64| Some(THEN + crate::tokens::persistence::tests::seconds(seconds));
    assert_eq!(
        ends,
        [("endless", None), ("extends", ends_at(600)), ("fixed", ends_at(700)), ("refused", ends_at(800))]
    );
    assert_eq!(body.leases["database/creds/app/fixed"], LeaseTerm::issued(seconds(700), false, THEN));
    let stands: Vec<_> =
        body.leases.values().map(|term| serde_json::to_value(term).unwrap()["stand"].clone()).collect();
    assert_eq!(Value::from(stands), json!(["Capped", "Extends", "Fixed", "Refused"]));
}

#[tokio::test]
async fn batch_limited_and_shared_logins_of_0_1_0_stay_what_they_are() {
    let batch = body("batch").await;
    assert!(
        batch.info.batch
            && !batch.info.renewable
            && batch.info.accessor.is_none()
            && batch.info.account.is_none()
    );
    assert_eq!(batch.key.scope, Scope::Pod("7b4a1f0e-6d41-4f41-9d0a-000000000001".into()));
    assert_eq!(batch.term, LeaseTerm::issued(seconds(900), false, THEN));
    let group = body("group").await;
    assert_eq!(
        group.key.auth,
        AuthSpec { mount: "jwt/eu".into(), role: "web".into(), audience: Some("prod".into()) }
    );
    assert_eq!(group.key.scope, Scope::Group);
    assert_eq!(group.leases["database/creds/app/group"], LeaseTerm::issued(seconds(600), true, THEN));
    let unix = body("unix").await;
    assert_eq!(unix.key.server, server("unix:///run/agent.sock", None));
    assert_eq!((unix.info.ttl, unix.term.ends()), (Duration::ZERO, None));
}

#[tokio::test]
async fn a_server_of_0_1_0_is_reached_with_the_same_tls() {
    let record = record("tls").await;
    let body: Body = serde_json::from_slice(record.body.expose()).unwrap();
    let client = ClientCertificate {
        certificate: "/tls/tls.crt".into(),
        key: "/tls/tls.key".into(),
        configured: true,
    };
    let tls = TlsSpec {
        ca_file: Some("/tls/ca.crt".into()),
        ca_directory: Some("/tls/cas".into()),
        ca_bytes: Some("golden ca bytes".into()),
        server_name: Some("vault.internal".into()),
        client: Some(client),
        skip_verify: true,
    };
    let address: Address = "https://vault.example:8200/prefix".parse().unwrap();
    let server = ServerSpec { address, configured: false, namespace: None, tls };
    assert_eq!((&body.key.server, record.outer.server), (&server, Some(server.clone())));
    assert_eq!(body.info.uses, 5);
}

#[tokio::test]
async fn a_token_of_0_1_0_is_used_again() {
    let logins = Logins::new(Vaults::new(Outbound::default()), None, &TaskTracker::new());
    let _ = rustls::crypto::ring::default_provider().install_default();
    for (name, leases) in [("account", 0), ("leases", 4), ("batch", 0), ("group", 1), ("unix", 0)] {
        let record = record(name).await;
        let id = record.id.clone();
        let token = logins.resume(record).unwrap();
        assert_eq!(token.login().token().unwrap().expose(), format!("golden-token-{name}").as_bytes());
        assert_eq!((token.record(), token.lease_count()), (&id, leases), "{name}");
    }
}
