//! Volumes that vaultmount writes: owners, polls, and a response to the driver with versions only.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::support::driver::{Call, Caller};
use crate::support::pki::certificate;
use crate::support::postgres::Postgres;
use crate::support::provider_setup::Setup;
use crate::support::volume::Volume;
use crate::support::*;

const LOGIN: &str = "update auth/kubernetes/login";

/// A provider that writes the volumes.
pub(super) fn writing(vault: &Vault) -> Setup {
    Provider::of(vault).seeing_mounts().flag("--writer=provider")
}

pub(super) async fn started(setup: Setup) -> Provider {
    let provider = setup.start().await;
    provider.sees_the_kubelet();
    provider
}

/// A pod's mount into an existing volume.
pub(super) fn call<'p>(provider: &'p Provider, class: &Class) -> Call<'p> {
    let call = provider.call("team-a/web", class.clone()).below(&provider.kubelet());
    provider.volumes_begin(&[call.place()]);
    call
}

pub(super) async fn comes(volume: &Volume<'_>, name: &str, value: &str) {
    until("the new value in the file", async || (volume.now(name) == value).then_some(())).await;
}

/// The target of `..data`.
pub(super) fn generation(volume: &Volume<'_>) -> PathBuf {
    volume.directory().join("..data").read_link().unwrap()
}

/// Number of polls without a change.
fn polls(provider: &Provider, volume: &Volume<'_>) -> usize {
    let place = volume.place();
    let pod = place.iter().rev().nth(4).unwrap().to_str().unwrap();
    provider.log().lines().filter(|line| line.contains("nothing changed") && line.contains(pod)).count()
}

#[tokio::test]
async fn a_pod_gets_files_of_its_own_uid_and_the_driver_gets_only_versions() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("owned") })).await;
    let provider = started(writing(&vault)).await;
    let class = kv("db", "team-a/db", "password")
        .with("owner", "1000")
        .with("group", "2000")
        .with("filePermission", "0400");
    let pod = call(&provider, &class).mount().await;
    assert!(pod.is_ours());
    let file = pod.directory().join("db").metadata().unwrap();
    assert_eq!((file.uid(), file.gid(), file.mode() & 0o777), (1000, 2000, 0o400));
    let written = generation(&pod);
    let again = pod.remount().await;
    assert_eq!((again.read("db"), again.versions()), (canary("owned"), pod.versions()));
    assert_eq!(generation(&again), written, "unchanged content is not written again");
    let other = pod.edited(class.with("owner", "1001")).mount().await;
    assert_eq!(
        (other.directory().join("db").metadata().unwrap().uid(), generation(&other)),
        (1001, written),
        "the owner alone"
    );
}

#[tokio::test]
async fn a_changed_value_reaches_the_file_without_a_request_of_the_driver() {
    let vault = Vault::start().await;
    let (old, new) = (canary("before"), canary("after"));
    vault.put("team-a/db", json!({ "password": old })).await;
    let provider = started(writing(&vault)).await;
    let pod = call(&provider, &kv("db", "team-a/db", "password").with("refresh", "1s")).mount().await;
    assert_eq!(pod.read("db"), old);
    vault.put("team-a/db", json!({ "password": new })).await;
    comes(&pod, "db", &new).await;
    let asked = pod.remount().await;
    assert_eq!(asked.read("db"), new);
    assert_ne!(asked.version("db"), pod.version("db"), "a synced Secret follows by the version");
    assert_eq!(vault.count(LOGIN), 1, "polls use the existing login");
}

