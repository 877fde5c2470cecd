//! A tenant's trouble, a slow server and a server that is down: no pod of another tenant is delayed, and the server gets few calls.

use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use tokio::time::{Instant, sleep};

use crate::support::driver::Call;
use crate::support::faulty::{Faulty, Reply};
use crate::support::volume::Volume;
use crate::support::wait::free_address;
use crate::support::*;

const LOGIN: &str = "auth/kubernetes/login";
const HEALTH: &str = "sys/health";

/// A mount of a pod that has no trouble takes at most this long on a busy machine; on an idle one 0.1 s. A call to a server that counts as down
/// would wait for 4.5 s or longer.
const UNDISTURBED: Duration = Duration::from_secs(2);

/// A server, a proxy before it, a provider before the proxy, and the address of the provider's metrics.
struct Scene {
    provider: Provider,
    proxy: Faulty,
    vault: Vault,
    health: String,
}

impl Scene {
    async fn new() -> Self {
        let vault = Vault::start().await;
        vault.names_accounts(json!({})).await;
        vault.put("team-a/db", json!({ "password": canary("before") })).await;
        let proxy = Faulty::before(vault.address()).await;
        let address = free_address();
        let setup = Provider::without_server(&vault).flag(format!("--vault-addr={}", proxy.address()));
        let provider = setup.without("--health-addr").flag(format!("--health-addr={address}")).start().await;
        Self { provider, proxy, vault, health: format!("http://{address}/metrics") }
    }

    /// The value of a metric; 0 if it is missing.
    async fn metric(&self, series: &str) -> f64 {
        let text = reqwest::get(&self.health).await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |number| number.parse().unwrap())
    }

    /// While `trouble` lasts, a pod sees every new value of its secret and new pods of its account are mounted, all without delay.
    async fn others_are_undisturbed(&self, trouble: impl Future<Output = ()>) {
        let pod = self.provider.mount("team-a/web", db()).await;
        let others = async {
            for number in 0..20 {
                sleep(Duration::from_millis(500)).await;
                let value = canary(&format!("value {number}"));
                self.vault.put("team-a/db", json!({ "password": value })).await;
                let begun = Instant::now();
                assert_eq!(pod.remount().await.read("db"), value, "a stale value");
                let account = format!("team-b/new-{number}");
                assert_eq!(self.provider.mount(&account, db()).await.read("db"), value);
                assert!(begun.elapsed() < UNDISTURBED, "two mounts took {:?}", begun.elapsed());
                assert_eq!(self.metric("vaultmount_servers_down").await, 0.0);
            }
        };
        tokio::join!(trouble, others);
        assert_eq!(self.metric("vaultmount_probes_total{outcome=\"down\"}").await, 0.0);
    }
}

fn db() -> Class {
    kv("db", "team-a/db", "password")
}

/// Mounts of that many pods of a tenant, each of an account of its own.
fn tenants<'p>(provider: &'p Provider, pods: usize, class: &Class) -> Vec<Call<'p>> {
    (0..pods).map(|pod| provider.call(&format!("tenant/app-{pod}"), class.clone())).collect()
}

#[tokio::test]
async fn a_sealed_namespace_of_a_tenant_delays_no_other_pod_and_makes_none_stale() {
    let scene = Scene::new().await;
    let seal = json!({ "seal": "seal \"shamir\" {\n shares = 1\n threshold = 1\n}" });
    scene.vault.write("sys/namespaces/tenant", seal).await;
    // It is sealed until somebody unseals it.
    let (status, _) = scene.vault.try_call(Method::GET, "tenant", "sys/auth", &json!({})).await;
    assert_eq!(status, 503);
    let class = db().with("vaultNamespace", "tenant");
    let calls = tenants(&scene.provider, 5, &class);
    let trouble = async {
        for refusal in join_all(calls.into_iter().map(Call::fails)).await {
            refusal.tells("vault.sealed", &["namespace is sealed", "tenant"]);
        }
    };
    scene.others_are_undisturbed(trouble).await;
    assert!(scene.metric("vaultmount_probes_total{outcome=\"up\"}").await >= 1.0);
}

