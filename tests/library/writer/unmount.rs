//! Volumes that the driver unmounts: it removes every name in them, then starts `umount`, which fails while the writer has a handle open.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::error::Reason;
use crate::writer::{Change, EmptyVolume, Fingerprints, Target, WriteError, Writer, Written};

use super::node::{Node, Volume, meanwhile, payload};

fn remove(volume: &Volume<'_>, name: &str) {
    let path = volume.at(name);
    if path.is_symlink() { fs::remove_file(path) } else { fs::remove_dir_all(path) }.unwrap();
}

/// The names are removed in the driver's order.
#[test]
fn a_poll_leaves_alone_a_volume_that_the_driver_has_begun_to_unmount() {
    let node = Node::new();
    let volume = node.volume();
    let (one, two) =
        (payload(&[("db", "one"), ("tls/crt", "one")]), payload(&[("db", "two"), ("tls/crt", "two")]));
    volume.try_write(&one).unwrap();
    for name in [volume.link("..data").as_str(), "..data", "db", "tls"] {
        remove(&volume, name);
        let (before, time) = (volume.names(), fs::metadata(&volume.path).unwrap().modified().unwrap());
        for payload in [&one, &two] {
            let error = volume.poll(payload).unwrap_err();
            assert!(matches!(error, WriteError::Ending(_)), "without {name}: {error}");
            assert_eq!((error.reason(), error.is_for_driver()), (Reason::VolumeUnusable, false));
        }
        assert_eq!(volume.remove_stale(SystemTime::now() + Duration::from_secs(6)).unwrap(), None);
        assert_eq!(
            (volume.names(), fs::metadata(&volume.path).unwrap().modified().unwrap()),
            (before, time),
            "without {name}"
        );
    }
    assert_eq!(
        (volume.try_write(&two).unwrap().change, volume.read("tls/crt")),
        (Change::Swapped, "two".into()),
        "the driver asks again"
    );
    assert_eq!(volume.poll(&one).unwrap().change, Change::Swapped);
}

/// How often the driver unmounts the volume.
const UNMOUNTS: usize = 1000;
/// After this time the kubelet calls the driver again.
const AGAIN: Duration = Duration::from_millis(500);

/// The driver: a shell in the mount namespace of the node, which starts one program per line.
struct Driver<'v> {
    volume: &'v Volume<'v>,
    place: PathBuf,
    shell: Child,
    answers: Lines<BufReader<ChildStdout>>,
}

impl<'v> Driver<'v> {
    fn of(volume: &'v Volume<'v>) -> Self {
        let script = r"while read -r line; do $line 2>&1 | tr '\n' ' '; echo; done";
        let mut command = Command::new("nsenter");
        command.arg(volume.node.namespace()).args(["setpriv", "--pdeathsig=KILL", "sh", "-c", script]);
        let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let answers = BufReader::new(shell.stdout.take().unwrap()).lines();
        let place = volume.node.home().join(volume.path.strip_prefix(volume.node.pods()).unwrap());
        Self { volume, place, shell, answers }
    }

    /// Output of a program for the volume: empty if it succeeds.
    fn run(&mut self, program: &str) -> String {
        writeln!(self.shell.stdin.as_mut().unwrap(), "{program} {}", self.place.display()).unwrap();
        self.answers.next().unwrap().unwrap()
    }

    /// Removes every name in order, with everything in it, then starts `umount`. False when the volume is busy.
    fn unpublish(&mut self) -> bool {
        for name in self.volume.names() {
            let path = self.volume.at(&name);
            let _ = if path.is_symlink() { fs::remove_file(path) } else { fs::remove_dir_all(path) };
        }
        assert!(!self.volume.at("..data").is_symlink(), "what the driver removed came back");
        let output_text = self.run("umount");
        assert!(output_text.is_empty() || output_text.contains("target is busy"), "{output_text}");
        output_text.is_empty()
    }
}

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// A poll that changes all files every millisecond.
struct Poll<'v> {
    writer: &'v Writer,
    target: Target<'v>,
    /// Locked by the writer: there may be one at a time.
    marks: Mutex<Fingerprints>,
    is_at_work: AtomicBool,
    /// A poll has found the end of the volume. As in the provider, no poll follows until the next request of the driver.
    is_over: AtomicBool,
    writes: AtomicUsize,
    swaps: AtomicUsize,
    /// Duration of the longest write, in microseconds.
    longest: AtomicUsize,
}