#[tokio::test]
async fn pods_of_one_account_are_polled_together_by_one_read() {
    let vault = Vault::start().await;
    vault.names_accounts(json!({})).await;
    vault.put("team-a/db", json!({ "password": canary("together") })).await;
    let provider = started(writing(&vault)).await;
    let class = kv("db", "team-a/db", "password").with("refresh", "2s");
    let mut pods = Vec::new();
    for _ in 0..10 {
        pods.push(call(&provider, &class).mount().await);
    }
    let reads = || vault.count("read secret/data/team-a/db");
    let looks = || provider.log().matches("nothing changed").count();
    let before = (reads(), looks());
    // Four polls of each of the ten volumes; without sharing they would read forty times.
    until("forty polls", async || (looks() >= before.1 + 40).then_some(())).await;
    let reads = reads() - before.0;
    assert!((1..=15).contains(&reads), "{reads} reads for four polls of ten volumes");
    vault.put("team-a/db", json!({ "password": canary("changed") })).await;
    for pod in &pods {
        comes(pod, "db", &canary("changed")).await;
    }
}

#[tokio::test]
async fn credentials_and_certificates_are_replaced_in_time_without_a_request_of_the_driver() {
    let (vault, postgres) = (Vault::start().await, Postgres::start().await);
    vault.database(&postgres, "app", json!({ "default_ttl": "10s", "max_ttl": "10s" })).await;
    vault.root_authority("pki").await;
    let provider = started(writing(&vault)).await;
    let member = |key: &str| {
        object(json!({ "objectName": key, "secretPath": "database/creds/app", "secretKey": key }))
    };
    let pair =
        certificate(json!({ "commonName": "a.example.com", "ttl": "15s" }), &["certificate", "privateKey"]);
    // By `refresh` alone, nothing would be due for an hour.
    let class = member("username").and(member("password")).and(pair).with("refresh", "1h");
    let pod = call(&provider, &class).mount().await;
    let lets_in = || postgres.lets_in(&pod.now("username"), &pod.now("password"));
    assert!(lets_in());
    until("another user", async || (pod.now("username") != pod.read("username")).then_some(())).await;
    assert!(lets_in(), "name and password of one lease");
    until("another certificate", async || (pod.now("certificate") != pod.read("certificate")).then_some(()))
        .await;
    assert_ne!(pod.now("privateKey"), pod.read("privateKey"));
}

#[tokio::test]
async fn a_volume_that_is_polled_ends_like_any_other() {
    let (vault, postgres) = (Vault::start().await, Postgres::start().await);
    vault.database(&postgres, "app", json!({ "default_ttl": "1h", "max_ttl": "24h" })).await;
    let provider = started(writing(&vault)).await;
    let tokens = vault.tokens().await;
    let class =
        object(json!({ "objectName": "user", "secretPath": "database/creds/app", "secretKey": "username" }))
            .with("refresh", "1s");
    let pod = call(&provider, &class).mount().await;
    until("some polls", async || (polls(&provider, &pod) > 1).then_some(())).await;
    assert_eq!((postgres.users().len(), pod.now("user")), (1, pod.read("user")));
    provider.volumes_end(&[pod.place()]);
    until("its user to be gone", async || postgres.users().is_empty().then_some(())).await;
    until("its token to be gone", async || (vault.tokens().await == tokens).then_some(())).await;
    // A second volume that is polled as often shows that the time for several polls has passed.
    vault.put("team-a/db", json!({ "password": canary("other") })).await;
    let other = call(&provider, &kv("db", "team-a/db", "password").with("refresh", "1s")).mount().await;
    let ended = polls(&provider, &pod);
    until("polls of the other volume", async || (polls(&provider, &other) >= 3).then_some(())).await;
    assert_eq!(polls(&provider, &pod), ended, "an ended volume is not polled");
}

#[tokio::test]
async fn a_volume_is_polled_after_a_restart_which_itself_writes_nothing() {
    let vault = Vault::start().await;
    let (old, new) = (canary("restart"), canary("restarted"));
    vault.put("team-a/db", json!({ "password": old })).await;
    let provider = started(writing(&vault).keeping_state()).await;
    let class = kv("db", "team-a/db", "password")
        .with("refresh", "1s")
        .with("owner", "1000")
        .with("filePermission", "0400");
    let pod = call(&provider, &class).mount().await;
    let written = generation(&pod);
    provider.kill();
    provider.restart().await;
    let looked = || provider.log().matches("nothing changed").count();
    let before = looked();
    until("a poll", async || (looked() > before).then_some(())).await;
    assert_eq!((generation(&pod), pod.now("db")), (written, old));
    vault.put("team-a/db", json!({ "password": new })).await;
    comes(&pod, "db", &new).await;
    assert_eq!(vault.count(LOGIN), 1);
}

