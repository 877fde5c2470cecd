//! The server is down and comes back. No file changes, no mount waits long, and the server gets no burst of calls when it is back.

use std::time::Duration;

use futures::stream::{self, StreamExt};
use reqwest::Method;
use tokio::time::{Instant, interval, sleep};

use super::proxy::Proxy;
use super::{is_long, lasting};
use crate::model::node::Node;
use crate::model::pod::{Files, Pod, ServiceAccount, files};
use crate::support::openbao::{Listener, Vault};
use crate::support::{Class, canary, json, kv, until};

/// Service accounts, each with an equal part of the volumes.
const ACCOUNTS: usize = 5;

/// Each volume has a file for each of these secrets.
const SECRETS: [&str; 3] = ["db", "queue", "mail"];

/// Number of volumes that the kubelet mounts at a time.
const AT_ONCE: usize = 20;

/// A republish waits at most this long for a server that is down: 4.5 s on an idle machine. A first mount waits 18 s.
const PATIENCE: Duration = Duration::from_secs(12);

/// A first mount fails within this time: it retries for 18 s on an idle machine, and its deadline is 60 s.
const FIRST: Duration = Duration::from_secs(30);

struct Scene {
    vault: Vault,
    proxy: Proxy,
    node: Node,
    class: Class,
    pods: Vec<Pod>,
    /// Time between two rounds.
    period: Duration,
}

/// The calls of some rounds.
struct Calls {
    rounds: usize,
    logins: usize,
    reads: usize,
    /// The largest number of logins at the same time.
    at_once: usize,
}

impl Scene {
    async fn new() -> Self {
        let vault = Vault::listening(&Listener::default()).await;
        let account = "/kubernetes.io/serviceaccount";
        let names = json!({
            "bound_subject": "", "claim_mappings": {
                "/kubernetes.io/namespace": "service_account_namespace",
                format!("{account}/name"): "service_account_name", format!("{account}/uid"): "service_account_uid",
            },
        });
        vault.role("kubernetes", "web", names).await;
        for name in SECRETS {
            vault.put(&format!("team-a/{name}"), json!({ "password": canary(name) })).await;
        }
        let (volumes, period) = if is_long() { (100, 10) } else { (20, 2) };
        let all = SECRETS.map(|name| kv(name, &format!("team-a/{name}"), "password"));
        let class = all.into_iter().reduce(Class::and).unwrap().with("refresh", format!("{}s", period - 1));
        let pods = (0..volumes).map(|number| pod(number % ACCOUNTS, number)).collect();
        let proxy = Proxy::to(vault.port()).await;
        let node = Node::start(&proxy.url()).await;
        Self { vault, proxy, node, class, pods, period: Duration::from_secs(period) }
    }

    async fn mount(&self, pod: &Pod) -> Result<Files, String> {
        let answer = self.node.mount(pod.request(&self.class, &self.vault.issuer)).await;
        answer.map(files).map_err(|status| status.message().to_owned())
    }

    /// Republishes every volume once as the kubelet does. Checks that each has the files `same`, in time.
    async fn round(&self, same: &[Files]) {
        let all = self.pods.iter().zip(same).map(async |(pod, same)| {
            let begun = Instant::now();
            let answer = self.mount(pod).await;
            assert_eq!(answer.as_ref(), Ok(same), "volume {}", pod.number);
            assert!(begun.elapsed() < PATIENCE, "volume {} waited {:?}", pod.number, begun.elapsed());
        });
        stream::iter(all).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
    }

    /// Rounds for `time`, and their calls.
    async fn rounds(&self, time: Duration, same: &[Files]) -> Calls {
        let (before, mut rounds) = (entries(&self.vault).len(), 0);
        let (mut pace, end) = (interval(self.period), Instant::now() + time);
        while Instant::now() < end {
            pace.tick().await;
            self.round(same).await;
            rounds += 1;
        }
        Calls::of(rounds, &entries(&self.vault)[before..])
    }

