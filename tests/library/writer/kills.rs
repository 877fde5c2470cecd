//! A writer that is killed before each of its system calls leaves the old files or the new ones, and nothing that stops the next writer.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, SystemTime};

use crate::payload::VersionKey;
use crate::writer::{EmptyVolume, Fingerprints, Writer};
use caps::Capability;

use super::child::{NEW, Traced, run};
use super::node::{FileSpec, Node, Volume, payload_of};

const OLD: [FileSpec<'_>; 4] = [
    ("db", "old db", 0o400, Some(1000)),
    ("gone/key", "old gone", 0o644, None),
    ("tls/ca/crt", "old authority", 0o440, Some(1000)),
    ("tls/crt", "old certificate", 0o644, None),
];

/// Files by their paths: text, mode, uid and gid.
type Found = BTreeMap<String, (String, (u32, u32, u32))>;

fn expected(files: &[FileSpec<'_>]) -> Found {
    let one = |&(path, text, mode, owner): &FileSpec<'_>| {
        let owner = owner.unwrap_or(0);
        (path.to_owned(), (text.to_owned(), (mode, owner, owner)))
    };
    files.iter().map(one).collect()
}

/// All files that `name` of the volume leads to, with their paths below `prefix`.
fn through(volume: &Volume<'_>, name: &str, prefix: &str) -> Found {
    let path = volume.at(name);
    if !path.is_dir() {
        let (text, of) = (fs::read_to_string(&path).unwrap(), fs::metadata(&path).unwrap());
        return Found::from([(prefix.to_owned(), (text, (of.mode() & 0o7777, of.uid(), of.gid())))]);
    }
    let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let below = |inner: &str| if prefix.is_empty() { inner.to_owned() } else { format!("{prefix}/{inner}") };
    names.flat_map(|inner| through(volume, &format!("{name}/{inner}"), &below(&inner))).collect()
}

/// First parts of paths.
fn names(files: &[FileSpec<'_>]) -> Vec<String> {
    let mut names: Vec<String> =
        files.iter().map(|(path, ..)| path.split('/').next().unwrap().to_owned()).collect();
    names.dedup();
    names
}

/// Whether the files are the new ones. Checks that all visible files belong together, and that a name that stays is never missing.
fn is_new(volume: &Volume<'_>, old: &[FileSpec<'_>], killed: &str) -> bool {
    let found = if volume.at("..data").exists() { through(volume, "..data", "") } else { Found::new() };
    let is_new = found == expected(&NEW);
    assert!(is_new || found == expected(old), "{killed}: {found:?}");
    for name in names(old).iter().chain(&names(&NEW)) {
        let of_it = |path: &String| path == name || path.starts_with(&format!("{name}/"));
        let seen = if volume.at(name).exists() { through(volume, name, name) } else { Found::new() };
        let expected: Found = found.clone().into_iter().filter(|(path, _)| of_it(path)).collect();
        let is_late = is_new && seen.is_empty() && !names(old).contains(name);
        assert!(seen == expected || is_late, "{killed}: {name} leads to {seen:?}");
    }
    is_new
}

/// A restarted process with the rights of our manifest completes the volume and removes leftovers.
fn goes_on(volume: &Volume<'_>, killed: &str) {
    volume.restricted(&[Capability::CAP_CHOWN], |root, target| {
        let writer = Writer::new(root, VersionKey::random());
        let written =
            writer.write(target, EmptyVolume::IsNew, &payload_of(&NEW), &mut Fingerprints::default());
        written.unwrap_or_else(|error| panic!("{killed}: {error}"));
        assert_eq!(
            writer.remove_stale(target, SystemTime::now() + Duration::from_secs(6)).unwrap(),
            None,
            "{killed}"
        );
    });
    volume.forget();
    let mut expected = vec![volume.link("..data"), "..data".into()];
    expected.extend(names(&NEW));
    assert_eq!(volume.names(), expected, "{killed}");
    assert!(is_new(volume, &[], killed), "{killed}");
}

/// A system call: its name, and its number among those of that name.
type Call = (String, usize);

/// Every system call of a complete write.
fn calls(traced: &Traced) -> Vec<Call> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut count = |line: &str| {
        let name = line.split('(').next().unwrap();
        let count = counts.entry(name.to_owned()).or_default();
        *count += 1;
        (name.to_owned(), *count)
    };
    traced.before().into_iter().for_each(|line| drop(count(line)));
    traced.calls().into_iter().map(count).collect()
}

/// Kills a writer before the last of `calls`.
fn kill(volume: &Volume<'_>, calls: &[Call]) -> String {
    let (name, number) = calls.last().unwrap();
    let (seen, injected) =
        (format!("trace={name},getppid"), format!("inject={name}:signal=SIGKILL:when={number}"));
    let traced = run(volume, 0, &["-e", &seen, "-e", &injected]);
    assert_eq!(traced.status.signal(), Some(9), "not killed before {name} {number}");
    let reached = traced.calls().iter().filter(|line| line.starts_with(&format!("{name}("))).count();
    assert_eq!(reached, calls.iter().filter(|call| call.0 == *name).count(), "killed elsewhere");
    format!("killed before {name} {number}")
}

/// Kills a writer before each system call, in a volume where `prepare` wrote the files `old`.
fn survives_every_kill(old: &[FileSpec<'_>], prepare: impl Fn(&Volume<'_>)) {
    let node = Node::new();
    let volume = node.volume();
    prepare(&volume);
    let whole = run(&volume, 0, &[]);
    assert!(whole.status.success());
    let (calls, mut news) = (calls(&whole), Vec::new());
    for call in 1..=calls.len() {
        prepare(&volume);
        let killed = kill(&volume, &calls[..call]);
        news.push(is_new(&volume, old, &killed));
        goes_on(&volume, &killed);
    }
    let swap = news.iter().position(|is_new| *is_new).unwrap();
    assert!(news.len() > 100 && news[swap..].iter().all(|is_new| *is_new), "{news:?}");
    assert!(calls[swap - 1].0.starts_with("renameat"), "one call shows all");
}

/// Removes everything that an earlier round left.
fn empty(volume: &Volume<'_>) {
    for name in volume.names() {
        let path = volume.at(&name);
        if path.is_symlink() || path.is_file() { fs::remove_file(path) } else { fs::remove_dir_all(path) }
            .unwrap();
    }
}

#[test]
fn a_writer_killed_before_any_call_of_a_swap_leaves_the_old_files_or_the_new() {
    survives_every_kill(&OLD, |volume| {
        empty(volume);
        volume.write(&[("db", "older"), ("older/key", "older")]);
        let older = fs::File::open(volume.at(&volume.link("..data"))).unwrap();
        volume.try_write(&payload_of(&OLD)).unwrap();
        // Then its removal is a part of the swap.
        older.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    });
}

#[test]
fn a_writer_killed_before_any_call_of_the_first_write_leaves_nothing_or_all() {
    survives_every_kill(&[], empty);
}

#[test]
fn a_writer_killed_before_any_call_takes_over_from_the_driver_or_does_not() {
    survives_every_kill(&OLD, |volume| {
        empty(volume);
        volume.try_write(&payload_of(&OLD)).unwrap();
        let generation = "..2026_11_21_09_30_00.3141592653";
        fs::rename(volume.at(&volume.link("..data")), volume.at(generation)).unwrap();
        fs::remove_file(volume.at("..data")).unwrap();
        symlink(generation, volume.at("..data")).unwrap();
        symlink("..2026_11_21_09_31_00.2718281828", volume.at("..data_tmp")).unwrap();
    });
}
