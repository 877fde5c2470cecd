//! Modes and owners.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use crate::payload::{File, Payload, VersionKey};
use crate::secret::Secret;
use crate::writer::{Change, EmptyVolume, Fingerprints, Writer};
use caps::Capability;

use super::node::{Node, file, payload, rights};

/// One file with a mode and an owner.
fn owned(text: &str, mode: u32, owner: Option<u32>) -> Payload {
    let files = vec![File { mode, owner, group: owner, ..file("db", text) }, file("other", "text")];
    Payload::new(files, vec![]).unwrap()
}

#[test]
fn a_pod_reads_files_of_its_own_uid() {
    let node = Node::new();
    let volume = node.volume();
    volume.try_write(&owned("one", 0o400, Some(1000))).unwrap();
    assert_eq!(rights(&volume.at("..data/db")), (0o400, 1000, 1000));
    assert_eq!(rights(&volume.at("..data/other")), (0o644, 0, 0));
    let reading = |uid| format!("cd \"$1\"; setpriv --reuid={uid} --regid={uid} --clear-groups cat db");
    node.run(&reading(1000), &[&volume.path]);
    node.run(&format!("! ({}) 2>&1", reading(1001)), &[&volume.path]);
}

#[test]
fn a_file_that_differs_in_mode_or_owner_alone_is_changed_in_place() {
    let node = Node::new();
    let volume = node.volume();
    volume.try_write(&owned("one", 0o644, None)).unwrap();
    let (data, inode) = (volume.link("..data"), fs::metadata(volume.at("db")).unwrap().ino());
    for (mode, owner, expected) in
        [(0o600, None, (0o600, 0, 0)), (0o600, Some(1000), (0o600, 1000, 1000)), (0o600, None, (0o600, 0, 0))]
    {
        assert_eq!(volume.try_write(&owned("one", mode, owner)).unwrap().change, Change::Modes);
        assert_eq!(rights(&volume.at("..data/db")), expected);
        assert_eq!(volume.try_write(&owned("one", mode, owner)).unwrap().change, Change::Unchanged);
    }
    assert_eq!((volume.link("..data"), fs::metadata(volume.at("db")).unwrap().ino()), (data, inode));
}

#[test]
fn a_reader_keeps_access_between_the_change_of_mode_and_of_owner() {
    let node = Node::new();
    let volume = node.volume();
    volume.try_write(&owned("one", 0o644, None)).unwrap();
    let swapped = volume.try_write(&owned("one", 0o400, Some(1000))).unwrap();
    assert_eq!((swapped.change, rights(&volume.at("..data/db"))), (Change::Swapped, (0o400, 1000, 1000)));
}

#[test]
fn a_file_that_only_the_pod_may_read_is_left_alone_while_it_is_unchanged() {
    let node = Node::new();
    let volume = node.volume();
    let changes = volume.restricted(&[Capability::CAP_CHOWN], |root, target| {
        let (writer, mut marks) = (Writer::new(root, VersionKey::random()), Fingerprints::default());
        let change = |payload, marks: &mut Fingerprints| {
            writer.write(target, EmptyVolume::IsEnding, &payload, marks).unwrap().change
        };
        writer.write(target, EmptyVolume::IsNew, &payload(&[("db", "none")]), &mut marks).unwrap();
        let first = [
            owned("one", 0o400, Some(1000)),
            owned("one", 0o400, Some(1000)),
            owned("two", 0o400, Some(1000)),
        ];
        let mut changes: Vec<_> = first.into_iter().map(|payload| change(payload, &mut marks)).collect();
        changes.push(change(owned("two", 0o400, Some(1001)), &mut marks));
        changes.push(change(owned("two", 0o400, Some(1001)), &mut marks));
        changes.push(change(owned("two", 0o440, Some(1001)), &mut marks));
        changes.push(change(owned("two", 0o440, Some(1001)), &mut Fingerprints::default()));
        changes
    });
    use Change::{Modes, Swapped, Unchanged};
    let expected = [Swapped, Unchanged, Swapped, Modes, Unchanged, Swapped, Swapped];
    assert_eq!(
        changes, expected,
        "a mode that is not ours to change, and what was forgotten, take new files"
    );
    assert_eq!((volume.read("db"), rights(&volume.at("..data/db"))), ("two".into(), (0o440, 1001, 1001)));
}

#[test]
fn a_restart_with_its_fingerprints_and_key_leaves_such_a_file_alone() {
    let node = Node::new();
    let volume = node.volume();
    let change = |key: &str, marks: &mut Fingerprints| {
        volume.restricted(&[Capability::CAP_CHOWN], |root, target| {
            let writer = Writer::new(root, VersionKey::try_from(Secret::from(key)).unwrap());
            writer
                .write(target, EmptyVolume::IsNew, &owned("canary", 0o400, Some(1000)), marks)
                .unwrap()
                .change
        })
    };
    let (shared, other) = ("a key of at least 16 bytes", "another key of as many bytes");
    let mut marks = Fingerprints::default();
    assert_eq!(change(shared, &mut marks), Change::Swapped);
    let kept = serde_json::to_string(&marks).unwrap();
    assert!(!kept.contains("canary") && serde_json::from_str::<Fingerprints>(&kept).unwrap() == marks);
    assert_eq!(change(shared, &mut serde_json::from_str(&kept).unwrap()), Change::Unchanged);
    assert_eq!(change(other, &mut serde_json::from_str(&kept).unwrap()), Change::Swapped);
}

#[test]
fn a_file_that_was_changed_by_hand_is_restored() {
    let node = Node::new();
    let volume = node.volume();
    let close = |path: PathBuf| {
        fs::set_permissions(path.with_file_name("tls"), Permissions::from_mode(0o700)).unwrap()
    };
    let spoilt: [fn(PathBuf); 3] =
        [|path| fs::write(path, "odd").unwrap(), |path| fs::remove_file(path).unwrap(), close];
    for spoil in spoilt {
        volume.write(&[("db", "one"), ("tls/crt", "two")]);
        spoil(volume.at("..data/db"));
        assert_eq!(
            volume.try_write(&payload(&[("db", "one"), ("tls/crt", "two")])).unwrap().change,
            Change::Swapped
        );
        assert_eq!((volume.read("db"), rights(&volume.at("..data/tls"))), ("one".into(), (0o755, 0, 0)));
    }
}
