//! Memory that answers of all mounts may take together, shared fairly between namespaces.

use crate::mutex::Mutex;
use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use crate::limits::budget::LIMIT;

/// Part of the memory limit that answers may take as they come: what is made of them takes about as much again, twice.
const PART: usize = 4;

/// Without a limit, or where it is no use.
const USUAL: usize = 64 * 1024 * 1024;

/// At least one mount's answers fit into the half of a namespace.
const LEAST: usize = 2 * LIMIT;

/// Bytes of answers that mounts hold.
#[derive(Debug)]
pub struct MemoryQuota {
    limit: usize,
    taken: Mutex<HashMap<String, usize>>,
}

impl MemoryQuota {
    /// At most `limit` in all; a namespace may have half of it.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, taken: Mutex::default() })
    }

    /// As much as the memory limit of our control group allows.
    pub fn of_process() -> Arc<Self> {
        let limit = fs::read_to_string("/sys/fs/cgroup/memory.max")
            .ok()
            .and_then(|text| text.trim().parse::<usize>().ok());
        Self::new(limit.map_or(USUAL, |limit| (limit / PART).clamp(LEAST, 4 * USUAL)))
    }

    /// Takes `bytes` for `namespace`; false when they are not there.
    pub(crate) fn take(&self, namespace: &str, bytes: usize) -> bool {
        let mut taken = self.taken.lock();
        let all: usize = taken.values().sum();
        let own = taken.get(namespace).copied().unwrap_or_default();
        let fits = all + bytes <= self.limit && own + bytes <= self.limit / 2;
        if fits {
            taken.insert(namespace.to_owned(), own + bytes);
        }
        fits
    }

    pub(crate) fn give_back(&self, namespace: &str, bytes: usize) {
        let mut taken = self.taken.lock();
        if let Some(own) = taken.get_mut(namespace) {
            *own = own.saturating_sub(bytes);
            if *own == 0 {
                taken.remove(namespace);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_takes_half_and_gives_all_back() {
        let bytes = MemoryQuota::new(100);
        assert!(bytes.take("a", 30) && bytes.take("a", 20) && !bytes.take("a", 1), "half");
        assert!(bytes.take("b", 50) && !bytes.take("c", 1), "all");
        bytes.give_back("a", 50);
        assert!(bytes.take("c", 50));
        bytes.give_back("b", 50);
        bytes.give_back("c", 50);
        assert!(bytes.taken.lock().is_empty());
    }
}
