//! A writer in its own process, as root with only the capability CHOWN, in the mount namespace of its node: traced by strace, and killed by it.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write, stdin};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use crate::payload::{Payload, VersionKey};
use crate::writer::{Change, EmptyVolume, Fingerprints, Target, Writer};
use nix::unistd::{getppid, gettid};
use tempfile::NamedTempFile;

use super::node::{FileSpec, Node, UID, Volume, payload_of};

/// The files that the child writes.
pub(crate) const NEW: [FileSpec<'_>; 5] = [
    ("came/key", "new came", 0o644, None),
    ("db", "new db", 0o400, Some(1000)),
    ("tls/ca/crt", "new authority", 0o440, Some(1000)),
    ("tls/crt", "new certificate", 0o644, None),
    ("tls/key", "new key", 0o600, Some(1001)),
];

/// Environment variable with the kubelet's directory of pods.
const PODS: &str = "VAULTMOUNT_CHILD_PODS";
/// Environment variable with the number of polls and removals after the write.
const LOOKS: &str = "VAULTMOUNT_CHILD_LOOKS";
/// The child prints this before the id of its thread.
const THREAD: &str = "works in thread ";

#[test]
fn a_writer_of_another_process_takes_over_the_volume() {
    if let Some(pods) = env::var_os(PODS) {
        return work(Path::new(&pods));
    }
    let node = Node::new();
    let volume = node.volume();
    volume.write(&[("db", "old"), ("gone", "old")]);
    let traced = run(&volume, 0, &["-e", "trace=getppid"]);
    assert!(traced.status.success());
    assert_eq!(
        (volume.read("db"), volume.visible()),
        ("new db".into(), vec!["came".into(), "db".into(), "tls".into()])
    );
    assert_eq!(volume.try_write(&payload_of(&NEW)).unwrap().change, Change::Unchanged);
}

/// Prints its thread id, waits for a line, and works between two calls of `getppid`, which no other code makes.
fn work(pods: &Path) {
    let path = pods.join(UID).join("volumes/kubernetes.io~csi/secrets/mount");
    let (writer, target) = (Writer::new(pods, VersionKey::random()), Target { pod_uid: UID, path: &path });
    let (looks, mut marks) = (env::var(LOOKS).unwrap().parse().unwrap(), Fingerprints::default());
    let new = payload_of(&NEW);
    println!("\n{THREAD}{}", gettid());
    stdin().read_line(&mut String::new()).unwrap();
    let _ = getppid();
    writer.write(&target, EmptyVolume::IsNew, &new, &mut marks).unwrap();
    for look in 0..looks {
        let payload = changed(look);
        writer.write(&target, EmptyVolume::IsEnding, &payload, &mut marks).unwrap();
        writer.remove_stale(&target, SystemTime::now() + Duration::from_secs(6)).unwrap();
    }
    let _ = getppid();
}

/// Every second time the same files, otherwise files with another mode or owner.
fn changed(look: usize) -> Payload {
    let text = (look / 2).to_string();
    payload_of(&[
        ("db", text.as_str(), if look.is_multiple_of(2) { 0o400 } else { 0o440 }, None),
        ("tls/crt", "same", 0o644, None),
    ])
}

/// How the child ended, and the system calls of its working thread since strace was attached.
pub(crate) struct Traced {
    pub(crate) status: ExitStatus,
    calls: String,
}

impl Traced {
    /// The system calls of its work in order, one per line.
    pub(crate) fn calls(&self) -> Vec<&str> {
        self.calls.split("getppid()").nth(1).expect("the work did not begin").lines().skip(1).collect()
    }

    /// All system calls before its work.
    pub(crate) fn before(&self) -> Vec<&str> {
        self.calls.split("getppid()").next().unwrap().lines().collect()
    }
}

/// Runs the child in the volume, under strace with `options`; it writes [`NEW`], and then polls and removes stale generations `looks` times.
pub(crate) fn run(volume: &Volume<'_>, looks: usize, options: &[&str]) -> Traced {
    let log = NamedTempFile::new().unwrap();
    let mut child = start(volume, looks);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let thread = lines.find_map(|line| line.strip_prefix(THREAD).map(str::to_owned)).unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-p", &thread, "-o"]).arg(log.path()).args(options).stderr(Stdio::piped());
    let mut strace = strace
        .spawn()
        .unwrap_or_else(|error| panic!("strace cannot be started, and is needed here: {error}"));
    let mut line = String::new();
    BufReader::new(strace.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("attached"), "strace needs the right to trace (ptrace): {line}");
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    lines.for_each(drop);
    let status = child.wait().unwrap();
    strace.wait().unwrap();
    Traced { status, calls: fs::read_to_string(log.path()).unwrap() }
}

fn start(volume: &Volume<'_>, looks: usize) -> Child {
    let mut command = Command::new("nsenter");
    command.arg(volume.node.namespace()).args([
        "setpriv",
        "--pdeathsig=KILL",
        "--bounding-set=-all,+chown",
        "--inh-caps=-all",
    ]);
    command.arg(env::current_exe().unwrap());
    command.args([
        "--exact",
        "library::writer::child::a_writer_of_another_process_takes_over_the_volume",
        "--nocapture",
    ]);
    command.env(PODS, volume.node.home()).env(LOOKS, looks.to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}
