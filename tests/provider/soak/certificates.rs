//! A CSI client that republishes every five seconds certificates with a lifetime of 30 s.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, interval};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::lasting;
use crate::model::node::Node;
use crate::model::pod::{Pod, ServiceAccount, files};
use crate::support::pki::certificate;
use crate::support::{Vault, json};

/// The shortest useful lifetime for a client that republishes this often.
const LIFE: Duration = Duration::from_secs(30);

const EVERY: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_short_certificate_never_expires_in_a_pod_and_is_not_issued_at_every_poll() {
    let vault = Vault::start().await;
    vault.root_authority("pki").await;
    vault.role("kubernetes", "web", json!({ "bound_subject": "" })).await;
    let node = Node::start(&vault.address()).await;
    let ask = json!({ "commonName": "web.example.com", "ttl": format!("{}s", LIFE.as_secs()) });
    let class = certificate(ask, &["certificate", "privateKey"]);
    let pod = Pod { service_account: ServiceAccount::new("team-a", "web"), number: 0 };
    let time = lasting(Duration::from_secs(40));
    let (mut pace, end, mut held, mut made) = (interval(EVERY), Instant::now() + time, None, 0_u32);
    while Instant::now() < end {
        pace.tick().await;
        let answer = files(node.mount(pod.request(&class, &vault.issuer)).await.unwrap());
        // The pod reads the old one until the response is written.
        let left =
            held.as_ref().map(|held: &std::collections::BTreeMap<_, Vec<u8>>| left(&held["certificate"]));
        assert!(left.is_none_or(|left| left > 0), "a certificate ended {left:?} s before it was replaced");
        assert!(
            self::left(&answer["certificate"]) > i64::try_from(EVERY.as_secs()).unwrap(),
            "a certificate ends before the next poll"
        );
        if held.as_ref() != Some(&answer) {
            assert!(
                held.as_ref().is_none_or(|held| held["privateKey"] != answer["privateKey"]),
                "key and certificate are of one making"
            );
            made += 1;
        }
        held = Some(answer);
    }
    let issued = u32::try_from(vault.count("update pki/issue/web")).unwrap();
    assert_eq!(issued, made, "every issued certificate was mounted");
    // Replaced after 70 % of the lifetime at the latest, and not in its first third. Before three requests, the interval of five seconds is not known.
    let most = u32::try_from(time.as_secs() / 10).unwrap() + 2;
    let usual = u32::try_from(time.as_secs() / 15).unwrap() + 3;
    assert!((2..=usual.min(most)).contains(&issued), "{issued} certificates in {time:?}");
}

/// Seconds until the certificate ends.
fn left(pem: &[u8]) -> i64 {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem).unwrap();
    let (_, certificate) = X509Certificate::from_der(&pem.contents).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    certificate.validity().not_after.timestamp() - i64::try_from(now).unwrap()
}
