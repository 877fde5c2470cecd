//! Paths that are no volume of the pod.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::Reason;
use crate::payload::{File, Payload, VersionKey};
use crate::writer::{EmptyVolume, Fingerprints, Target, WriteError, Writer};

use super::node::{Node, OTHER, UID, Volume, file, payload};

fn refused(volume: &Volume<'_>, path: &Path) -> WriteError {
    let target = Target { pod_uid: UID, path };
    assert!(volume.writer.remove_stale(&target, SystemTime::now()).is_err() || volume.names().is_empty());
    volume
        .writer
        .write(&target, EmptyVolume::IsNew, &payload(&[("db", "canary")]), &mut Fingerprints::default())
        .unwrap_err()
}

#[test]
fn only_the_path_of_a_volume_is_written_to() {
    let node = Node::new();
    let volume = node.volume();
    let csi = format!("{UID}/volumes/kubernetes.io~csi");
    let paths = [
        format!("{csi}/secrets"),
        format!("{csi}/secrets/mount/below"),
        format!("{csi}/secrets/other"),
        format!("{csi}/../kubernetes.io~csi/secrets/mount"),
        format!("{csi}/../mount"),
        format!("{UID}/volumes/kubernetes.io~empty-dir/secrets/mount"),
        format!("{UID}/plugins/kubernetes.io~csi/secrets/mount"),
        String::new(),
    ];
    for path in paths {
        let error = refused(&volume, &node.pods().join(&path));
        assert!(matches!(error, WriteError::NotAVolume(_)), "{path}: {error}");
        assert_eq!((error.reason(), error.is_for_driver()), (Reason::VolumeUnusable, false));
    }
    for path in ["/tmp/secrets/mount".to_owned(), format!("{csi}/secrets/mount")] {
        assert!(matches!(refused(&volume, Path::new(&path)), WriteError::Outside { .. }), "{path}");
    }
}

#[test]
fn a_volume_of_another_pod_is_refused() {
    let node = Node::new();
    let (volume, other) = (node.volume(), node.volume_of(OTHER, "-t tmpfs volume"));
    let error = refused(&volume, &other.path);
    assert!(matches!(error, WriteError::OtherPod { .. }) && !error.is_for_driver(), "{error}");
    assert!(other.names().is_empty());
}

#[test]
fn only_a_tmpfs_of_its_own_is_written_to() {
    let node = Node::new();
    let ramfs = node.volume_of(UID, "-t ramfs volume");
    let error = refused(&ramfs, &ramfs.path);
    assert!(matches!(error, WriteError::NotInMemory(_)) && !error.is_for_driver(), "{error}");
    node.run("umount \"$1\"", &[&ramfs.path]);
    let error = refused(&ramfs, &ramfs.path);
    assert!(matches!(error, WriteError::NotMounted(_)) && error.is_for_driver(), "{error}");
    assert!(error.to_string().contains("HostToContainer"), "{error}");
    node.run("mount --bind \"$1\" \"$1\"", &[&ramfs.path]);
    assert!(matches!(refused(&ramfs, &ramfs.path), WriteError::NotMounted(_)), "a mount of the same device");
    assert!(ramfs.names().is_empty());
    assert_eq!(error.reason(), Reason::VolumeUnusable);
}

#[test]
fn a_deleted_pod_is_reported() {
    let node = Node::new();
    let volume = node.volume();
    node.run("umount \"$1\"", &[&volume.path]);
    let ancestors: Vec<PathBuf> = volume.path.ancestors().take(5).map(Path::to_owned).collect();
    for gone in ancestors {
        fs::remove_dir(&gone).unwrap();
        assert!(matches!(refused(&volume, &volume.path), WriteError::Missing(..)), "{}", gone.display());
    }
    fs::remove_dir_all(node.pods().join(UID)).unwrap_err();
}

/// With a manifest that lacks rights for this mode; the driver has them.
#[test]
fn where_the_manifest_lacks_rights_the_driver_writes_the_files() {
    let node = Node::new();
    let volume = node.volume();
    let owned = Payload::new(vec![File { owner: Some(1000), ..file("db", "canary") }], vec![]).unwrap();
    let error = volume.restricted(&[], |root, target| {
        Writer::new(root, VersionKey::random())
            .write(target, EmptyVolume::IsNew, &owned, &mut Fingerprints::default())
            .unwrap_err()
    });
    assert!(
        error.is_for_driver() && error.to_string().starts_with("writing db: Operation not permitted"),
        "{error}"
    );
    assert_eq!(volume.names(), [""; 0], "the volume is not empty");
    node.run("mount -o remount,ro \"$1\"", &[&volume.path]);
    let error = volume.try_write(&payload(&[("db", "canary")])).unwrap_err();
    assert!(error.is_for_driver() && error.to_string().contains("Read-only file system"), "{error}");
    let elsewhere = volume.path.strip_prefix(node.pods()).unwrap();
    let (writer, nowhere) =
        (Writer::new(Path::new("/nowhere"), VersionKey::random()), Path::new("/nowhere").join(elsewhere));
    let error = writer.remove_stale(&Target { pod_uid: UID, path: &nowhere }, SystemTime::now()).unwrap_err();
    assert!(matches!(error, WriteError::Missing(..)) && error.is_for_driver(), "{error}");
}
