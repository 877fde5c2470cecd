//! Many pods that log in at once at a server with random failures from a seed: a simulation of what single flight guarantees.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_util::bytes::Bytes;
use tokio_util::task::TaskTracker;

use super::*;
use crate::spec::{Address, AuthSpec, TlsSpec};
use crate::vault::{Account, Outbound};

/// Service accounts.
const ACCOUNTS: usize = 9;
/// The most logins at one auth mount at a time, as in `vault/call_limits.rs`.
const IN_FLIGHT: usize = 8;

/// Revocations at a time, as in `revoker`: so many may be sent again on a slow machine.
const REVOKED_AT_ONCE: usize = 4;

/// Pods of each account that log in at the same time.
const PODS: usize = 8;

/// A server that only knows tokens. Its responses and their delays are random.
struct Fake {
    rng: Mutex<StdRng>,
    /// Part of the logins that are denied because of the pod, and part that fail because of the server.
    failing: (f64, f64),
    /// Whether its responses name the account.
    names: bool,
    /// Logins under way, by account.
    under_way: Mutex<HashMap<String, usize>>,
    /// The most at a time: in all, and of one account.
    most: Mutex<(usize, usize)>,
    /// Successful logins by their tokens.
    made: Mutex<HashMap<String, String>>,
    logins: AtomicUsize,
    /// How often each token was revoked.
    revoked: Mutex<HashMap<String, usize>>,
}

/// The fake server and its client.
struct Scene {
    fake: Arc<Fake>,
    server: ServerSpec,
    logins: Logins,
}

impl Scene {
    async fn new(seed: u64, failing: (f64, f64), names: bool) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (rng, under_way, most, made) =
            (Mutex::new(StdRng::seed_from_u64(seed)), Mutex::default(), Mutex::default(), Mutex::default());
        let (logins, revoked) = (AtomicUsize::new(0), Mutex::default());
        let fake = Arc::new(Fake { rng, failing, names, under_way, most, made, logins, revoked });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(serve(listener, Arc::clone(&fake)));
        let server = ServerSpec {
            address: Address::Http(address),
            configured: true,
            namespace: None,
            tls: TlsSpec::default(),
        };
        let logins = Logins::new(Vaults::new(Outbound::default()), None, &TaskTracker::new());
        Self { fake, server, logins }
    }

    fn key(&self, account: usize) -> LoginKey {
        let auth = AuthSpec { mount: "kubernetes".into(), role: "web".into(), audience: None };
        LoginKey { server: self.server.clone(), auth, account: of(&name(account)), scope: Scope::Account }
    }

    /// One pod of `account` asks.
    async fn ask(&self, account: usize, pod: usize) -> Result<Arc<VaultToken>, VaultError> {
        let token = PodToken {
            jwt: name(account).as_str().into(),
            audience: "vault".into(),
            account_uid: None,
            expires: None,
        };
        let budget = Budget::lasting(Duration::from_secs(30));
        self.logins
            .obtain(&self.key(account), &format!("{account}-{pod}"), &Arc::new(token), None, &budget)
            .await
    }

    /// All pods of all accounts ask at once.
    async fn ask_all(&self) -> Vec<(usize, Result<Arc<VaultToken>, VaultError>)> {
        let all = (0..ACCOUNTS * PODS).map(async |number| {
            let (account, pod) = (number % ACCOUNTS, number / ACCOUNTS);
            (account, self.ask(account, pod).await)
        });
        join_all(all).await
    }

    /// Waits until every token is revoked, and checks that each was revoked once, except for requests that a slow machine repeated.
    async fn all_revoked(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        let made = self.fake.made.lock().len();
        while self.fake.revoked.lock().len() < made {
            assert!(
                Instant::now() < end,
                "{made} tokens were issued, and only {} were revoked",
                self.fake.revoked.lock().len()
            );
            sleep(Duration::from_millis(10)).await;
        }
        let again = self.fake.revoked.lock().values().filter(|times| **times > 1).count();
        assert!(again <= REVOKED_AT_ONCE, "{again} of {made} tokens were revoked twice");
    }
}

