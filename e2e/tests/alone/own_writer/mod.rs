//! The variant `deploy/own-writer`: vaultmount writes the volumes itself.
//!
//! It is deployed once, and its checks run in parallel, because deploying takes as long as most of them.

mod etcd; // scenario C with an etcd that is not root
mod node; // many volumes, and the end of pods
mod owners; // who may read a file
mod change_of_writer; // one volume, written by the driver and by vaultmount in turn
mod without_requests; // polls without requests of the driver

use std::thread::{self, ScopedJoinHandle};

use crate::support::{Restore, Scenario, provider};
use crate::tests::privileges;

/// The name of a check and the check.
type Check<'a> = (&'a str, &'a (dyn Fn() + Sync));

/// Deploys the variant until the guard is dropped.
fn variant() -> Restore<impl FnMut()> {
    let restore = Restore(|| provider::deploy("deploy"));
    provider::deploy("e2e/support/own-writer");
    restore
}

/// Runs checks in parallel. Fails with the names of those that failed; each has printed why. A check's name is that of its thread,
/// and so of the namespaces that it creates.
fn in_parallel<'a>(checks: &[Check<'a>]) {
    thread::scope(|scope| {
        let begin = |(name, check): Check<'a>| {
            thread::Builder::new().name(name.into()).spawn_scoped(scope, check).unwrap()
        };
        let threads: Vec<_> = checks.iter().map(|check| begin(*check)).collect();
        let outcomes = checks.iter().zip(threads.into_iter().map(ScopedJoinHandle::join));
        let failed: Vec<_> =
            outcomes.filter_map(|((name, _), outcome)| outcome.is_err().then_some(name)).collect();
        assert!(failed.is_empty(), "checks that failed: {failed:?}");
    });
}

#[test]
fn vaultmount_writes_the_volumes_of_the_node_itself() {
    let scenario = Scenario::alone();
    let switched = change_of_writer::WriterChange::begin(&scenario);
    switched.is_written_by_the_driver();
    let restore = variant();
    in_parallel(&[
        ("the_process_is_root_with_chown_alone", &|| {
            privileges::root_with_chown_alone(&scenario.neighbour())
        }),
        ("a_pod_reads_files_of_its_own_uid_and_others_cannot", &|| owners::check(&scenario.neighbour())),
        ("an_etcd_that_is_not_root_serves_while_it_is_replaced", &|| etcd::check(&scenario.neighbour())),
        ("every_volume_of_a_node_follows_within_its_refresh", &|| node::check(&scenario.neighbour())),
        ("a_class_chooses_its_writer_under_a_running_pod", &|| switched.follows_its_class()),
    ]);
    without_requests::check(&scenario);
    drop(restore);
    switched.is_the_drivers_again();
}