#[tokio::test]
async fn an_outage_leaves_the_files_and_is_logged_once() {
    let vault = Vault::start().await;
    let (old, new) = (canary("outage"), canary("over"));
    vault.put("team-a/db", json!({ "password": old })).await;
    let provider = started(writing(&vault)).await;
    let pod = call(&provider, &kv("db", "team-a/db", "password").with("refresh", "1s")).mount().await;
    let written = generation(&pod);
    vault.seal().await;
    let stale = || provider.log().matches("the pod still keeps its last known good content").count();
    until("some failed polls", async || (stale() >= 2).then_some(())).await;
    assert_eq!((pod.now("db"), generation(&pod)), (old, written));
    assert_eq!(provider.log().matches("the pod keeps its last known good content").count(), 1);
    vault.unseal().await;
    vault.put("team-a/db", json!({ "password": new })).await;
    comes(&pod, "db", &new).await;
}

#[tokio::test]
async fn a_volume_that_the_driver_is_about_to_unmount_is_not_filled_again() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("first") })).await;
    let provider = started(writing(&vault)).await;
    let class = kv("db", "team-a/db", "password").with("refresh", "1s");
    let pod = call(&provider, &class).mount().await;
    // The first half of NodeUnpublishVolume.
    provider.run("rm -r \"$1\"/* \"$1\"/..*[!.]*", &[pod.place()]);
    vault.put("team-a/db", json!({ "password": canary("second") })).await;
    until("a poll", async || provider.log().contains("not written: ").then_some(())).await;
    let empty = || assert_eq!(pod.directory().read_dir().unwrap().count(), 0);
    empty();
    // The rotation loop of driver 1.5 does not know that the kubelet has begun to unmount.
    pod.edited(class)
        .by(Caller::RotationLoop15)
        .fails()
        .await
        .tells("volume.unusable", &["about to be unmounted"]);
    empty();
    assert!(pod.remount().await.is_ours(), "a request of the driver fills it");
    comes(&pod, "db", &canary("second")).await;
}

#[tokio::test]
async fn where_the_volume_cannot_be_seen_the_driver_gets_the_files_and_the_log_says_why() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("driver") })).await;
    let provider = started(writing(&vault)).await;
    let class = kv("db", "team-a/db", "password");
    let unseen = provider.call("team-a/web", class.clone()).below(&provider.kubelet()).mount().await;
    assert_eq!((unseen.is_ours(), unseen.read("db")), (false, canary("driver")));
    until("its reason", async || provider.log().contains("writer: provider has no effect").then_some(()))
        .await;
    // A target that is not below the kubelet's directory is the sync controller's, which has no volume.
    let synced = provider.call("team-a/web", class).by(Caller::SyncController).mount().await;
    assert!(!synced.is_ours());
    assert_eq!(provider.log().matches("writer: provider has no effect").count(), 1, "that is no news");
}

#[tokio::test]
async fn where_the_directory_lacks_its_mounts_the_driver_gets_the_files_and_the_log_says_what_to_do() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("unpropagated") })).await;
    let provider = started(writing(&vault)).await;
    let call = provider.call("team-a/web", kv("db", "team-a/db", "password")).below(&provider.kubelet());
    provider.run("mkdir -p \"$1\"", &[call.place()]);
    let pod = call.mount().await;
    assert_eq!((pod.is_ours(), pod.read("db")), (false, canary("unpropagated")));
    until("its reason", async || provider.log().contains("mountPropagation HostToContainer").then_some(()))
        .await;
}

