//! How old the response of each source may be.

use std::collections::HashMap;
use std::time::Duration;

use super::Source;

/// The maximum age of each source's response: at a republish, and in the files that vaultmount writes itself.
#[derive(Clone, Debug)]
pub(crate) struct RefreshIntervals {
    class: Duration,
    /// True if the class itself sets `refresh`.
    class_is_explicit: bool,
    /// Only the sources for which an object sets `refresh`.
    sources: HashMap<Source, Duration>,
    shortest: Duration,
}

impl RefreshIntervals {
    /// `class` is the class's own `refresh`, and `default` the value of classes without one. `requested` has one entry for each object that refers to
    /// a source; `None` means the class's. No interval is shorter than `floor`.
    pub(crate) fn new(
        class: Option<Duration>,
        default: Duration,
        floor: Duration,
        requested: Vec<(Source, Option<Duration>)>,
    ) -> Self {
        let class_is_explicit = class.is_some();
        let class = class.unwrap_or(default).max(floor);
        let interval = |own: Option<Duration>| own.map_or(class, |own| own.max(floor));
        let shortest = requested.iter().map(|(_, own)| interval(*own)).min().unwrap_or(class);
        let mut sources = HashMap::new();
        for (source, own) in requested {
            let (interval, is_own) = (interval(own), own.is_some());
            sources
                .entry(source)
                .and_modify(|(shortest, any_own)| {
                    *shortest = interval.min(*shortest);
                    *any_own |= is_own;
                })
                .or_insert((interval, is_own));
        }
        let explicit = sources.into_iter().filter(|(_, (_, any_own))| *any_own);
        let sources = explicit.map(|(source, (interval, _))| (source, interval)).collect();
        Self { class, class_is_explicit, sources, shortest }
    }

    /// The shortest interval of all sources.
    pub(crate) fn shortest(&self) -> Duration {
        self.shortest
    }

    /// The shortest interval that any object requests for `source`; the class's own for a source that is not in the class.
    pub(crate) fn of(&self, source: &Source) -> Duration {
        self.sources.get(source).copied().unwrap_or(self.class)
    }

    /// True if the class or an object says how old an answer of `source` may be, rather than a default.
    pub(crate) fn is_explicit(&self, source: &Source) -> bool {
        self.class_is_explicit || self.sources.contains_key(source)
    }
}
