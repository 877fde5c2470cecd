//! The variant `deploy/own-writer`: vaultmount writes the volumes itself.
//!
//! It is deployed once, and what it promises is told in acts beside each other, for deploying takes as long as most of them.

mod etcd; // scenario C with an etcd that is not root
mod node; // many volumes, and the end of pods
mod owners; // who may read a file
mod switched; // one volume, written by the driver and by us in turns
mod unasked; // what happens while nobody asks

use std::thread::{self, ScopedJoinHandle};

use serde_json::json;

use super::privileges;
use crate::support::{Restore, Scenario, provider};

/// A promise and how it is told.
type Act<'a> = (&'a str, &'a (dyn Fn() + Sync));

/// The variant is deployed, until the guard is dropped.
fn variant() -> Restore<impl FnMut()> {
    let restore = Restore(|| provider::deploy("deploy"));
    provider::deploy("e2e/support/own-writer");
    restore
}

/// Tells acts beside each other; fails with the names of those that failed, each of which has said why. An act's name is that of its thread,
/// and so of the namespaces that it makes.
fn side_by_side<'a>(acts: &[Act<'a>]) {
    thread::scope(|scope| {
        let begin =
            |(name, act): Act<'a>| thread::Builder::new().name(name.into()).spawn_scoped(scope, act).unwrap();
        let told: Vec<_> = acts.iter().map(|act| begin(*act)).collect();
        let outcomes = acts.iter().zip(told.into_iter().map(ScopedJoinHandle::join));
        let failed: Vec<_> =
            outcomes.filter_map(|((name, _), outcome)| outcome.is_err().then_some(name)).collect();
        assert!(failed.is_empty(), "acts that failed: {failed:?}");
    });
}

#[test]
fn vaultmount_writes_the_volumes_of_the_node_itself() {
    let scenario = Scenario::alone();
    let switched = switched::Switched::begin(&scenario);
    switched.is_written_by_the_driver();
    let restore = variant();
    side_by_side(&[
        ("the_process_is_root_with_chown_alone", &|| {
            privileges::root_with_chown_alone(&scenario.neighbour())
        }),
        ("a_pod_reads_files_of_its_own_uid_and_others_cannot", &|| owners::tell(&scenario.neighbour())),
        ("an_etcd_that_is_not_root_serves_while_it_is_replaced", &|| etcd::tell(&scenario.neighbour())),
        ("every_volume_of_a_node_follows_within_its_refresh", &|| node::tell(&scenario.neighbour())),
        ("a_class_chooses_its_writer_under_a_running_pod", &|| switched.follows_its_class()),
    ]);
    unasked::tell(&scenario);
    drop(restore);
    switched.is_the_drivers_again();
}

#[test]
fn where_rights_are_missing_the_driver_writes_and_the_log_says_so() {
    let scenario = Scenario::begin();
    scenario.put("db", json!({"password": "first"}));
    let objects =
        format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db"));
    scenario.class("db", &objects).parameter("writer", "provider").parameter("owner", "1000").apply();
    let pod = scenario.pod("reader").mounts("db").start();
    scenario.put("db", json!({"password": "second"}));
    pod.comes_to_read("db/password", "second", 60);
    assert_eq!(pod.sh("stat -L -c '%a %u' /mnt/db/password"), "644 0\n");
    let log = provider::log_about(&scenario.name);
    assert!(log.lines().any(|line| line.contains("writer: provider has no effect") && line.contains("Permission denied")), "{log}");
}
