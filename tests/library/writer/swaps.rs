//! Old files or new ones, never a mix.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::writer::Change;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{Mode, UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

use super::node::{Node, meanwhile, payload, rights};

#[test]
fn a_pod_finds_its_files_in_the_layout_that_it_knows() {
    let node = Node::new();
    let volume = node.volume();
    assert_eq!(volume.write(&[("db", "one"), ("tls/crt", "two"), ("tls/ca/crt", "three")]), Change::Swapped);
    assert_eq!(
        (volume.read("db"), volume.read("tls/crt"), volume.read("tls/ca/crt")),
        ("one".into(), "two".into(), "three".into())
    );
    assert_eq!((volume.link("db"), volume.link("tls")), ("..data/db".into(), "..data/tls".into()));
    assert_eq!(vec![volume.link("..data")], volume.generations());
    assert_eq!(volume.visible(), ["db", "tls"]);
    for directory in ["..data/.", "..data/tls", "..data/tls/ca"] {
        assert_eq!(rights(&volume.at(directory)), (0o755, 0, 0), "{directory}");
    }
    assert_eq!(rights(&volume.at("..data/tls/crt")), (0o644, 0, 0));
}

#[test]
fn unchanged_content_touches_nothing() {
    let node = Node::new();
    let volume = node.volume();
    let files = [("db", "one"), ("tls/crt", "two"), ("large", &"x".repeat(100_000)), ("empty", "")];
    volume.write(&files);
    let before = state(&volume.path);
    assert_eq!(volume.write(&files), Change::Unchanged);
    assert_eq!(state(&volume.path), before);
    volume.forget();
    assert_eq!(volume.write(&files), Change::Unchanged, "after a restart");
    assert_eq!(state(&volume.path), before);
}

#[test]
fn the_smallest_change_swaps_all() {
    let node = Node::new();
    let volume = node.volume();
    let large = "x".repeat(100_000);
    for (name, text) in [
        ("db", "two".to_owned()),
        ("db", "onee".into()),
        ("db", "on".into()),
        ("large", format!("{}y", &large[1..])),
    ] {
        volume.write(&[("db", "one"), ("large", &large)]);
        let old = volume.link("..data");
        let files = [("db", "one"), ("large", large.as_str())]
            .map(|file| if file.0 == name { (name, text.as_str()) } else { file });
        assert_eq!(volume.write(&files), Change::Swapped);
        assert_ne!(volume.link("..data"), old);
        assert_eq!(volume.read(name), text);
    }
}

#[test]
fn names_are_added_removed_and_change_between_file_and_directory() {
    let node = Node::new();
    let volume = node.volume();
    let steps: [&[(&str, &str)]; 6] = [
        &[("a", "1"), ("b", "2")],
        &[("b", "2"), ("c", "3")],
        &[("b/x", "4"), ("c", "3")],
        &[("b/x", "4"), ("b/y/z", "5"), ("c", "3")],
        &[("b/y", "5")],
        &[("b", "6")],
    ];
    for files in steps {
        assert_eq!(volume.write(files), Change::Swapped);
        let mut names: Vec<_> = files.iter().filter_map(|(path, _)| path.split('/').next()).collect();
        names.dedup();
        assert_eq!(volume.visible(), names);
        files.iter().for_each(|(path, text)| assert_eq!(volume.read(path), *text));
        assert_eq!(volume.write(files), Change::Unchanged);
    }
    assert!(volume.at("..data/b").is_file(), "nothing is left of what b was");
}

#[test]
fn the_time_of_the_volume_never_shows_the_driver_that_it_was_written() {
    let node = Node::new();
    let volume = node.volume();
    let past = |nanoseconds| TimeSpec::new(1_700_000_000, nanoseconds);
    let (accessed, modified) = (past(123_456_789), past(987_654_321));
    utimensat(AT_FDCWD, &volume.path, &accessed, &modified, UtimensatFlags::FollowSymlink).unwrap();
    let now = || {
        fs::metadata(&volume.path)
            .map(|of| (of.atime(), of.atime_nsec(), of.mtime(), of.mtime_nsec()))
            .unwrap()
    };
    let before = now();
    for files in [[("a", "1")], [("b", "1")], [("b", "2")]] {
        volume.write(&files);
        assert_eq!(now(), before);
    }
    volume.remove_stale(SystemTime::now() + Duration::from_secs(60)).unwrap();
    assert_eq!(now(), before);
    assert_eq!(before.3, 987_654_321);
}

/// 1,000 complete reads at least, during 200 swaps.
#[test]
fn a_reader_of_all_files_never_sees_a_mix() {
    let node = Node::new();
    let volume = node.volume();
    let reads = AtomicUsize::new(0);
    let names: Vec<String> = (0..8).map(|number| format!("file{number}")).collect();
    let write = |round: usize| {
        let text = text(round);
        volume.write(&names.iter().map(|name| (name.as_str(), text.as_str())).collect::<Vec<_>>())
    };
    write(0);
    let path = volume.path.clone();
    let reading = || {
        read_all(&path, &names);
        reads.fetch_add(1, Ordering::Relaxed);
    };
    let end = Instant::now() + Duration::from_secs(120);
    meanwhile(reading, || {
        for round in 1..=200 {
            assert_eq!(write(round), Change::Swapped);
            volume.remove_stale(SystemTime::now()).unwrap();
            while reads.load(Ordering::Relaxed) < 6 * round && Instant::now() < end {
                thread::yield_now();
            }
        }
    });
    assert!(reads.into_inner() >= 1000);
}

/// Long enough that a file needs more than one write.
fn text(round: usize) -> String {
    format!("{round:>8}").repeat(1024)
}

/// Reads through one handle of `..data`, so of one generation; then by name, which must always exist.
fn read_all(volume: &Path, names: &[String]) {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let handle = openat(AT_FDCWD, &volume.join("..data"), flags, Mode::empty()).unwrap();
    let read = |name: &String| {
        let file = openat(&handle, name.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).unwrap();
        std::io::read_to_string(fs::File::from(file)).unwrap()
    };
    let all: Vec<_> = names.iter().map(read).collect();
    assert!(all.iter().all(|text| *text == all[0] && text.len() == 8 * 1024), "a mix");
    assert_eq!(fs::read_to_string(volume.join(&names[0])).unwrap().len(), 8 * 1024);
}

/// Inode, size, and times of last change and modification of everything in the directory.
fn state(path: &Path) -> Vec<(String, u64, u64, [i64; 4])> {
    let of = fs::symlink_metadata(path).unwrap();
    let times = [of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec()];
    let mut all = vec![(path.display().to_string(), of.ino(), of.size(), times)];
    if of.is_dir() {
        let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        all.extend(names.iter().flat_map(|name| state(name)));
    }
    all
}

#[test]
fn a_volume_without_free_space_keeps_its_files() {
    let node = Node::new();
    let volume = node.volume_of(super::node::UID, "-t tmpfs -o size=64k volume");
    volume.write(&[("db", &"x".repeat(40_000))]);
    let before = volume.names();
    let error = volume.try_write(&payload(&[("db", &"y".repeat(40_000))])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "db: the volume's tmpfs has no space for it in addition to the current files, which stay"
    );
    assert_eq!((volume.read("db"), volume.names()), ("x".repeat(40_000), before));
    assert_eq!(volume.write(&[("db", "short")]), Change::Swapped, "and takes the next that fit");
}