    /// Revokes every token except the test's own, over the server's unix socket.
    async fn revoke_all(&self) {
        let own =
            self.vault.call(Method::GET, "", "auth/token/lookup-self", &json!({})).await["data"]["accessor"]
                .clone();
        let list = self
            .vault
            .call(Method::from_bytes(b"LIST").unwrap(), "", "auth/token/accessors", &json!({}))
            .await;
        for accessor in list["data"]["keys"].as_array().unwrap().iter().filter(|accessor| **accessor != own) {
            self.vault.revoke(accessor).await;
        }
    }

    async fn stale(&self) -> f64 {
        self.node.metric("vaultmount_volumes{freshness=\"stale\"}").await
    }
}

impl Calls {
    fn of(rounds: usize, entries: &[(String, String)]) -> Self {
        let logins = |kind: &str| {
            entries.iter().filter(|(other, path)| other == kind && path == "auth/kubernetes/login").count()
        };
        let reads =
            entries.iter().filter(|(kind, path)| kind == "request" && path.starts_with("secret/")).count();
        let (mut under_way, mut at_once) = (0_usize, 0);
        for (kind, _) in entries.iter().filter(|(_, path)| path == "auth/kubernetes/login") {
            under_way = if kind == "request" { under_way + 1 } else { under_way.saturating_sub(1) };
            at_once = at_once.max(under_way);
        }
        Self { rounds, logins: logins("request"), reads, at_once }
    }
}

/// Kind (`request`, `response`) and path of every line of the audit log.
fn entries(vault: &Vault) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let lines = vault.audit();
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.map(|line| (text(&line["type"]), text(&line["request"]["path"]))).collect()
}

fn pod(account: usize, number: usize) -> Pod {
    Pod { service_account: ServiceAccount::new("team-a", &format!("app-{account}")), number }
}

#[tokio::test]
async fn an_outage_changes_no_file_and_the_recovered_server_gets_no_burst_of_calls() {
    let scene = Scene::new().await;
    let mut same = Vec::new();
    for pod in &scene.pods {
        same.push(scene.mount(pod).await.unwrap());
    }
    // Twice: for the whole time, and for a moment in which every token is revoked.
    for tokens_die in [false, true] {
        let window = if is_long() { Duration::from_secs(60) } else { scene.period * 4 };
        let steady = scene.rounds(window, &same).await;
        assert_eq!(steady.logins, 0, "a steady node logs in");
        scene.proxy.cut().await;
        let begun = Instant::now();
        let first = async {
            sleep(Duration::from_secs(1)).await;
            let text = scene.mount(&pod(0, 1000 + usize::from(tokens_die))).await.unwrap_err();
            assert!(text.starts_with("vault.unreachable") && text.contains(&scene.proxy.url()), "{text}");
            assert!(begun.elapsed() < FIRST, "a first mount failed after {:?}", begun.elapsed());
        };
        let moment = Duration::from_secs(8);
        let away = if tokens_die { moment } else { lasting(moment) };
        let (_, ()) = tokio::join!(scene.rounds(away, &same), first);
        #[expect(clippy::cast_precision_loss, reason = "few volumes")]
        let volumes = scene.pods.len() as f64;
        until("every volume to count as stale", async || (scene.stale().await >= volumes).then_some(()))
            .await;
        assert!(scene.node.metric("vaultmount_oldest_content_age_seconds").await >= away.as_secs_f64() - 1.0);
        if tokens_die {
            scene.revoke_all().await;
        }
        scene.proxy.restore().await;
        let after = scene.rounds(window, &same).await;
        let dead = if tokens_die { ACCOUNTS } else { 0 };
        assert!(after.logins <= dead, "{} logins after an outage in which {dead} tokens died", after.logins);
        assert!(after.at_once <= 4, "{} logins at a time", after.at_once);
        // The volumes of an account share each read, and a round that takes longer than `refresh` repeats it: as often before the outage on a slow
        // machine. Without sharing there would be four or twenty times as many.
        let most = (after.rounds * ACCOUNTS * SECRETS.len() * 3).max(steady.reads * 2);
        assert!(
            after.reads <= most,
            "{} reads in {} rounds after the outage, {} before",
            after.reads,
            after.rounds,
            steady.reads
        );
        until("every volume to be fresh", async || (scene.stale().await == 0.0).then_some(())).await;
    }
}
