//! What is no volume of the pod.

use std::fs;
use std::path::{Path, PathBuf};

use vaultmount::error::Reason;
use vaultmount::writer::{Marks, Target, WriteError};

use super::node::{Node, OTHER, UID, Volume, payload};

fn refused(volume: &Volume<'_>, path: &Path) -> WriteError {
    let target = Target { pod_uid: UID, path };
    volume.writer.sweep(&target, std::time::SystemTime::now()).unwrap_err();
    volume.writer.write(&target, &payload(&[("db", "canary")]), &mut Marks::default()).unwrap_err()
}

#[test]
fn only_the_place_of_a_volume_is_one() {
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
        assert_eq!(error.reason(), Reason::SpecInvalid);
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
    assert!(matches!(error, WriteError::OtherPod { .. }), "{error}");
    assert!(other.names().is_empty());
}

#[test]
fn only_a_tmpfs_of_its_own_is_written_to() {
    let node = Node::new();
    let ramfs = node.volume_of(UID, "-t ramfs volume");
    assert!(matches!(refused(&ramfs, &ramfs.path), WriteError::NotInMemory(_)));
    node.run("umount \"$1\"", &[&ramfs.path]);
    let error = refused(&ramfs, &ramfs.path);
    assert!(matches!(error, WriteError::NotMounted(_)), "{error}");
    assert!(error.to_string().contains("HostToContainer"), "{error}");
    node.run("mount --bind \"$1\" \"$1\"", &[&ramfs.path]);
    assert!(matches!(refused(&ramfs, &ramfs.path), WriteError::NotMounted(_)), "a mount of the same device");
    assert!(ramfs.names().is_empty());
    assert_eq!(error.reason(), Reason::StateUnusable);
}

#[test]
fn a_pod_that_is_gone_is_told() {
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
