//! Files and links that others plant in the volume are refused or replaced, and nothing outside of the volume changes.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::writer::{Change, WriteError};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::node::{Node, OTHER, UID, Volume, meanwhile, payload};

/// A directory of the node, in which nothing may change.
struct Victim(PathBuf);

impl Victim {
    fn new(node: &Node) -> Self {
        let path = node.pods().join("victim");
        fs::create_dir_all(path.join("tls")).unwrap();
        for name in ["db", "tls/crt"] {
            fs::write(path.join(name), "theirs").unwrap();
        }
        Self(path)
    }

    fn is_unharmed(&self) {
        let mut names: Vec<_> =
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["db", "tls"]);
        assert_eq!(
            ["db", "tls/crt"].map(|name| fs::read_to_string(self.0.join(name)).unwrap()),
            ["theirs", "theirs"]
        );
    }
}

/// Creates a file of every kind.
fn plant(kind: &str, at: &Path, victim: &Victim) {
    match kind {
        "link to a directory" => symlink(&victim.0, at).unwrap(),
        "link upwards" => symlink("../../../../../victim", at).unwrap(),
        "link to a file" => symlink(victim.0.join("db"), at).unwrap(),
        "link to nothing" => symlink("nothing", at).unwrap(),
        "link to itself" => symlink(at.file_name().unwrap(), at).unwrap(),
        "file" => fs::write(at, "planted").unwrap(),
        "directory" => fs::create_dir_all(at.join("db/db")).unwrap(),
        "pipe" => mkfifo(at, Mode::S_IRWXU).unwrap(),
        _ => fs::hard_link(at.parent().unwrap().join("..data/tls/crt"), at).unwrap(),
    }
}

const KINDS: [&str; 9] = [
    "link to a directory",
    "link upwards",
    "link to a file",
    "link to nothing",
    "link to itself",
    "file",
    "directory",
    "pipe",
    "hard link",
];

fn remove(path: &Path) {
    let _ =
        if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

#[test]
fn a_planted_file_with_one_of_our_names_is_never_followed_and_is_replaced() {
    let node = Node::new();
    let (volume, victim) = (node.volume(), Victim::new(&node));
    let files = [("db", "one"), ("tls/crt", "two")];
    for kind in KINDS {
        for name in ["db", "tls", "..data", "..data/db", "..data/tls", "..data/more", "..data_tmp", "stray"] {
            volume.write(&files);
            remove(&volume.at(&format!("{name}.")));
            if !(kind == "hard link" && name.starts_with("..data")) {
                remove(&volume.at(name));
                plant(kind, &volume.at(name), &victim);
            }
            volume.write(&files);
            assert_eq!(
                (volume.read("db"), volume.read("tls/crt")),
                ("one".into(), "two".into()),
                "{kind} at {name}"
            );
            volume.remove_stale(SystemTime::now() + Duration::from_secs(6)).unwrap();
            assert_eq!(
                volume.names(),
                [volume.link("..data"), "..data".into(), "db".into(), "tls".into()],
                "{kind} at {name}"
            );
            victim.is_unharmed();
        }
    }
}

/// The right files in a directory without the name of a generation: it would be removed as stale, and the files with it.
#[test]
fn a_link_to_no_generation_is_replaced() {
    let node = Node::new();
    let volume = node.volume();
    volume.write(&[("db", "one")]);
    fs::rename(volume.at(&volume.link("..data")), volume.at("stray")).unwrap();
    remove(&volume.at("..data"));
    symlink("stray", volume.at("..data")).unwrap();
    assert_eq!(
        (volume.write(&[("db", "one")]), volume.read("db"), volume.visible()),
        (Change::Swapped, "one".into(), vec!["db".into()])
    );
}

#[test]
fn a_link_in_the_path_is_refused_wherever_it_is() {
    let node = Node::new();
    let (volume, other) = (node.volume(), node.volume_of(OTHER, "-t tmpfs volume"));
    let parts: Vec<PathBuf> = volume.path.ancestors().skip(1).take(4).map(Path::to_owned).collect();
    for part in parts {
        let (aside, at) = (part.with_extension("aside"), part.strip_prefix(node.pods().join(UID)).unwrap());
        fs::rename(&part, &aside).unwrap();
        let theirs = Path::new(&"../".repeat(at.components().count())).join(OTHER).join(at);
        let ours = PathBuf::from(aside.file_name().unwrap());
        for to in [node.pods().join(OTHER).join(at), theirs, aside.clone(), ours] {
            symlink(&to, &part).unwrap();
            let error = volume.try_write(&payload(&[("db", "canary")])).unwrap_err();
            assert!(matches!(error, WriteError::Link(_)), "{}: {error}", part.display());
            assert!(!error.to_string().contains("canary"));
            fs::remove_file(&part).unwrap();
        }
        fs::rename(&aside, &part).unwrap();
    }
    node.run("umount \"$1\"; rmdir \"$1\"; ln -s \"$2\" \"$1\"", &[&volume.path, &other.path]);
    assert!(matches!(volume.try_write(&payload(&[("db", "canary")])), Err(WriteError::Link(_))));
    assert!(other.names().is_empty() && volume.path.is_symlink());
}

/// How often a race exchanges two names, and how often the writer writes meanwhile, at least.
const EXCHANGES: usize = 100_000;
const WRITES: usize = 2_000;

/// Repeats `work` with increasing numbers, while another thread exchanges `one` and `other` all the time.
fn racing(one: &Path, other: &Path, mut work: impl FnMut(usize)) {
    let exchanges = AtomicUsize::new(0);
    // One of them may be missing for a moment.
    let exchange = || match renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE) {
        Ok(()) => drop(exchanges.fetch_add(1, Ordering::Relaxed)),
        Err(_) => thread::yield_now(),
    };
    let end = Instant::now() + Duration::from_secs(120);
    meanwhile(exchange, || {
        let is_enough = |writes| writes >= WRITES && exchanges.load(Ordering::Relaxed) >= EXCHANGES;
        for round in (0..).take_while(|round| !is_enough(*round)) {
            assert!(Instant::now() < end, "{exchanges:?} exchanges are too few");
            work(round);
        }
    });
}

