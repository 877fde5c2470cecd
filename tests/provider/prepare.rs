//! `vaultmount prepare` as its init container runs it: uid 0 with CAP_CHOWN and no other capability. Needs root.

use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The user of the default manifest.
const OURS: u32 = 65532;
const RECORD: &str = "0d6bfc32a5f7f4f0b7b3a5cb5b2c5d5a7e1f8d2c9b4a6e3f1d0c8b7a6e5f4d3c";

/// A node's directories of sockets and state.
struct Node(TempDir);

impl Node {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(home.path().join("providers")).unwrap();
        Self(home)
    }

    /// A node on which vaultmount has run as `OURS` and left its state.
    fn with_state() -> Self {
        let node = Self::new();
        node.prepare(OURS);
        fs::write(node.state().join(RECORD), "sealed").unwrap();
        fs::write(node.state().join("lock"), "").unwrap();
        for name in [RECORD, "lock"] {
            fs::set_permissions(node.state().join(name), Permissions::from_mode(0o600)).unwrap();
            chown(node.state().join(name), Some(OURS), Some(OURS)).unwrap();
        }
        node
    }

    fn providers(&self) -> PathBuf {
        self.0.path().join("providers")
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    /// Prepares for a vaultmount that runs as `uid`.
    fn prepare(&self, uid: u32) {
        let program =
            [env!("CARGO_BIN_EXE_vaultmount"), "prepare", &format!("--uid={uid}")].map(String::from);
        let directories = [
            format!("--socket-dir={}", self.providers().display()),
            format!("--state-dir={}", self.state().display()),
        ];
        let (done, said) = as_user(0, &[&program[..], &directories].concat());
        assert!(done && said.is_empty(), "{said}");
    }

    /// Owner and time of change of the directory and everything in it: a second run changes no time.
    fn seen(&self) -> Vec<(PathBuf, u32, i64, i64)> {
        let entries = fs::read_dir(self.state()).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = entries.chain([self.state(), self.providers()]).collect();
        paths.sort();
        let of = |path: PathBuf| (about(&path), path);
        paths
            .into_iter()
            .map(of)
            .map(|(stat, path)| (path, stat.uid(), stat.ctime(), stat.ctime_nsec()))
            .collect()
    }
}

fn about(path: &Path) -> Metadata {
    fs::symlink_metadata(path).unwrap()
}

/// Whether a command succeeds for a user without capabilities (root has CHOWN alone), and its error output.
fn as_user(uid: u32, command: &[String]) -> (bool, String) {
    let user = [format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".into()];
    let mut setpriv = Command::new("setpriv");
    setpriv
        .args(user)
        .args(["--inh-caps=-all", "--bounding-set=-all,+chown", "--no-new-privs"])
        .args(command);
    let output = setpriv.output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

/// Whether a user reads the record, may lock the lock, and may add a file.
fn goes_on(node: &Node, uid: u32) -> bool {
    let script = format!(
        "cd '{}' && [ $(cat {RECORD}) = sealed ] && : >>lock && : >beside && rm beside",
        node.state().display()
    );
    as_user(uid, &["sh", "-ec", &script].map(String::from)).0
}

#[test]
fn the_state_changes_owner_with_the_user_of_vaultmount_in_both_directions() {
    let node = Node::with_state();
    assert!(
        goes_on(&node, OURS) && !goes_on(&node, 0),
        "root needs no hand-over here: it has more than CHOWN"
    );
    for (uid, other) in [(0, OURS), (OURS, 0), (0, OURS)] {
        node.prepare(uid);
        assert!(goes_on(&node, uid) && !goes_on(&node, other), "handed to {uid}");
        let first = node.seen();
        node.prepare(uid);
        assert_eq!(node.seen(), first, "a second run changed something");
    }
}

#[test]
fn a_run_that_was_killed_half_way_is_completed_by_the_next() {
    let node = Node::with_state();
    chown(node.state(), Some(0), None).unwrap(); // the first step of each direction
    assert!(!goes_on(&node, 0));
    node.prepare(0);
    assert!(goes_on(&node, 0));
    chown(node.state().join("lock"), Some(OURS), None).unwrap(); // and one of two files
    node.prepare(OURS);
    assert!(goes_on(&node, OURS));
}

#[test]
fn files_of_others_keep_their_owner() {
    let node = Node::with_state();
    let outside = node.0.path().join("outside");
    fs::write(&outside, "").unwrap();
    symlink(&outside, node.state().join("link")).unwrap();
    fs::hard_link(&outside, node.state().join("second-name")).unwrap();
    fs::create_dir(node.state().join("directory")).unwrap();
    let _socket = UnixListener::bind(node.state().join("socket")).unwrap();
    for name in ["link", "second-name", "directory", "socket"] {
        std::os::unix::fs::lchown(node.state().join(name), Some(1000), Some(1000)).unwrap();
    }
    node.prepare(0);
    for name in ["link", "second-name", "directory", "socket"] {
        assert_eq!(about(&node.state().join(name)).uid(), 1000, "{name}");
    }
    assert_eq!((about(&outside).uid(), about(&node.state().join(RECORD)).uid()), (1000, 0));
}

#[test]
fn a_dead_socket_of_another_user_is_removed_and_a_live_one_stays() {
    let node = Node::new();
    node.prepare(OURS);
    let socket = |name: &str, uid| {
        let path = node.providers().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(uid), Some(uid)).unwrap();
        listener
    };
    drop(socket("vault.sock", OURS)); // as a killed vaultmount leaves it; the next one runs as root
    let _live = socket("openbao.sock", 1000);
    node.prepare(0);
    assert!(!node.providers().join("vault.sock").exists());
    let stat = about(&node.providers().join("openbao.sock"));
    assert!(stat.file_type().is_socket());
    assert_eq!((stat.uid(), stat.gid(), stat.mode() & 0o7777), (1000, 1000, 0o600));
}
