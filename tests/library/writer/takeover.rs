//! Volumes that the driver wrote before, and may write again.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use crate::writer::Change;

use super::node::{Node, Volume, meanwhile};

/// The volume as the driver leaves it.
fn drivers(volume: &Volume<'_>, text: &str) {
    let generation = "..2026_11_21_09_30_00.3141592653";
    fs::create_dir(volume.at(generation)).unwrap();
    fs::write(volume.at(generation).join("db"), text).unwrap();
    symlink(generation, volume.at("..data")).unwrap();
    symlink("..data/db", volume.at("db")).unwrap();
}

#[test]
fn files_that_the_driver_wrote_stay_unchanged() {
    let node = Node::new();
    let volume = node.volume();
    drivers(&volume, "one");
    assert_eq!(volume.write(&[("db", "one")]), Change::Unchanged);
    assert_eq!(volume.write(&[("db", "two")]), Change::Swapped);
    assert_eq!((volume.read("db"), volume.generations().len()), ("two".into(), 2));
}

#[test]
fn the_first_change_of_what_the_driver_wrote_is_known_by_its_path() {
    let node = Node::new();
    let volume = node.volume();
    drivers(&volume, "one");
    volume.write(&[("db", "one")]);
    let before = volume.marks();
    volume.write(&[("db", "two")]);
    assert_eq!(before.differing(&volume.marks()), ["db"]);
}

#[test]
fn leftovers_that_would_stop_the_driver_for_ever_are_removed() {
    let node = Node::new();
    let volume = node.volume();
    drivers(&volume, "one");
    symlink("..2026_11_21_09_31_00.2718281828", volume.at("..data_tmp")).unwrap();
    assert_eq!(volume.write(&[("db", "two")]), Change::Swapped);
    assert_eq!(volume.remove_stale(SystemTime::now() + Duration::from_secs(6)).unwrap(), None);
    assert_eq!(volume.names(), [volume.link("..data"), "..data".into(), "db".into()]);
}

#[test]
fn plain_files_become_links_and_none_is_missing_for_a_moment() {
    let node = Node::new();
    let volume = node.volume();
    fs::create_dir(volume.at("tls")).unwrap();
    for name in ["db", "tls/crt", "old"] {
        fs::write(volume.at(name), "one").unwrap();
    }
    let path = volume.path.clone();
    let reading = move || {
        for name in ["db", "tls/crt"] {
            let text = fs::read_to_string(path.join(name)).unwrap();
            assert!(text == "one" || text == "two", "{name}: {text}");
        }
    };
    meanwhile(reading, || assert_eq!(volume.write(&[("db", "two"), ("tls/crt", "two")]), Change::Swapped));
    assert_eq!(
        (volume.link("db"), volume.link("tls"), volume.visible().len()),
        ("..data/db".into(), "..data/tls".into(), 2)
    );
    assert_eq!(volume.generations().len(), 2, "the directory stays for its readers");
    volume.remove_stale(SystemTime::now() + Duration::from_secs(6)).unwrap();
    assert_eq!(volume.generations(), [volume.link("..data")]);
}
