//! The pods of a node: a list of them, and what the API server tells of them since.

#[cfg(test)]
mod tests;

use crate::mutex::Mutex;
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

use super::{KubeError, Kubernetes, refusal};
use crate::limits::backoff::Backoff;

/// Seconds after which the API server ends a watch in good order.
const WATCH_SECONDS: u32 = 290;

/// Time for a list and a watch: what takes longer hangs on a connection that nobody serves any more.
const LONGEST: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 30);

/// Pauses between two tries. Jitter keeps the nodes of a cluster from coming back together.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30), jitter: 0.5 };

/// The pods of a node by their uids, as the API server told them last.
///
/// What it told stays true while it is away: a uid is never given again, so that no pod comes back.
pub struct NodePods {
    node: String,
    kubernetes: Kubernetes,
    uids: Mutex<Option<HashSet<String>>>,
}

impl NodePods {
    /// Those of `node`, of which nothing is known yet.
    pub fn of(node: String) -> Self {
        Self { node, kubernetes: Kubernetes::default(), uids: Mutex::default() }
    }

    /// Follows them for as long as the process lives.
    ///
    /// Needs `list` and `watch` on `pods` of all namespaces, which our manifests do not give.
    pub async fn follow(&self) {
        let (mut since, mut failures) = (None, 0);
        loop {
            let heard = timeout(LONGEST, self.hear(since.take())).await;
            match heard.unwrap_or_else(|_| Err(KubeError::Silent(self.asked()))) {
                Ok(version) => (since, failures) = (Some(version), 0),
                Err(error) => {
                    failures = u32::saturating_add(failures, 1);
                    unheard(&error, failures);
                }
            }
            // After a watch that ended in good order the first pause, as after one failure.
            sleep(BACKOFF.pause(failures.saturating_add(1), rand::random())).await;
        }
    }

    /// One watch until the API server ends it: from the version `since` on, or from a new list. Gives the version that the next goes on from.
    async fn hear(&self, since: Option<String>) -> Result<String, KubeError> {
        let api: Api<Pod> = Api::all(self.kubernetes.client().await?);
        let of_node = format!("spec.nodeName={}", self.node);
        let failure = |error| refusal(self.asked(), error);
        let mut version = match since {
            Some(version) => version,
            // Of no stated version, which is the newest: one of version 0 may come from a server that lags behind, and lack a pod that was
            // seen before.
            None => {
                let list =
                    api.list_metadata(&ListParams::default().fields(&of_node)).await.map_err(failure)?;
                self.listed(list).ok_or_else(|| KubeError::Empty(self.asked()))?
            }
        };
        let params = WatchParams::default().fields(&of_node).timeout(WATCH_SECONDS);
        let mut events = pin!(api.watch_metadata(&params, &version).await.map_err(failure)?);
        while let Some(event) = events.try_next().await.map_err(failure)? {
            version = self.told(event).map_err(failure)?.unwrap_or(version);
        }
        Ok(version)
    }

    /// The uids of all pods; `None` before the first complete list.
    pub fn known(&self) -> Option<HashSet<String>> {
        self.uids().clone()
    }

    /// Takes a list, and gives its version; `None` for one that cannot be whole.
    ///
    /// One without any pod is no list of our node, for we are in one.
    fn listed(&self, list: ObjectList<PartialObjectMeta<Pod>>) -> Option<String> {
        let complete = list.metadata.continue_.is_none_or(|rest| rest.is_empty());
        let uids: HashSet<_> = list.items.into_iter().filter_map(|pod| pod.metadata.uid).collect();
        let version = list.metadata.resource_version.filter(|_| complete && !uids.is_empty())?;
        debug!(node = self.node, pods = uids.len(), "the pods of this node are known");
        *self.uids() = Some(uids);
        Some(version)
    }

    /// Takes in what came after a list, and gives the version that it brings us to.
    fn told(&self, event: WatchEvent<PartialObjectMeta<Pod>>) -> Result<Option<String>, kube::Error> {
        let (pod, there) = match event {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) => (pod.metadata, true),
            WatchEvent::Deleted(pod) => (pod.metadata, false),
            WatchEvent::Bookmark(mark) => return Ok(Some(mark.metadata.resource_version)),
            WatchEvent::Error(status) => return Err(kube::Error::Api(status)),
        };
        if let (Some(uids), Some(uid)) = (self.uids().as_mut(), pod.uid) {
            match there {
                true => uids.insert(uid),
                false => uids.remove(&uid),
            };
        }
        Ok(pod.resource_version)
    }

    fn asked(&self) -> String {
        format!("list and watch the pods of node {}", self.node)
    }

    fn uids(&self) -> MutexGuard<'_, Option<HashSet<String>>> {
        self.uids.lock()
    }
}

/// Says what failed, and of a row of failures ever fewer. A version that is no longer known (410) is no failure: a long silence ends so.
fn unheard(error: &KubeError, failures: u32) {
    match error {
        KubeError::Refused { status: 410, .. } => debug!("{error}"),
        _ if failures.is_power_of_two() => {
            warn!(
                failures,
                "no end of a pod is seen; --pod-watch needs the node's name as Kubernetes has it, and its rights: {error}"
            );
        }
        _ => debug!("{error}"),
    }
}
