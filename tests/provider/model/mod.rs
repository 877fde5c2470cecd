//! Random steps compared with a model of all rights: many pods, accounts that are recreated, policies and secrets that change, tokens that an
//! operator revokes, and a provider that is killed, against a real OpenBao.
//!
//! The model predicts each mount: the newest values, or the reason of the failure. A credential that was issued for one volume never appears in
//! another. A failing run prints its seed; `VAULTMOUNT_MODEL_SEED` repeats that run alone.

pub(crate) mod node; // the provider, which is killed and restarted
pub(crate) mod pod; // pods, and the driver's requests for them
mod run; // one run
mod server; // the server and its model

use crate::support::canary;
use node::Node;
use pod::{Pod, ServiceAccount, files};
use run::Run;
use server::{ModelServer, WantedClass, api_path};

/// Seeds of the runs of every test; one more seed is new each time.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

/// Steps of a run, of which about half are mounts of several pods at once.
const STEPS: usize = 80;

#[tokio::test]
async fn no_pod_gets_a_secret_that_its_account_and_role_may_not_read_now() {
    let wanted = std::env::var("VAULTMOUNT_MODEL_SEED").ok().map(|seed| vec![seed.parse().unwrap()]);
    let is_alone = wanted.is_some();
    let seeds = wanted.unwrap_or_else(|| [&SEEDS[..], &[rand::random()]].concat());
    eprintln!("seeds: {seeds:?}");
    let runs = seeds.into_iter().map(async |seed| Run::begin(seed).await.go(STEPS).await);
    let seen = futures::future::join_all(runs).await;
    let (served, refused) =
        seen.iter().fold((0, 0), |(served, refused), run| (served + run.0, refused + run.1));
    assert!(
        is_alone || served > 300 && refused > 60,
        "the runs saw too little: {served} mounts that were served, {refused} that were not"
    );
}

/// A case that random runs reach rarely: no other object of the class shows that the token was revoked.
#[tokio::test]
async fn a_secret_that_was_denied_once_is_read_again_after_an_operator_revoked_its_token() {
    let service_account = ServiceAccount::new("team-a", "web");
    let mut server = ModelServer::new(std::slice::from_ref(&service_account)).await;
    let node = Node::start(&server.vault.address()).await;
    let (pod, role) = (Pod { service_account, number: 0 }, "everyone");
    let wanted = WantedClass { role, secrets: [0].into(), own: None, personal: None, shared: false };
    let mount = async |server: &ModelServer| {
        node.mount(pod.request(&wanted.class(), &server.vault.issuer)).await.map(files)
    };
    server.deny(role, api_path(0), true).await;
    assert!(mount(&server).await.unwrap_err().message().starts_with("vault.read_denied"));
    server.deny(role, api_path(0), false).await;
    let first = canary("0-of-version-1").into_bytes();
    assert_eq!(mount(&server).await.unwrap()["secret-0"], first);
    for _ in 0..2 {
        assert!(server.revoke(|| true).await > 0);
        assert_eq!(mount(&server).await.unwrap()["secret-0"], first);
    }
    server.deny(role, api_path(0), true).await;
    assert!(mount(&server).await.unwrap_err().message().starts_with("vault.read_denied"));
    server.revoke(|| true).await;
    server.deny(role, api_path(0), false).await;
    assert_eq!(mount(&server).await.unwrap()["secret-0"], first);
}
