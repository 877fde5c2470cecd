//! The uids of a node's pods, from a list and a watch.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::pin::pin;
use std::sync::MutexGuard;
use std::time::Duration;

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ListParams, ObjectList, PartialObjectMeta, WatchEvent, WatchParams};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::{KubeError, Kubernetes, failure};
use crate::limits::Period;
use crate::limits::backoff::Backoff;
use crate::mutex::Mutex;

/// The mean time after which the API server ends a watch regularly.
const WATCH_TIME: Period = Period::of(Duration::from_secs(230));

/// Time for a list and a watch together. After it the connection counts as dead. It is longer than the longest `WATCH_TIME`.
const WATCH_TIMEOUT: Duration = Duration::from_secs(320);

/// Pauses between two tries. Jitter keeps the nodes of a cluster from coming back together.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30), jitter: 0.5 };

/// The uids of a node's pods, as last reported by the API server.
///
/// While the API server is unreachable, pods that are missing here are gone for certain: a uid is never used again.
pub(crate) struct NodePods {
    node: String,
    kubernetes: Kubernetes,
    uids: Mutex<Option<HashSet<String>>>,
}

impl NodePods {
    /// The pods of `node`; none is known yet.
    pub(crate) fn new(node: String) -> Self {
        Self { node, kubernetes: Kubernetes::default(), uids: Mutex::default() }
    }

    /// Watches the pods for as long as the process lives.
    ///
    /// Needs `list` and `watch` on `pods` of all namespaces, which only some of the manifests grant.
    pub(crate) async fn follow(&self) {
        let (mut since, mut failures) = (None, 0);
        loop {
            let watched = timeout(WATCH_TIMEOUT, self.watch(since.take())).await;
            match watched.unwrap_or_else(|_| Err(KubeError::Timeout(self.call()))) {
                Ok(version) => (since, failures) = (Some(version), 0),
                Err(error) => {
                    failures = u32::saturating_add(failures, 1);
                    log_failure(&error, failures);
                }
            }
            // After a watch that ended in good order the first pause, as after one failure.
            sleep(BACKOFF.pause(failures.saturating_add(1), rand::random())).await;
        }
    }

    /// Watches until the API server ends the watch: from the version `since`, or from a new list. Returns the version from which the next
    /// watch continues.
    async fn watch(&self, since: Option<String>) -> Result<String, KubeError> {
        let api: Api<Pod> = Api::all(self.kubernetes.client().await?);
        let on_node = format!("spec.nodeName={}", self.node);
        let failed = |error| failure(self.call(), error);
        let mut version = match since {
            Some(version) => version,
            // Without a version, which means the newest one. A list of version 0 may come from a server that lags behind, and may lack a pod
            // that was reported before.
            None => {
                let list =
                    api.list_metadata(&ListParams::default().fields(&on_node)).await.map_err(failed)?;
                self.set_list(list).ok_or_else(|| KubeError::Empty(self.call()))?
            }
        };
        let seconds = u32::try_from(WATCH_TIME.pause(rand::random()).as_secs()).unwrap_or_default();
        let params = WatchParams::default().fields(&on_node).timeout(seconds);
        let mut events = pin!(api.watch_metadata(&params, &version).await.map_err(failed)?);
        while let Some(event) = events.try_next().await.map_err(failed)? {
            version = self.apply(event).map_err(failed)?.unwrap_or(version);
        }
        Ok(version)
    }

    /// The uids of all pods; `None` before the first complete list.
    pub(crate) fn known(&self) -> Option<HashSet<String>> {
        self.uids().clone()
    }

    /// Replaces the uids by those of `list`, and returns its version; `None` if the list is incomplete.
    ///
    /// A list without any pod counts as incomplete: this process runs in a pod of the node.
    fn set_list(&self, list: ObjectList<PartialObjectMeta<Pod>>) -> Option<String> {
        let complete = list.metadata.continue_.is_none_or(|rest| rest.is_empty());
        let uids: HashSet<_> = list.items.into_iter().filter_map(|pod| pod.metadata.uid).collect();
        let version = list.metadata.resource_version.filter(|_| complete && !uids.is_empty())?;
        debug!(node = self.node, pods = uids.len(), "listed the pods of this node");
        *self.uids() = Some(uids);
        Some(version)
    }

    /// Applies an event of the watch, and returns its version.
    fn apply(&self, event: WatchEvent<PartialObjectMeta<Pod>>) -> Result<Option<String>, kube::Error> {
        let (pod, exists) = match event {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) => (pod.metadata, true),
            WatchEvent::Deleted(pod) => (pod.metadata, false),
            WatchEvent::Bookmark(mark) => return Ok(Some(mark.metadata.resource_version)),
            WatchEvent::Error(status) => return Err(kube::Error::Api(status)),
        };
        if let (Some(uids), Some(uid)) = (self.uids().as_mut(), pod.uid) {
            match exists {
                true => uids.insert(uid),
                false => uids.remove(&uid),
            };
        }
        Ok(pod.resource_version)
    }

    fn call(&self) -> String {
        format!("list and watch the pods of node {}", self.node)
    }

    fn uids(&self) -> MutexGuard<'_, Option<HashSet<String>>> {
        self.uids.lock()
    }
}

/// Logs a failure: of consecutive failures the 1st, 2nd, 4th, 8th and so on as a warning. A version that the API server no longer knows (410)
/// is normal after a long time without events.
fn log_failure(error: &KubeError, failures: u32) {
    match error {
        KubeError::Refused { status: 410, .. } => debug!("{error}"),
        _ if failures.is_power_of_two() => {
            warn!(
                failures,
                "vaultmount cannot see when pods end; --pod-watch needs the node's name as in Kubernetes, and its permissions: {error}"
            );
        }
        _ => debug!("{error}"),
    }
}
