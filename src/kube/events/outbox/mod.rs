//! What pods are told next, and when: changes of a volume add up while they wait, and what was told of late is told again by its count.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::message;
use crate::spec::Pod;

/// Volumes that wait at a time: more than a node has. What comes on top is dropped.
const MOST: usize = 256;
/// Names that add up in a volume that waits; further ones are not counted.
const NAMES: usize = 256;
/// Between two tellings of one volume.
const APART: Duration = Duration::from_secs(10);
/// For how long after it was told the same is counted up. An API server keeps events for an hour.
pub(crate) const REPEATS: Duration = Duration::from_secs(600);
/// Events that are remembered for counting up; a megabyte at worst.
const REMEMBERED: usize = 1024;

/// The uid of a pod, and the name of a volume of it.
type Volume = (String, String);

/// What waits, and what was told.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: HashMap<Volume, Waiting>,
    /// When a volume may be told of again.
    again: HashMap<Volume, Instant>,
    /// By volume and message.
    posted: HashMap<(Volume, String), Posted>,
}

struct Waiting {
    pod: Pod,
    files: BTreeSet<String>,
    since: Instant,
}

/// An event at the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Posted {
    /// Its name in the pod's namespace.
    pub(crate) name: String,
    /// How often it was told.
    pub(crate) times: i32,
    /// From then on the same makes a new event.
    pub(crate) until: Instant,
}

/// What one pod is told.
pub(crate) struct News {
    pub(crate) pod: Pod,
    volume: Volume,
    pub(crate) message: String,
    /// The event that says the same.
    pub(crate) before: Option<Posted>,
}

/// What there is to do.
pub(crate) enum Next {
    /// Tell this now.
    Tell(News),
    /// Look again then, or when something is added.
    Wait(Option<Instant>),
}

impl Outbox {
    /// False when there is no room for one more volume.
    pub(crate) fn add(&mut self, pod: &Pod, volume: &str, files: Vec<String>, now: Instant) -> bool {
        let key = (pod.uid.clone(), volume.to_owned());
        if self.waiting.len() >= MOST && !self.waiting.contains_key(&key) {
            return false;
        }
        let new = || Waiting { pod: pod.clone(), files: BTreeSet::new(), since: now };
        let waiting = &mut self.waiting.entry(key).or_insert_with(new).files;
        let room = NAMES.saturating_sub(waiting.len());
        waiting.extend(files.into_iter().take(room));
        true
    }

    /// The volume that has waited longest among those that may be told of.
    pub(crate) fn next(&mut self, now: Instant) -> Next {
        self.again.retain(|_, again| *again > now);
        self.posted.retain(|_, posted| posted.until > now);
        let due = |(volume, waiting): (&Volume, &Waiting)| {
            (self.again.get(volume).copied().unwrap_or(waiting.since), volume.clone())
        };
        match self.waiting.iter().map(due).min() {
            None => Next::Wait(None),
            Some((due, _)) if due > now => Next::Wait(Some(due)),
            Some((_, volume)) => self.take(volume, now).map_or(Next::Wait(None), Next::Tell),
        }
    }

    fn take(&mut self, volume: Volume, now: Instant) -> Option<News> {
        let Waiting { pod, files, .. } = self.waiting.remove(&volume)?;
        self.again.insert(volume.clone(), now + APART);
        let said = (volume.clone(), message::of(&volume.1, &files));
        let before = self.posted.get(&said).cloned();
        Some(News { pod, volume, message: said.1, before })
    }

    /// Remembers `posted`, which says what `news` are.
    pub(crate) fn told(&mut self, news: News, posted: Posted) {
        let said = (news.volume, news.message);
        if self.posted.len() < REMEMBERED || self.posted.contains_key(&said) {
            self.posted.insert(said, posted);
        }
    }
}
