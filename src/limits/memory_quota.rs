//! Limits the memory that the responses of all mounts take together, and shares it fairly between namespaces.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use crate::mutex::Mutex;

/// Bytes that all responses of one mount may take together, with the texts that are opened. A volume of the largest size that is ciphertext in
/// a secret takes 17 MiB: the secret, the text cut out of it, the response to the decrypt call, and the opened values.
pub(crate) const MOUNT_LIMIT: usize = 20 * 1024 * 1024;

/// Responses may take one part in this many of the container's memory limit as they arrive: what is rendered from them takes about as much
/// again, twice.
const MEMORY_DIVISOR: usize = 4;

/// The limit if the container has no usable memory limit.
const DEFAULT_LIMIT: usize = 64 * 1024 * 1024;

/// The smallest limit: the responses of at least one mount fit into the half that a namespace may take.
const SMALLEST_LIMIT: usize = 2 * MOUNT_LIMIT;

/// Bytes that the running mounts have reserved, by namespace.
#[derive(Debug)]
pub(crate) struct MemoryQuota {
    limit: usize,
    reserved: Mutex<HashMap<String, usize>>,
}

impl MemoryQuota {
    /// A quota of `limit` bytes; one namespace may reserve half of it.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, reserved: Mutex::default() })
    }

    /// A quota in proportion to the memory limit of the process's control group (cgroup v2).
    pub(crate) fn of_process() -> Arc<Self> {
        let limit = fs::read_to_string("/sys/fs/cgroup/memory.max")
            .ok()
            .and_then(|text| text.trim().parse::<usize>().ok());
        Self::new(
            limit.map_or(DEFAULT_LIMIT, |limit| {
                (limit / MEMORY_DIVISOR).clamp(SMALLEST_LIMIT, 4 * DEFAULT_LIMIT)
            }),
        )
    }

    /// Reserves `bytes` for `namespace`. Returns false, and reserves nothing, if they do not fit.
    pub(crate) fn reserve(&self, namespace: &str, bytes: usize) -> bool {
        let mut reserved = self.reserved.lock();
        let all: usize = reserved.values().sum();
        let own = reserved.get(namespace).copied().unwrap_or_default();
        let fits = all + bytes <= self.limit && own + bytes <= self.limit / 2;
        if fits {
            reserved.insert(namespace.to_owned(), own + bytes);
        }
        fits
    }

    /// Releases `bytes` that `namespace` had reserved.
    pub(crate) fn release(&self, namespace: &str, bytes: usize) {
        let mut reserved = self.reserved.lock();
        if let Some(own) = reserved.get_mut(namespace) {
            *own = own.saturating_sub(bytes);
            if *own == 0 {
                reserved.remove(namespace);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_reserves_at_most_half_and_releases_all() {
        let quota = MemoryQuota::new(100);
        assert!(quota.reserve("a", 30) && quota.reserve("a", 20), "half of the limit");
        assert!(!quota.reserve("a", 1), "more than half of the limit");
        assert!(quota.reserve("b", 50) && !quota.reserve("c", 1), "all of the limit");
        quota.release("a", 50);
        assert!(quota.reserve("c", 50));
        quota.release("b", 50);
        quota.release("c", 50);
        assert!(quota.reserved.lock().is_empty());
    }
}
