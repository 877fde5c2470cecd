//! Decides which event is sent next, and when. Waiting changes of a volume become one event; a recent equal event is counted up.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::message;
use crate::spec::Pod;

/// Limit of waiting volumes: more than a node has. Further ones are dropped.
const WAITING: usize = 256;
/// Limit of file names of a waiting volume; further ones are not counted.
const NAMES: usize = 256;
/// Time between two events on one volume.
const INTERVAL: Duration = Duration::from_secs(10);
/// Time for which the same message increments the count of an event. An API server keeps events for an hour.
pub(crate) const REPEATS: Duration = Duration::from_secs(600);
/// Limit of remembered events whose count may be incremented: at most about 1 MB.
const REMEMBERED: usize = 1024;

/// The uid of a pod, and the name of one of its volumes.
type Volume = (String, String);

/// The waiting changes, and the events that were sent recently.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: HashMap<Volume, Waiting>,
    /// The time before which no further event is sent on a volume.
    not_before: HashMap<Volume, Instant>,
    /// Sent events by volume and message.
    sent: HashMap<(Volume, String), Sent>,
}

struct Waiting {
    pod: Pod,
    files: BTreeSet<String>,
    since: Instant,
}

/// An event at the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The event's name in the pod's namespace.
    pub(crate) name: String,
    /// The event's count.
    pub(crate) count: i32,
    /// The time from which the same message creates a new event.
    pub(crate) until: Instant,
}

/// New content of one volume.
pub(crate) struct NewContent {
    pub(crate) pod: Pod,
    volume: Volume,
    pub(crate) message: String,
    /// The event with the same message, if one was sent recently.
    pub(crate) previous: Option<Sent>,
}

/// The next step of the sender.
pub(crate) enum Next {
    /// Send this now.
    Send(NewContent),
    /// Call `next` again at this time, or when something is added.
    Wait(Option<Instant>),
}

impl Outbox {
    /// Adds changed `files` of a volume; false if too many volumes are waiting.
    pub(crate) fn add(&mut self, pod: &Pod, volume: &str, files: Vec<String>, now: Instant) -> bool {
        let key = (pod.uid.clone(), volume.to_owned());
        if self.waiting.len() >= WAITING && !self.waiting.contains_key(&key) {
            return false;
        }
        let new = || Waiting { pod: pod.clone(), files: BTreeSet::new(), since: now };
        let waiting = &mut self.waiting.entry(key).or_insert_with(new).files;
        let room = NAMES.saturating_sub(waiting.len());
        waiting.extend(files.into_iter().take(room));
        true
    }

    /// The volume that has waited longest, among those on which an event may be sent.
    pub(crate) fn next(&mut self, now: Instant) -> Next {
        self.not_before.retain(|_, time| *time > now);
        self.sent.retain(|_, sent| sent.until > now);
        let due = |(volume, waiting): (&Volume, &Waiting)| {
            (self.not_before.get(volume).copied().unwrap_or(waiting.since), volume.clone())
        };
        match self.waiting.iter().map(due).min() {
            None => Next::Wait(None),
            Some((due, _)) if due > now => Next::Wait(Some(due)),
            Some((_, volume)) => self.take(volume, now).map_or(Next::Wait(None), Next::Send),
        }
    }

    fn take(&mut self, volume: Volume, now: Instant) -> Option<NewContent> {
        let Waiting { pod, files, .. } = self.waiting.remove(&volume)?;
        self.not_before.insert(volume.clone(), now + INTERVAL);
        let key = (volume.clone(), message::new_content(&volume.1, &files));
        let previous = self.sent.get(&key).cloned();
        Some(NewContent { pod, volume, message: key.1, previous })
    }

    /// Remembers that `news` was sent as the event `sent`.
    pub(crate) fn record_sent(&mut self, news: NewContent, sent: Sent) {
        let key = (news.volume, news.message);
        if self.sent.len() < REMEMBERED || self.sent.contains_key(&key) {
            self.sent.insert(key, sent);
        }
    }
}
