//! Volumes of vaultmount that can no longer be written, or only in part.

use crate::own_writer::{call, comes, generation, started, writing};
use crate::support::driver::Caller;
use crate::support::*;

#[tokio::test]
async fn a_poll_that_may_not_write_is_reported_as_a_failure() {
    let vault = Vault::start().await;
    let (old, new) = (canary("written"), canary("unwritten"));
    vault.put("team-a/db", json!({ "password": old })).await;
    let provider = started(writing(&vault)).await;
    let pod = call(&provider, &kv("db", "team-a/db", "password").with("refresh", "1s")).mount().await;
    provider.run("mount -o remount,ro \"$1\"", &[pod.place()]);
    vault.put("team-a/db", json!({ "password": new })).await;
    until("a failure", async || provider.log().contains("the poll failed: volume.unusable").then_some(()))
        .await;
    assert!(provider.log().contains("Read-only file system"), "{}", provider.log());
    assert_eq!(pod.now("db"), old);
    provider.run("mount -o remount,rw \"$1\"", &[pod.place()]);
    comes(&pod, "db", &new).await;
}

#[tokio::test]
async fn files_that_a_pod_has_seen_stay_although_the_write_failed_after_the_swap() {
    let vault = Vault::start().await;
    let (old, new) = (canary("seen first"), canary("seen last"));
    vault.put("team-a/db", json!({ "password": old })).await;
    let provider = started(writing(&vault)).await;
    let pod = call(&provider, &kv("db", "team-a/db", "password").with("refresh", "1s")).mount().await;
    let stray = pod.place().join("stray");
    provider.run("mkdir \"$1\" && mount -t tmpfs inner \"$1\"", std::slice::from_ref(&stray));
    vault.put("team-a/db", json!({ "password": new })).await;
    until("a failure", async || provider.log().contains("the files are new, but").then_some(())).await;
    vault.seal().await;
    let looked = || provider.log().matches("the pod still keeps its last known good content").count();
    until("two polls in the outage", async || (looked() >= 2).then_some(())).await;
    assert_eq!(pod.now("db"), new, "not back to what it was before");
    provider.run("umount \"$1\"", &[stray]);
}

#[tokio::test]
async fn the_rotation_loop_of_driver_1_5_gets_no_files_for_an_unmounted_volume() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("unmounted") })).await;
    let provider = started(writing(&vault)).await;
    let class = kv("db", "team-a/db", "password").with("refresh", "1h");
    let pod = call(&provider, &class).mount().await;
    provider.volumes_end(&[pod.place()]);
    pod.edited(class)
        .by(Caller::RotationLoop15)
        .fails()
        .await
        .tells("volume.unusable", &["nothing is mounted there"]);
    assert!(!provider.log().contains("has no effect"), "that is no lack of rights: {}", provider.log());
}

#[tokio::test]
async fn files_left_by_a_killed_process_are_removed_while_the_server_is_down() {
    let vault = Vault::start().await;
    vault.put("team-a/db", json!({ "password": canary("replaced") })).await;
    let provider = started(writing(&vault).keeping_state()).await;
    let pod = call(&provider, &kv("db", "team-a/db", "password").with("refresh", "1s")).mount().await;
    let old = generation(&pod);
    vault.put("team-a/db", json!({ "password": canary("replacing") })).await;
    comes(&pod, "db", &canary("replacing")).await;
    provider.kill();
    vault.seal().await;
    provider.restart().await;
    assert!(pod.directory().join(&old).exists());
    until("the old generation to be gone", async || (!pod.directory().join(&old).exists()).then_some(()))
        .await;
    assert_eq!(pod.now("db"), canary("replacing"));
}
