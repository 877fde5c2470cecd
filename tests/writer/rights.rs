//! Modes and owners.

use std::fs::{self, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use vaultmount::volume::{File, Payload};
use vaultmount::writer::{Change, Marks, Target, Writer};

use super::node::{Node, UID, file, payload, rights, with_chown_alone};

/// One file, of a mode and an owner.
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
fn what_differs_by_its_rights_alone_is_set_in_place() {
    let node = Node::new();
    let volume = node.volume();
    volume.try_write(&owned("one", 0o644, None)).unwrap();
    let (data, inode) = (volume.link("..data"), fs::metadata(volume.at("db")).unwrap().ino());
    for (mode, owner, expected) in [(0o600, None, (0o600, 0, 0)), (0o600, Some(1000), (0o600, 1000, 1000)), (0o600, None, (0o600, 0, 0))] {
        assert_eq!(volume.try_write(&owned("one", mode, owner)).unwrap().change, Change::Modes);
        assert_eq!(rights(&volume.at("..data/db")), expected);
        assert_eq!(volume.try_write(&owned("one", mode, owner)).unwrap().change, Change::Unchanged);
    }
    assert_eq!((volume.link("..data"), fs::metadata(volume.at("db")).unwrap().ino()), (data, inode));
}

#[test]
fn a_reader_is_not_shut_out_between_mode_and_owner() {
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
    // Reached through a handle: `/proc/PID/root` asks for more rights.
    let pods = fs::File::open(node.pods()).unwrap();
    let root = PathBuf::from(format!("/proc/self/fd/{}", pods.as_raw_fd()));
    let path = root.join(volume.path.strip_prefix(node.pods()).unwrap());
    let (writer, target) = (Writer::of(&root), Target { pod_uid: UID, path: &path });
    let changes = with_chown_alone(|| {
        let mut marks = Marks::default();
        let change = |payload, marks: &mut Marks| writer.write(&target, &payload, marks).unwrap().change;
        let first = [owned("one", 0o400, Some(1000)), owned("one", 0o400, Some(1000)), owned("two", 0o400, Some(1000))];
        let mut changes: Vec<_> = first.into_iter().map(|payload| change(payload, &mut marks)).collect();
        changes.push(change(owned("two", 0o400, Some(1001)), &mut marks));
        changes.push(change(owned("two", 0o400, Some(1001)), &mut marks));
        changes.push(change(owned("two", 0o440, Some(1001)), &mut marks));
        changes.push(change(owned("two", 0o440, Some(1001)), &mut Marks::default()));
        changes
    });
    use Change::{Modes, Swapped, Unchanged};
    let expected = [Swapped, Unchanged, Swapped, Modes, Unchanged, Swapped, Swapped];
    assert_eq!(changes, expected, "a mode that is not ours to change, and what a restart forgot, take new files");
    assert_eq!((volume.read("db"), rights(&volume.at("..data/db"))), ("two".into(), (0o440, 1001, 1001)));
}

#[test]
fn a_file_that_somebody_changed_is_put_right() {
    let node = Node::new();
    let volume = node.volume();
    let close = |path: PathBuf| fs::set_permissions(path.with_file_name("tls"), Permissions::from_mode(0o700)).unwrap();
    let spoilt: [fn(PathBuf); 3] = [|path| fs::write(path, "odd").unwrap(), |path| fs::remove_file(path).unwrap(), close];
    for spoil in spoilt {
        volume.write(&[("db", "one"), ("tls/crt", "two")]);
        spoil(volume.at("..data/db"));
        assert_eq!(volume.try_write(&payload(&[("db", "one"), ("tls/crt", "two")])).unwrap().change, Change::Swapped);
        assert_eq!((volume.read("db"), rights(&volume.at("..data/tls"))), ("one".into(), (0o755, 0, 0)));
    }
}
