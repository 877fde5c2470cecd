//! How long what a mount got is good, and whom it is shared with.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Source;

/// Who uses one login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LoginScope {
    /// Every volume of the service account on this node, as far as the server's answer names that account.
    #[default]
    Shared,
    /// The volumes of one pod.
    Pod,
    /// One mount, which revokes it at its end.
    Transient,
}

/// Whose a certificate, a leased credential or another thing is that a call made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ShareScope {
    /// One pod's.
    #[default]
    Pod,
    /// That of all pods of the service account on this node.
    ServiceAccount,
}

/// Who writes the files into the volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VolumeWriter {
    /// The driver, from our answer: root's files, when the driver asks.
    #[default]
    Driver,
    /// We do, with owners, and by looks of our own.
    Provider,
}

impl VolumeWriter {
    /// How old an answer may be where the class does not say.
    pub(crate) fn refresh(self) -> Duration {
        Duration::from_secs(match self {
            Self::Driver => 30,
            Self::Provider => 60,
        })
    }
}

/// How old an answer may be, source by source: at a republish, and in the files where we write them.
#[derive(Clone, Debug)]
pub struct Refreshes {
    class: Duration,
    sources: HashMap<Source, Duration>,
    shortest: Duration,
}

impl Refreshes {
    /// What every object `wants` of its source; one that says nothing wants `class`.
    pub fn new(class: Duration, wants: Vec<(Source, Option<Duration>)>) -> Self {
        let mut sources = HashMap::new();
        let shortest = wants.iter().map(|(_, wanted)| wanted.unwrap_or(class)).min().unwrap_or(class);
        for (source, wanted) in wants {
            let wanted = wanted.unwrap_or(class);
            sources.entry(source).and_modify(|shortest| *shortest = wanted.min(*shortest)).or_insert(wanted);
        }
        sources.retain(|_, shortest| *shortest != class);
        Self { class, sources, shortest }
    }

    /// What the most impatient of the sources wants.
    pub fn shortest(&self) -> Duration {
        self.shortest
    }

    /// The shortest that an object wants which names the source.
    pub fn of(&self, source: &Source) -> Duration {
        self.sources.get(source).copied().unwrap_or(self.class)
    }

    /// The class's own, for what is no source of it.
    pub fn class(&self) -> Duration {
        self.class
    }
}