impl<'v> Poll<'v> {
    fn of(volume: &'v Volume<'v>) -> Self {
        let (writer, target) = (&volume.writer, volume.target());
        Self {
            writer,
            target,
            marks: Mutex::default(),
            is_at_work: false.into(),
            is_over: false.into(),
            writes: 0.into(),
            swaps: 0.into(),
            longest: 0.into(),
        }
    }

    fn write(&self, occasion: EmptyVolume) -> Result<Written, WriteError> {
        let names: Vec<String> =
            (0..8).map(|number| format!("directory{}/file{number}", number % 4)).collect();
        let text = self.writes.fetch_add(1, Ordering::Relaxed).to_string();
        let payload = payload(&names.iter().map(|name| (name.as_str(), text.as_str())).collect::<Vec<_>>());
        let mut marks = self.marks.lock().unwrap();
        let begin = Instant::now();
        let written = self.writer.write(&self.target, occasion, &payload, &mut marks);
        self.longest.fetch_max(begin.elapsed().as_micros() as usize, Ordering::Relaxed);
        // While the lock is held: a later store would stop the polls after the driver's request.
        let is_over = matches!(written, Err(WriteError::Ending(_) | WriteError::NotMounted(_)));
        self.is_over.store(is_over, Ordering::Relaxed);
        written
    }

    fn poll(&self) {
        thread::sleep(Duration::from_millis(1));
        if self.is_over.load(Ordering::Relaxed) {
            return;
        }
        self.is_at_work.store(true, Ordering::Relaxed);
        match self.write(EmptyVolume::IsEnding) {
            Ok(written) => {
                assert_eq!(written.change, Change::Swapped);
                self.swaps.fetch_add(1, Ordering::Relaxed);
            }
            Err(WriteError::Ending(_) | WriteError::NotMounted(_)) => {}
            Err(error) => panic!("{error}"),
        }
        self.is_at_work.store(false, Ordering::Relaxed);
    }

    /// A request of the driver.
    fn asked(&self) {
        self.write(EmptyVolume::IsNew).unwrap();
    }

    /// Returns during a later poll.
    fn goes_on(&self) {
        let (before, end) = (self.swaps.load(Ordering::Relaxed), Instant::now() + Duration::from_secs(20));
        while self.swaps.load(Ordering::Relaxed) == before {
            assert!(Instant::now() < end, "the poll does not write");
            thread::yield_now();
        }
        thread::sleep(Duration::from_micros(rand::random_range(0..2000)));
    }
}

/// A writer that is preempted during a swap holds its handle until it runs again: `umount` may fail meanwhile, and succeeds when
/// the kubelet calls again. With a poll every millisecond on two processors, this happens to 1 to 5 unmounts, and to 13 while other tests run.
#[test]
fn a_thousand_unmounts_succeed_while_a_poll_swaps_all_the_time() {
    let node = Node::new();
    let volume = node.volume();
    let (mut driver, poll) = (Driver::of(&volume), Poll::of(&volume));
    poll.asked();
    let (mut met, mut busy) = (0, 0);
    meanwhile(
        || poll.poll(),
        || {
            for _ in 0..UNMOUNTS {
                poll.goes_on();
                met += usize::from(poll.is_at_work.load(Ordering::Relaxed));
                if !driver.unpublish() {
                    busy += 1;
                    thread::sleep(AGAIN);
                    assert!(driver.unpublish(), "the volume stays busy");
                }
                assert_eq!(driver.run("mount -t tmpfs volume"), "");
                poll.asked();
            }
        },
    );
    println!(
        "{met} of {UNMOUNTS} met a write, {busy} failed at first; the longest write took {:?} µs",
        poll.longest
    );
    assert!(met > UNMOUNTS / 20 && busy <= UNMOUNTS / 10, "{met} met a write, and {busy} failed");
}
