//! How old the response of each source may be.

use std::collections::HashMap;
use std::time::Duration;

use super::Source;

/// The maximum age of each source's response: at a republish, and in the files that vaultmount writes itself.
#[derive(Clone, Debug)]
pub(crate) struct RefreshIntervals {
    class: Duration,
    /// Only the sources that differ from `class`.
    sources: HashMap<Source, Duration>,
    shortest: Duration,
}

impl RefreshIntervals {
    /// `requested` has one entry for each object that refers to a source; `None` means `class`.
    pub(crate) fn new(class: Duration, requested: Vec<(Source, Option<Duration>)>) -> Self {
        let mut sources = HashMap::new();
        let shortest = requested.iter().map(|(_, interval)| interval.unwrap_or(class)).min().unwrap_or(class);
        for (source, interval) in requested {
            let interval = interval.unwrap_or(class);
            sources
                .entry(source)
                .and_modify(|shortest| *shortest = interval.min(*shortest))
                .or_insert(interval);
        }
        sources.retain(|_, shortest| *shortest != class);
        Self { class, sources, shortest }
    }

    /// The shortest interval of all sources.
    pub(crate) fn shortest(&self) -> Duration {
        self.shortest
    }

    /// The shortest interval that any object requests for `source`; the class's own for a source that is not in the class.
    pub(crate) fn of(&self, source: &Source) -> Duration {
        self.sources.get(source).copied().unwrap_or(self.class)
    }
}
