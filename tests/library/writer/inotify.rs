//! The events of a program that watches its files with inotify, as docs/applications.md describes them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::node::Node;

/// A watch of a program in the pod.
struct Watch(Inotify);

impl Watch {
    fn of(path: &Path, events: AddWatchFlags) -> Self {
        let watch = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).unwrap();
        watch.add_watch(path, events).unwrap();
        Self(watch)
    }

    /// The events since the last call, with their names.
    fn heard(&self) -> Vec<(AddWatchFlags, String)> {
        let mut heard = Vec::new();
        loop {
            match self.0.read_events() {
                Ok(events) => {
                    heard.extend(
                        events
                            .into_iter()
                            .map(|event| (event.mask, event.name.unwrap_or_default().into_string().unwrap())),
                    );
                }
                Err(Errno::EAGAIN) => return heard,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn a_watch_on_the_directory_gets_each_change_once_as_a_move_of_data() {
    let node = Node::new();
    let volume = node.volume();
    volume.write(&[("crt", "one"), ("key", "one")]);
    let watch = Watch::of(&volume.path, AddWatchFlags::IN_MOVED_TO);
    // The same rename moves the old link away, to a name that begins with two dots too.
    let heard = || {
        watch
            .heard()
            .into_iter()
            .filter(|(_, name)| name == "..data" || !name.starts_with(".."))
            .collect::<Vec<_>>()
    };
    let swapped = vec![(AddWatchFlags::IN_MOVED_TO, "..data".to_owned())];
    for change in ["two", "three"] {
        volume.write(&[("crt", change), ("key", change)]);
        assert_eq!(heard(), swapped, "{change}");
    }
    volume.write(&[("crt", "three"), ("key", "three")]);
    assert_eq!(watch.heard(), [], "nothing has changed");
    volume.remove_stale(SystemTime::now() + Duration::from_secs(6)).unwrap();
    assert_eq!(watch.heard(), [], "what is old was removed");

    // A new name is created after the swap: after that event the file exists below `..data`, and perhaps not yet under its name.
    volume.write(&[("ca", "four"), ("crt", "four"), ("key", "four")]);
    assert_eq!(heard(), [swapped, vec![(AddWatchFlags::IN_MOVED_TO, "ca".into())]].concat());
}

#[test]
fn the_line_of_the_documentation_reloads_at_a_change() {
    let node = Node::new();
    let volume = node.volume();
    volume.write(&[("key", "one")]);
    let documentation = include_str!("../../../docs/applications.md");
    let line = documentation.lines().find(|line| line.starts_with("inotifywait ")).unwrap();
    let line = line.replace("/secrets", volume.path.to_str().unwrap());
    // It ends at the next change, because its pipe is closed.
    let mut shell = Command::new("sh");
    let script = format!("reload() {{ echo reloaded; exit; }}; {line}");
    let mut shell =
        shell.args(["-c", &script]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = BufReader::new(shell.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("Watches established"));
    assert!(begun.is_some(), "it did not begin");
    volume.write(&[("key", "two")]);
    let mut line = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "reloaded\n");
    let end = Instant::now() + Duration::from_secs(30);
    while shell.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "it does not end");
        volume.write(&[("key", &format!("{:?}", Instant::now()))]);
    }
}

#[test]
fn a_watch_on_a_file_gets_its_removal_and_no_change() {
    let node = Node::new();
    let volume = node.volume();
    volume.write(&[("key", "one")]);
    let changes = AddWatchFlags::IN_MODIFY
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_ATTRIB
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_DELETE_SELF;
    let watch = Watch::of(&volume.at("key"), changes);
    volume.write(&[("key", "two")]);
    assert_eq!(watch.heard(), [], "the file is another one now");
    volume.remove_stale(SystemTime::now() + Duration::from_secs(6)).unwrap();
    let ended = watch.heard().into_iter().fold(AddWatchFlags::empty(), |all, (event, _)| all | event);
    assert_eq!(
        ended,
        AddWatchFlags::IN_ATTRIB | AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_IGNORED,
        "with IGNORED the watch is over"
    );
    volume.write(&[("key", "three")]);
    assert_eq!((watch.heard(), volume.read("key")), (vec![], "three".into()));
}