#[tokio::test]
async fn a_class_that_reads_a_health_of_503_marks_no_server_as_down() {
    let scene = Scene::new().await;
    let class = object(json!({
        "objectName": "health", "request": { "path": "sys/health?activecode=503" }, "secretKey": "version",
    }));
    let calls = tenants(&scene.provider, 5, &class);
    let trouble = async {
        for refusal in join_all(calls.into_iter().map(Call::fails)).await {
            refusal.tells("vault.error", &["503"]);
        }
    };
    scene.others_are_undisturbed(trouble).await;
    assert!(scene.metric("vaultmount_probes_total{outcome=\"up\"}").await >= 1.0);
}

#[tokio::test]
async fn a_dead_engine_and_a_hanging_auth_mount_of_a_tenant_delay_no_other_pod() {
    let scene = Scene::new().await;
    for path in ["secret/data/team-a/dead", "auth/tenant/login"] {
        scene.proxy.on(path, [Reply::silent()]);
    }
    let dead = tenants(&scene.provider, 20, &kv("db", "team-a/dead", "password"));
    let hanging = tenants(&scene.provider, 20, &db().with("vaultAuthMountPath", "tenant"));
    let calls = dead.into_iter().chain(hanging).map(|call| call.within(Duration::from_secs(30)));
    let trouble = async {
        for refusal in join_all(calls.map(Call::fails)).await {
            let reason = refusal.text.split(':').next().unwrap();
            assert!(["deadline", "overload"].contains(&reason), "{refusal:?}");
        }
    };
    scene.others_are_undisturbed(trouble).await;
    let logins = scene.proxy.calls("auth/tenant/login").len();
    assert!(logins <= 8, "{logins} logins at a mount that hangs");
}

#[tokio::test]
async fn slow_logins_of_many_accounts_are_each_made_once() {
    let scene = Scene::new().await;
    scene.proxy.delay(LOGIN, Duration::from_secs(6));
    let pods = (0..12).map(async |number| {
        let call = scene.provider.call(&format!("team-{number}/app"), db());
        // As the kubelet, which repeats a mount that failed.
        loop {
            match call.send().await {
                Ok(_) => return,
                Err(refusal) => refusal.tells("overload", &[]),
            };
            sleep(Duration::from_millis(500)).await;
        }
    });
    join_all(pods).await;
    let logins = scene.proxy.calls(LOGIN).len();
    assert_eq!(logins, 12, "one for each account");
    assert_eq!(scene.metric("vaultmount_servers_down").await, 0.0);
}

#[tokio::test]
async fn a_server_that_is_down_gets_few_probes_and_its_return_is_noticed() {
    let scene = Scene::new().await;
    let mut pods = Vec::new();
    for number in 0..5 {
        pods.push(scene.provider.mount(&format!("team-{number}/app"), db()).await);
    }
    scene.proxy.everything(Some(Reply::hang_up()));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(16) {
        for pod in join_all(pods.iter().map(Volume::remount)).await {
            assert_eq!(pod.read("db"), canary("before"), "the last known good content");
        }
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(scene.metric("vaultmount_servers_down").await, 1.0);
    // With pauses of 2, 4, 8 and 16 s, of which up to a half is left out.
    let probes = scene.proxy.calls(HEALTH).len();
    assert!((3..=6).contains(&probes), "{probes} probes in 16 s");
    let reads = scene.proxy.calls("secret/data/team-a/db").len();
    assert!(reads <= 5 * 4, "{reads} reads, and each pod had one before the outage");
    scene
        .provider
        .refuses("team-9/app", db())
        .await
        .tells("vault.unreachable", &[&scene.proxy.address(), "log in at auth/kubernetes"]);

    scene.vault.put("team-a/db", json!({ "password": canary("after") })).await;
    scene.proxy.everything(None);
    until("the new value", async || (pods[0].remount().await.read("db") == canary("after")).then_some(()))
        .await;
    assert_eq!(scene.metric("vaultmount_servers_down").await, 0.0);
}

#[tokio::test]
async fn an_engine_that_needs_twelve_seconds_is_mounted() {
    let scene = Scene::new().await;
    scene.proxy.delay("secret/data/team-a/db", Duration::from_secs(12));
    let (mounted, down) = tokio::join!(scene.provider.mount("team-a/web", db()), async {
        sleep(Duration::from_secs(11)).await;
        scene.metric("vaultmount_servers_down").await
    });
    assert_eq!((mounted.read("db"), down), (canary("before"), 0.0));
    assert_eq!(scene.proxy.calls("secret/data/team-a/db").len(), 1);
}