#[tokio::test]
async fn only_volumes_state_and_sockets_are_written() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("traced") })).await;
    let mut provider = started(writing(&vault).keeping_state().traced()).await;
    let template = object(json!({ "objectName": "conf", "template": "p={{ db.password }}",
        "sources": { "db": { "kv": { "mount": "secret", "path": "team-a/db" } } } }));
    let class =
        kv("dir/db", "team-a/db", "password").and(template).with("refresh", "1s").with("owner", "1000");
    let pod = call(&provider, &class).mount().await;
    vault.put("team-a/db", json!({ "password": canary("retraced") })).await;
    comes(&pod, "dir/db", &canary("retraced")).await;
    let generations = || {
        pod.directory()
            .read_dir()
            .unwrap()
            .filter(|name| name.as_ref().unwrap().file_name().as_encoded_bytes().starts_with(b"..2"))
            .count()
    };
    until("the old generation to be gone", async || (generations() == 1).then_some(())).await;
    let (place, state, home) = (pod.place(), provider.state(), provider.home().to_owned());
    drop(pod);
    provider.terminate();
    assert!(provider.ended().await.success());

    let changed = provider.changed();
    let below = |directory: &Path| changed.iter().filter(|(path, _)| path.starts_with(directory)).count();
    assert!(below(&place) > 20 && below(state.path()) > 2, "{changed:#?}");
    let is_ours = |path: &Path| {
        let is_socket = path.parent() == Some(&home) && path.to_string_lossy().contains("vault.sock");
        path.starts_with(&place) || path.starts_with(state.path()) || is_socket
    };
    // The child that renders templates raises its own OOM score; its pipes are opened as /dev/null first.
    let is_harmless =
        |path: &Path| ["/dev/null", "/proc/self/oom_score_adj"].iter().any(|known| path == Path::new(known));
    let others: Vec<_> = changed.iter().filter(|(path, _)| !is_ours(path) && !is_harmless(path)).collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[tokio::test]
async fn a_class_chooses_the_writer_and_without_the_directory_it_is_refused() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("chosen") })).await;
    let provider = started(Provider::of(&vault).seeing_mounts()).await;
    let class = kv("db", "team-a/db", "password");
    let ours = call(&provider, &class.clone().with("writer", "provider")).mount().await;
    let drivers = call(&provider, &class).mount().await;
    assert_eq!((ours.is_ours(), drivers.is_ours()), (true, false));
    assert!(
        !ours.edited(class.clone().with("writer", "driver")).mount().await.is_ours(),
        "an edit of the class changes the writer"
    );
    let blind = Provider::start(&vault).await;
    assert!(!blind.mount("team-a/web", class.with("writer", "provider")).await.is_ours());
    until("its reason", async || blind.log().contains("there is no --kubelet-dir").then_some(())).await;
}

#[tokio::test]
async fn a_link_at_the_path_of_the_volume_is_refused_without_any_file() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("attacked") })).await;
    let provider = started(writing(&vault)).await;
    let call = provider.call("team-a/web", kv("db", "team-a/db", "password")).below(&provider.kubelet());
    provider.run(
        "mkdir -p \"${1%/*}\" /tmp/elsewhere-$$ && ln -s /tmp/elsewhere-$$ \"$1\" && rmdir /tmp/elsewhere-$$",
        &[call.place()],
    );
    call.fails().await.tells("volume.unusable", &["a part of this path is a link"]);
}

#[tokio::test]
async fn logins_of_one_mount_use_the_pods_last_token() {
    let vault = Vault::start().await;
    let (old, new) = (canary("transient"), canary("looked"));
    vault.put("team-a/db", json!({ "password": old })).await;
    let provider = started(writing(&vault)).await;
    let class = kv("db", "team-a/db", "password").with("refresh", "1s").with("login", "transient");
    let pod = call(&provider, &class).mount().await;
    vault.put("team-a/db", json!({ "password": new })).await;
    comes(&pod, "db", &new).await;
    let brief = call(&provider, &class).token_life(3).mount().await;
    until("a poll without a token", async || {
        provider.log().contains("no service account token available").then_some(())
    })
    .await;
    assert_eq!(brief.now("db"), new, "the files stay");
    assert_eq!(pod.remount().await.read("db"), new);
}
