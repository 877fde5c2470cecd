//! Events on pods about new content of a volume, for people and tools that watch events.
//!
//! Best effort: an event that cannot be sent soon and cheaply is dropped. Applications must not depend on events.

mod message; // the text of an event
mod outbox; // which event is sent next, and when; pure
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::mem::{Discriminant, discriminant};
use std::sync::MutexGuard;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use metrics::counter;
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, warn};

use super::{KubeError, Kubernetes, failure};
use crate::kube::events::outbox::{NewContent, Next, Outbox, Sent};
use crate::mutex::Mutex;
use crate::spec::Pod;

/// Time for sending one event. An API server that needs longer counts as unreachable.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two events: a value that many pods of a node use causes at most five calls a second from this node.
const PAUSE: Duration = Duration::from_millis(200);
/// The `reason` of the events, by which people select them.
const REASON: &str = "SecretsUpdated";
/// The reporting component, in addition to the node's name.
const COMPONENT: &str = "vaultmount";

/// Sends events about new content of volumes to the API server.
pub(crate) struct PodEvents {
    node: String,
    kubernetes: Kubernetes,
    outbox: Mutex<Outbox>,
    added: Notify,
    /// Kinds of failures that were logged: by variant and HTTP status.
    logged: Mutex<HashSet<(Discriminant<KubeError>, u16)>>,
}

impl PodEvents {
    /// Events from the node of this name.
    pub(crate) fn new(node: String) -> Self {
        let (outbox, added, logged) = <_>::default();
        Self { node, kubernetes: Kubernetes::default(), outbox, added, logged }
    }

    /// Queues an event on `pod`: `files` of its volume `volume` are new, removed or changed. Returns at once; the event may be dropped.
    ///
    /// Everybody who may read the pod's events sees the paths of `files`. Does nothing if there are none.
    pub(crate) fn add(&self, pod: &Pod, volume: &str, files: Vec<String>) {
        if files.is_empty() {
            return;
        }
        match self.outbox().add(pod, volume, files, Instant::now()) {
            true => self.added.notify_one(),
            false => count("dropped"),
        }
    }

    /// Sends the queued events, for as long as the process lives.
    ///
    /// Needs `create` and `patch` on `events` of all namespaces, which only the manifests of `deploy/pod-events` grant.
    pub(crate) async fn run(&self) {
        loop {
            let next = self.outbox().next(Instant::now());
            match next {
                Next::Send(news) => {
                    self.send(news).await;
                    sleep(PAUSE).await;
                }
                Next::Wait(None) => self.added.notified().await,
                Next::Wait(Some(until)) => tokio::select! {
                    () = self.added.notified() => {}
                    () = sleep_until(until) => {}
                },
            }
        }
    }

    /// Tries once to send an event; after a failure the event is dropped.
    async fn send(&self, news: NewContent) {
        let sent = timeout(SEND_TIMEOUT, self.patch_or_create(&news)).await;
        match sent.unwrap_or_else(|_| Err(KubeError::Timeout(call(&news.pod)))) {
            Ok((name, count_of_event)) => {
                count("told");
                let until = Instant::now() + outbox::REPEATS;
                self.outbox().record_sent(news, Sent { name, count: count_of_event, until });
            }
            Err(error) => {
                count("failed");
                self.log_failure(&error);
            }
        }
    }

    /// Increments the count of the event with the same message, or creates an event; returns the event's name and count.
    async fn patch_or_create(&self, news: &NewContent) -> Result<(String, i32), KubeError> {
        let events: Api<Event> = Api::namespaced(self.kubernetes.client().await?, &news.pod.namespace);
        let failed = |error| failure(call(&news.pod), error);
        if let Some(Sent { name, count, .. }) = &news.previous {
            let (name, count) = (name.clone(), count.saturating_add(1));
            let patch = json!({"count": count, "lastTimestamp": now()});
            match events.patch_metadata(&name, &PatchParams::default(), &Patch::Merge(patch)).await {
                // The API server deletes old events, or a user has deleted this one.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                patched => return patched.map(|_| (name, count)).map_err(failed),
            }
        }
        let created = events.create(&PostParams::default(), &self.event(news)).await.map_err(failed)?;
        Ok((created.metadata.name.ok_or_else(|| KubeError::Empty(call(&news.pod)))?, 1))
    }

    fn event(&self, NewContent { pod, message, .. }: &NewContent) -> Event {
        let metadata = ObjectMeta {
            namespace: Some(pod.namespace.clone()),
            // The API server shortens the prefix if necessary, and appends a random suffix.
            generate_name: Some(format!("{}.", pod.name)),
            ..ObjectMeta::default()
        };
        Event {
            metadata,
            involved_object: reference(pod),
            type_: Some("Normal".into()),
            reason: Some(REASON.into()),
            message: Some(message.clone()),
            source: Some(EventSource { component: Some(COMPONENT.into()), host: Some(self.node.clone()) }),
            reporting_component: Some(COMPONENT.into()),
            reporting_instance: Some(self.node.clone()),
            count: Some(1),
            first_timestamp: Some(now()),
            last_timestamp: Some(now()),
            ..Event::default()
        }
    }

    /// Logs the first failure of each kind as a warning. The metric counts all failures.
    fn log_failure(&self, error: &KubeError) {
        let status = if let KubeError::Refused { status, .. } = error { *status } else { 0 };
        let is_first = self.logged.lock().insert((discriminant(error), status));
        match (is_first, status) {
            (false, _) => debug!("{error}"),
            (true, 403) => warn!("{error}; deploy/pod-events grants the permission (logged once)"),
            (true, _) => warn!("{error} (logged once)"),
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock()
    }
}

/// A reference to the pod with exactly this uid, not to a later pod of the same name.
fn reference(pod: &Pod) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".into()),
        kind: Some("Pod".into()),
        namespace: Some(pod.namespace.clone()),
        name: Some(pod.name.clone()),
        uid: Some(pod.uid.clone()),
        ..ObjectReference::default()
    }
}

fn now() -> Time {
    Time(Timestamp::now())
}

fn call(pod: &Pod) -> String {
    format!("create an event on pod {}/{}", pod.namespace, pod.name)
}

fn count(outcome: &'static str) {
    counter!("vaultmount_pod_events_total", "outcome" => outcome).increment(1);
}