#[test]
fn a_path_component_exchanged_during_a_write_redirects_no_write() {
    let node = Node::new();
    let (volume, other) = (node.volume(), node.volume_of(OTHER, "-t tmpfs volume"));
    let (part, decoy) =
        (volume.path.parent().unwrap().to_owned(), volume.path.parent().unwrap().with_extension("decoy"));
    symlink(Path::new("../../..").join(OTHER).join("volumes/kubernetes.io~csi/secrets"), &decoy).unwrap();
    assert_eq!(fs::metadata(decoy.join("mount")).unwrap().dev(), fs::metadata(&other.path).unwrap().dev());
    let mut refusals = 0;
    racing(&part, &decoy, |round| match volume.try_write(&payload(&[("db", &round.to_string())])) {
        Ok(_) => drop(remove_stale(&volume)),
        Err(WriteError::Link(_) | WriteError::Missing(..)) => refusals += 1,
        Err(error) => panic!("{error}"),
    });
    assert!(refusals > 0, "there was no race");
    assert!(other.names().is_empty(), "{:?}", other.names());
}

/// Removes every stale generation, so that a long race has free space.
fn remove_stale(volume: &Volume<'_>) -> Result<(), WriteError> {
    volume.remove_stale(SystemTime::now() + Duration::from_secs(6)).map(|_| ())
}

#[test]
fn names_exchanged_during_a_write_redirect_no_write() {
    for name in ["..data", "db", "tls"] {
        let node = Node::new();
        let (volume, victim) = (node.volume(), Victim::new(&node));
        volume.write(&[("db", "one"), ("tls/crt", "one")]);
        let decoy = volume.at("..decoy");
        symlink(&victim.0, &decoy).unwrap();
        racing(&volume.at(name), &decoy, |round| {
            // The write may fail, but it may not change the victim.
            let _ = volume.try_write(&payload(&[("db", &round.to_string()), ("tls/crt", "one")]));
            let _ = remove_stale(&volume);
            // The link was replaced where it had the name.
            symlink(&victim.0, volume.at("..new")).unwrap();
            fs::rename(volume.at("..new"), &decoy).unwrap();
        });
        victim.is_unharmed();
        volume.write(&[("db", "last"), ("tls/crt", "last")]);
        assert_eq!((volume.read("db"), volume.read("tls/crt")), ("last".into(), "last".into()), "{name}");
    }
}

#[test]
fn a_mount_inside_of_the_volume_is_reported_and_left_alone() {
    let node = Node::new();
    let volume = node.volume();
    fs::create_dir(volume.at("stray")).unwrap();
    node.run("mount -t tmpfs inner \"$1\"; echo theirs > \"$1/file\"", &[&volume.at("stray")]);
    for round in ["one", "two"] {
        let error = volume.try_write(&payload(&[("db", round)])).unwrap_err();
        assert!(error.is_after_swap() && error.to_string().contains("something is mounted on it"), "{error}");
        assert_eq!(
            (volume.read("stray/file"), volume.read("db")),
            ("theirs\n".into(), round.into()),
            "the files are new all the same"
        );
    }
    node.run("umount \"$1\"", &[&volume.at("stray")]);
    assert_eq!((volume.write(&[("db", "two")]), volume.visible()), (Change::Names, vec!["db".into()]));
}
