//! A kubelet's directory with volumes mounted in it, in the mount namespace of an idle process, reached through `/proc`.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::SystemTime;

use crate::payload::{File, Payload, VersionKey};
use crate::secret::Secret;
use crate::writer::{
    Change, EmptyVolume, Fingerprints, StaleGeneration, Target, WriteError, Writer, Written,
};
use caps::{CapSet, Capability};
use tempfile::TempDir;

use crate::library::tools::tool;

pub(crate) const UID: &str = "6f1c1b1e-0d4e-4a39-9f0f-2c0d3c1f5b11";
pub(crate) const OTHER: &str = "e0a9b7d2-53cf-4c8e-8a57-9d0f6a2e7c44";

/// A node, for one test.
pub(crate) struct Node {
    holder: Child,
    home: TempDir,
}

impl Node {
    pub(crate) fn new() -> Self {
        let home = TempDir::new().unwrap();
        let holding = [
            "--pdeathsig",
            "KILL",
            "unshare",
            "--mount",
            "--propagation=private",
            "sh",
            "-c",
            "echo ready; exec cat",
        ];
        let mut command = Command::new("setpriv");
        let mut holder = command.args(holding).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "a mount namespace needs root");
        Self { holder, home }
    }

    /// The kubelet's directory of pods, as this process reaches it.
    pub(crate) fn pods(&self) -> PathBuf {
        let inside = self.home.path().strip_prefix("/").unwrap().to_owned();
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(inside)
    }

    /// The same directory as processes of the node see it.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The mount namespace of the node, for nsenter.
    pub(crate) fn namespace(&self) -> String {
        format!("--mount=/proc/{}/ns/mnt", self.holder.id())
    }

    /// Runs `script` in the mount namespace, with `paths` as they are named there.
    pub(crate) fn run(&self, script: &str, paths: &[&Path]) {
        let namespace = self.namespace();
        let inside: Vec<_> =
            paths.iter().map(|path| self.home().join(path.strip_prefix(self.pods()).unwrap())).collect();
        let mut arguments = vec![namespace.as_str(), "sh", "-ec", script, "sh"];
        arguments.extend(inside.iter().map(|path| path.to_str().unwrap()));
        tool("nsenter", &arguments, b"");
    }

    /// A volume of the pod `UID`, mounted like the driver does.
    pub(crate) fn volume(&self) -> Volume<'_> {
        self.volume_of(UID, "-t tmpfs volume")
    }

    pub(crate) fn volume_of(&self, uid: &str, mounted: &str) -> Volume<'_> {
        let path = self.pods().join(uid).join("volumes/kubernetes.io~csi/secrets/mount");
        fs::create_dir_all(&path).unwrap();
        self.run(&format!("mount {mounted} \"$1\""), &[&path]);
        Volume {
            node: self,
            writer: Writer::new(&self.pods(), VersionKey::random()),
            path,
            marks: RefCell::default(),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A volume of the node and its writer.
pub(crate) struct Volume<'n> {
    /// Unmounted when the value is dropped.
    pub(crate) node: &'n Node,
    pub(crate) writer: Writer,
    pub(crate) path: PathBuf,
    marks: RefCell<Fingerprints>,
}

impl Volume<'_> {
    /// Writes files with mode 0644 and our own uid.
    pub(crate) fn write(&self, files: &[(&str, &str)]) -> Change {
        self.try_write(&payload(files)).unwrap().change
    }

    pub(crate) fn try_write(&self, payload: &Payload) -> Result<Written, WriteError> {
        self.writer.write(&self.target(), EmptyVolume::IsNew, payload, &mut self.marks.borrow_mut())
    }

    /// Writes as a poll does.
    pub(crate) fn poll(&self, payload: &Payload) -> Result<Written, WriteError> {
        self.writer.write(&self.target(), EmptyVolume::IsEnding, payload, &mut self.marks.borrow_mut())
    }

    pub(crate) fn remove_stale(&self, now: SystemTime) -> Result<Option<StaleGeneration>, WriteError> {
        self.writer.remove_stale(&self.target(), now)
    }

    pub(crate) fn target(&self) -> Target<'_> {
        Target { pod_uid: UID, path: &self.path }
    }

    /// Does `work` in the volume with only the capabilities `effective`. Root in our manifest has CHOWN alone.
    pub(crate) fn restricted<T: Send>(
        &self,
        effective: &[Capability],
        work: impl FnOnce(&Path, &Target<'_>) -> T + Send,
    ) -> T {
        // Reached through a handle: `/proc/PID/root` needs more rights.
        let pods = fs::File::open(self.node.pods()).unwrap();
        let root = PathBuf::from(format!("/proc/self/fd/{}", pods.as_raw_fd()));
        let path = root.join(self.path.strip_prefix(self.node.pods()).unwrap());
        let restricted = || {
            caps::set(None, CapSet::Effective, &effective.iter().copied().collect()).unwrap();
            work(&root, &Target { pod_uid: UID, path: &path })
        };
        thread::scope(|scope| scope.spawn(restricted).join().unwrap())
    }

    /// The fingerprints of the files.
    pub(crate) fn marks(&self) -> Fingerprints {
        self.marks.borrow().clone()
    }

    /// Drops all state of this process about the volume, as a restart does.
    pub(crate) fn forget(&self) {
        self.marks.take();
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    pub(crate) fn link(&self, name: &str) -> String {
        fs::read_link(self.at(name)).unwrap().to_str().unwrap().to_owned()
    }

    /// The names in the volume, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.path).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The names of the pod's files.
    pub(crate) fn visible(&self) -> Vec<String> {
        self.names().into_iter().filter(|name| !name.starts_with("..")).collect()
    }

    /// Generations and temporary links.
    pub(crate) fn generations(&self) -> Vec<String> {
        self.names().into_iter().filter(|name| name.starts_with("..2")).collect()
    }
}

/// Mode, uid and gid.
pub(crate) fn rights(path: &Path) -> (u32, u32, u32) {
    let of = fs::symlink_metadata(path).unwrap();
    (of.mode() & 0o7777, of.uid(), of.gid())
}

pub(crate) fn payload(files: &[(&str, &str)]) -> Payload {
    Payload::new(files.iter().map(|(path, text)| file(path, text)).collect(), vec![]).unwrap()
}

/// Path, text, mode, and uid and gid if they are not our own.
pub(crate) type FileSpec<'k> = (&'k str, &'k str, u32, Option<u32>);

pub(crate) fn payload_of(files: &[FileSpec<'_>]) -> Payload {
    let file =
        |&(path, text, mode, owner): &FileSpec<'_>| File { mode, owner, group: owner, ..file(path, text) };
    Payload::new(files.iter().map(file).collect(), vec![]).unwrap()
}

pub(crate) fn file(path: &str, text: &str) -> File {
    File { path: path.parse().unwrap(), mode: 0o644, owner: None, group: None, contents: Secret::from(text) }
}

/// Repeats `other` in another thread until `work` has returned or panicked.
pub(crate) fn meanwhile(other: impl Fn() + Send, work: impl FnOnce()) {
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let is_over = AtomicBool::new(false);
    let is_over = &is_over;
    thread::scope(|scope| {
        scope.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                other();
            }
        });
        let _end = End(is_over);
        work();
    });
}
