//! System calls of a writer, seen by strace.

use std::collections::BTreeSet;
use std::path::Path;

use super::child::run;
use super::node::{Node, UID};

/// Calls that change no file.
const LOOKING: [&str; 11] = [
    "close",
    "fcntl",
    "fstat",
    "fstatfs",
    "getdents64",
    "getegid",
    "geteuid",
    "getrandom",
    "newfstatat",
    "read",
    "readlinkat",
];
/// Calls that change the file of a handle, or a name in its directory.
const CHANGING: [&str; 9] =
    ["fchmod", "fchownat", "mkdirat", "renameat", "renameat2", "symlinkat", "unlinkat", "utimensat", "write"];
/// Calls that affect only the process.
const MEMORY: [&str; 5] = ["brk", "madvise", "mmap", "mprotect", "munmap"];

/// One line of strace's output: `name(arguments) = result`, each handle with its path behind it, as in `7</tmp/volume>`.
struct Call<'l> {
    line: &'l str,
    name: &'l str,
    arguments: &'l str,
    result: &'l str,
}

impl<'l> Call<'l> {
    fn of(line: &'l str) -> Self {
        let (name, rest) = line.split_once('(').unwrap();
        let (arguments, result) = rest.rsplit_once(" = ").unwrap();
        Self { line, name, arguments, result }
    }

    /// The files of the handles in the call.
    fn files(&self) -> Vec<&'l Path> {
        self.arguments.split('<').skip(1).map(|rest| Path::new(rest.split('>').next().unwrap())).collect()
    }

    /// Texts in the call: names, and written content.
    fn texts(&self) -> Vec<&'l str> {
        self.arguments.split('"').skip(1).step_by(2).collect()
    }

    fn opens_for_writing(&self) -> bool {
        ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_TMPFILE"]
            .iter()
            .any(|flag| self.arguments.contains(flag))
    }

    /// Whether the call changes nothing, or only something in `volume`.
    fn is_within(&self, volume: &Path) -> bool {
        let is_inside = || self.files().iter().all(|file| file.starts_with(volume));
        let is_bound = || self.arguments.contains("RESOLVE_NO_SYMLINKS|RESOLVE_BENEATH");
        match self.name {
            "openat" => self.arguments.contains("O_PATH|O_DIRECTORY") && !self.opens_for_writing(),
            "openat2" if self.opens_for_writing() => {
                is_bound() && is_inside() && self.arguments.contains("O_CREAT|O_EXCL")
            }
            "openat2" => is_bound(),
            // The first text is the target of a new link.
            "symlinkat" => is_inside() && !self.texts()[1].contains('/') && !self.texts()[0].starts_with('/'),
            name if CHANGING.contains(&name) => {
                is_inside() && !self.texts().iter().any(|text| text.contains('/'))
            }
            name => LOOKING.contains(&name) || MEMORY.contains(&name),
        }
    }
}

/// During swaps, changes of mode or owner alone, and removals of stale generations.
#[test]
fn a_writer_changes_nothing_outside_of_the_volume_and_keeps_no_handle() {
    let node = Node::new();
    let volume = node.volume();
    volume.write(&[("db", "old"), ("gone/key", "old")]);
    let place = node.home().join(UID).join("volumes/kubernetes.io~csi/secrets/mount");
    let traced = run(&volume, 6, &["-y", "-s", "200"]);
    assert!(traced.status.success());
    let (mut handles, mut changes) = (BTreeSet::new(), BTreeSet::new());
    let lines = traced.calls();
    for call in lines.iter().copied().map(Call::of) {
        assert!(call.is_within(&place), "{}", call.line);
        match call.name {
            "close" => assert!(handles.remove(call.arguments.split('<').next().unwrap()), "{}", call.line),
            "openat" | "openat2" if !call.result.starts_with('-') => {
                let _ = handles.insert(call.result.split('<').next().unwrap());
            }
            _ => {}
        }
        changes.extend(CHANGING.into_iter().filter(|name| *name == call.name));
    }
    assert_eq!(handles, BTreeSet::new());
    assert_eq!(changes, BTreeSet::from(CHANGING), "each was seen");
}