/// Serves every connection from `fake`.
async fn serve(listener: TcpListener, fake: Arc<Fake>) {
    while let Ok((stream, _)) = listener.accept().await {
        let fake = Arc::clone(&fake);
        let service = service_fn(move |request| answer(Arc::clone(&fake), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(fake: Arc<Fake>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let (status, text) = match head.uri.path() {
        "/v1/auth/kubernetes/login" => login(&fake, &body).await,
        "/v1/auth/token/revoke-self" => {
            fake.revoke(head.headers["x-vault-token"].to_str().unwrap());
            (StatusCode::NO_CONTENT, String::new())
        }
        path => panic!("{path} was called"),
    };
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    Ok(response)
}

/// Fails now and then; else gives a token that says whose it is.
async fn login(fake: &Fake, body: &[u8]) -> (StatusCode, String) {
    let body: Value = serde_json::from_slice(body).unwrap();
    let account = body["jwt"].as_str().unwrap().to_owned();
    fake.logins.fetch_add(1, Ordering::SeqCst);
    fake.begins(&account);
    let (pause, chance) = {
        let mut rng = fake.rng.lock();
        (rng.random_range(5..40), rng.random::<f64>())
    };
    sleep(Duration::from_millis(pause)).await;
    *fake.under_way.lock().get_mut(&account).unwrap() -= 1;
    if chance < fake.failing.0 {
        return (
            StatusCode::FORBIDDEN,
            json!({ "errors": ["service account name not authorized"] }).to_string(),
        );
    }
    if chance < fake.failing.0 + fake.failing.1 {
        return (StatusCode::BAD_REQUEST, json!({ "errors": ["fetching keys: timeout"] }).to_string());
    }
    let mut made = fake.made.lock();
    let token = format!("token-{}", made.len());
    made.insert(token.clone(), account.clone());
    let Account { namespace, name, uid } = of(&account);
    let metadata = json!({ "service_account_namespace": namespace, "service_account_name": name, "service_account_uid": uid });
    let metadata = if fake.names { metadata } else { json!({}) };
    let auth = json!({ "client_token": token, "accessor": account, "lease_duration": 3600, "renewable": true, "metadata": metadata });
    (StatusCode::OK, json!({ "auth": auth }).to_string())
}

impl Fake {
    fn revoke(&self, token: &str) {
        *self.revoked.lock().entry(token.to_owned()).or_default() += 1;
    }

    fn begins(&self, account: &str) {
        let mut under_way = self.under_way.lock();
        *under_way.entry(account.to_owned()).or_default() += 1;
        let mut most = self.most.lock();
        *most = (most.0.max(under_way.values().sum()), most.1.max(under_way[account]));
    }

    fn count(&self) -> usize {
        self.logins.load(Ordering::SeqCst)
    }
}

fn name(account: usize) -> String {
    format!("account-{account}")
}

fn of(name: &str) -> Account {
    Account { namespace: "team-a".into(), name: name.into(), uid: format!("uid-of-{name}") }
}

/// Fails unless the token of every pod belongs to its own account.
fn assert_own_accounts(asked: &[(usize, Result<Arc<VaultToken>, VaultError>)]) {
    for (account, token) in asked {
        let Ok(token) = token else { continue };
        assert_eq!(
            token.login().token_info().accessor,
            Some(name(*account)),
            "the token is another account's"
        );
        assert_eq!(token.key().account, of(&name(*account)));
    }
}

#[tokio::test]
async fn pods_of_an_account_share_one_login() {
    let scene = Scene::new(1, (0.0, 0.0), true).await;
    let asked = scene.ask_all().await;
    assert_own_accounts(&asked);
    for (account, token) in &asked {
        let first = asked.iter().find(|(other, _)| other == account).unwrap().1.as_ref().unwrap();
        assert!(Arc::ptr_eq(first, token.as_ref().unwrap()));
    }
    let (most, of_one) = *scene.fake.most.lock();
    assert_eq!((scene.fake.count(), of_one), (ACCOUNTS, 1));
    assert!((2..=IN_FLIGHT).contains(&most), "{most} logins at a time");
    drop(asked);
    scene.all_revoked().await;
}

#[tokio::test]
async fn every_pod_logs_in_itself_when_the_server_does_not_name_the_account() {
    let scene = Scene::new(2, (0.0, 0.0), false).await;
    let asked = scene.ask_all().await;
    assert_own_accounts(&asked);
    for (place, (_, token)) in asked.iter().enumerate() {
        let token = token.as_ref().unwrap();
        assert!(
            asked[..place].iter().all(|(_, other)| !Arc::ptr_eq(other.as_ref().unwrap(), token)),
            "two pods have one login"
        );
    }
    let most = scene.fake.most.lock().0;
    assert_eq!(scene.fake.count(), ACCOUNTS * PODS);
    assert!((2..=IN_FLIGHT).contains(&most), "{most} logins at a time");
    drop(asked);
    scene.all_revoked().await;
}

#[tokio::test]
async fn whatever_fails_at_most_eight_logins_run_at_a_time_and_every_token_is_revoked_once() {
    for seed in 0..8 {
        // A token each for all pods takes the revoker a while.
        let names = seed > 0;
        let scene = Scene::new(seed, (0.3, 0.2), names).await;
        for _ in 0..2 {
            let before = scene.fake.count();
            let asked = scene.ask_all().await;
            assert_own_accounts(&asked);
            let (most, of_one) = *scene.fake.most.lock();
            assert!(most <= IN_FLIGHT, "seed {seed}: {most} logins at a time");
            assert!(!names || of_one <= PODS, "seed {seed}: {of_one} logins of one account at a time");
            let failed = asked.iter().filter(|(_, token)| token.is_err()).count();
            let made = scene.fake.count() - before;
            // Who only waited tries once more together with others, and once by itself.
            assert!(
                made <= asked.len() * 2,
                "seed {seed}: {made} logins for {} pods, {failed} without one",
                asked.len()
            );
        }
        scene.all_revoked().await;
    }
}

#[tokio::test]
async fn a_failure_of_the_server_is_shared_and_a_denial_is_not() {
    let unclear = Scene::new(3, (0.0, 1.0), true).await;
    assert!(unclear.ask_all().await.iter().all(|(_, token)| token.is_err()));
    assert_eq!(unclear.fake.count(), ACCOUNTS, "one answer for all who waited");
    assert!(
        unclear.ask(0, 0).await.is_err() && unclear.fake.count() == ACCOUNTS + 1,
        "the next one asks again"
    );
    let denied = Scene::new(4, (1.0, 0.0), true).await;
    assert!(denied.ask_all().await.iter().all(|(_, token)| token.is_err()));
    assert!(
        denied.fake.count() >= ACCOUNTS * (PODS - 1),
        "each pod's own token may be better than the first one's"
    );
}

#[tokio::test]
async fn a_revoked_token_is_not_used_again() {
    let scene = Scene::new(5, (0.0, 0.0), true).await;
    let (first, second) = (scene.ask(0, 0).await.unwrap(), scene.ask(0, 1).await.unwrap());
    assert!(Arc::ptr_eq(&first, &second));
    drop(first);
    assert!(Arc::ptr_eq(&second, &scene.ask(0, 2).await.unwrap()) && scene.fake.count() == 1);
    drop(second);
    scene.all_revoked().await;
    assert!(scene.ask(0, 3).await.is_ok() && scene.fake.count() == 2);
}
