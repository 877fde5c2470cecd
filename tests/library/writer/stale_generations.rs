//! Generations that no link points to any more.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::time::{Duration, SystemTime};

use crate::writer::{Change, WriteError};

use super::node::{Node, UID, Volume, payload};

fn later(seconds: u64) -> SystemTime {
    SystemTime::now() + Duration::from_secs(seconds)
}

#[test]
fn an_old_generation_stays_for_its_readers_and_is_then_removed() {
    let node = Node::new();
    let volume = node.volume();
    assert_eq!(volume.try_write(&payload(&[("db", "one")])).unwrap().stale, None);
    let old = volume.link("..data");
    let due = volume.try_write(&payload(&[("db", "two")])).unwrap().stale.unwrap().due;
    assert!(due > later(4) && due <= later(5), "{due:?}");
    assert_eq!(volume.remove_stale(SystemTime::now()).unwrap().unwrap().due, due);
    assert!(volume.at(&old).join("db").exists(), "its readers are not done");
    assert_eq!(volume.remove_stale(due).unwrap(), None);
    assert_eq!((volume.generations(), volume.read("db")), (vec![volume.link("..data")], "two".into()));
}

#[test]
fn a_generation_that_was_current_for_long_stays_as_long_as_any() {
    let node = Node::new();
    let volume = node.volume();
    volume.write(&[("db", "one")]);
    let old = fs::File::open(volume.at(&volume.link("..data"))).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    volume.write(&[("db", "two")]);
    assert!(volume.remove_stale(SystemTime::now()).unwrap().is_some());
    assert_eq!(volume.generations().len(), 2);
}

#[test]
fn a_clock_that_was_set_back_delays_no_removal_for_years() {
    let node = Node::new();
    let volume = node.volume();
    volume.write(&[("db", "one")]);
    volume.write(&[("db", "two")]);
    assert_eq!(volume.remove_stale(SystemTime::now() - Duration::from_secs(3600)).unwrap(), None);
    assert_eq!(volume.generations().len(), 1);
}

/// The states between the steps of a write that a kill leaves.
#[test]
fn files_left_by_a_killed_writer_stop_no_write_and_are_removed() {
    type Kill = fn(&Volume<'_>);
    let steps: [(&str, Kill, Change); 5] = [
        ("a generation was begun", |volume| begun(volume), Change::Unchanged),
        (
            "a link was not moved",
            |volume| symlink("..2026_11_21_09_30_00.1", volume.at("..2026_11_21_09_30_00.2")).unwrap(),
            Change::Unchanged,
        ),
        ("a name has no link yet", |volume| fs::remove_file(volume.at("db")).unwrap(), Change::Names),
        (
            "a name that is gone has one",
            |volume| symlink("..data/gone", volume.at("gone")).unwrap(),
            Change::Names,
        ),
        (
            "there was no generation before",
            |volume| fs::remove_file(volume.at("..data")).unwrap(),
            Change::Swapped,
        ),
    ];
    for (what, kill, expected) in steps {
        let node = Node::new();
        let volume = node.volume();
        volume.write(&[("db", "one")]);
        kill(&volume);
        let written = volume.try_write(&payload(&[("db", "one")])).unwrap();
        assert_eq!((written.change, volume.read("db")), (expected, "one".into()), "{what}");
        assert_eq!(volume.remove_stale(later(6)).unwrap(), None, "{what}");
        assert_eq!(volume.names(), [volume.link("..data"), "..data".into(), "db".into()], "{what}");
        assert_eq!(volume.write(&[("db", "two")]), Change::Swapped, "{what}");
    }
}

fn begun(volume: &Volume<'_>) {
    let generation = volume.at("..2026_11_21_09_30_00.1");
    fs::create_dir_all(generation.join("tls/ca")).unwrap();
    fs::write(generation.join("tls/ca/crt"), "half").unwrap();
}

#[test]
fn a_huge_stale_directory_is_removed_in_parts_and_stops_no_write() {
    let node = Node::new();
    let volume = node.volume();
    volume.write(&[("db", "one")]);
    let bomb = volume.at("..2026_11_21_09_30_00.1");
    fs::create_dir(&bomb).unwrap();
    (0..20_000).for_each(|number| fs::write(bomb.join(number.to_string()), "").unwrap());
    assert_eq!(volume.write(&[("db", "two")]), Change::Swapped);
    assert!(matches!(volume.remove_stale(later(6)), Err(WriteError::TooManyEntries(_))));
    assert_eq!(volume.remove_stale(later(6)).unwrap(), None);
    assert_eq!(volume.generations(), [volume.link("..data")]);
}

#[test]
fn a_directory_that_is_too_deep_is_reported_and_stops_no_write() {
    let node = Node::new();
    let volume = node.volume();
    volume.write(&[("db", "one")]);
    fs::create_dir_all(volume.at("..2026_11_21_09_30_00.1").join("d/".repeat(100))).unwrap();
    assert!(matches!(volume.remove_stale(later(6)), Err(WriteError::TooManyEntries(_))));
    assert_eq!(volume.write(&[("db", "two")]), Change::Swapped);
    let deep = format!("{}x", "d/".repeat(70));
    assert!(matches!(volume.try_write(&payload(&[(deep.as_str(), "one")])), Err(WriteError::TooDeep(_))));
    let deepest = format!("{}x", "d/".repeat(62));
    assert_eq!(
        volume.write(&[(deepest.as_str(), "one")]),
        Change::Swapped,
        "and what may be written may be removed"
    );
    volume.write(&[("db", "three")]);
    fs::remove_dir_all(volume.at("..2026_11_21_09_30_00.1")).unwrap();
    assert_eq!(volume.remove_stale(later(6)).unwrap(), None);
}

/// An open handle makes the driver's unmount fail and delays the pod's end.
#[test]
fn no_handle_is_held_after_a_call() {
    let node = Node::new();
    let volume = node.volume_of(UID, "-t tmpfs -o size=64k volume");
    let device = fs::metadata(&volume.path).unwrap().dev();
    let handles = || {
        fs::read_dir("/proc/self/fd").unwrap().filter_map(|handle| fs::metadata(handle.unwrap().path()).ok())
    };
    for (text, is_written) in [("one", true), ("one", true), (&"x".repeat(100_000), false), ("two", true)] {
        assert_eq!(volume.try_write(&payload(&[("db", text), ("tls/crt", "one")])).is_ok(), is_written);
        volume.remove_stale(later(6)).unwrap();
        assert!(handles().all(|handle| handle.dev() != device));
    }
}
