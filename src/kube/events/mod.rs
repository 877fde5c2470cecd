//! Events on pods: that a volume has new content, for people and tools that follow events.
//!
//! A courtesy, never the way in which an application learns of it: what cannot be told soon and cheaply is dropped.

pub mod message; // names, in so many bytes
pub mod outbox; // what is told next, and when; pure
#[cfg(test)]
mod tests;

use crate::mutex::Mutex;
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

use super::{KubeError, Kubernetes, refusal};
use crate::kube::events::outbox::{News, Next, Outbox, Posted};
use crate::spec::Pod;

/// Time for one telling: a server that needs more is as good as away.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tellings: one value that many pods of a node have costs the API server five questions a second from there, no more.
const PACE: Duration = Duration::from_millis(200);
/// What people select these events by.
const REASON: &str = "SecretsUpdated";
/// Who tells, beside the node's name.
const COMPONENT: &str = "vaultmount";

/// Tells pods of new content, by the API server.
pub struct PodEvents {
    node: String,
    kubernetes: Kubernetes,
    outbox: Mutex<Outbox>,
    more: Notify,
    /// Kinds of failures that the log knows: by variant and HTTP status.
    complained: Mutex<HashSet<(Discriminant<KubeError>, u16)>>,
}

impl PodEvents {
    /// From the node of this name.
    pub fn new(node: String) -> Self {
        let (outbox, more, complained) = <_>::default();
        Self { node, kubernetes: Kubernetes::default(), outbox, more, complained }
    }

    /// Has `pod` told, soon or never, that `files` of its volume `volume` are new, gone or changed. Returns at once.
    ///
    /// Paths in the volume reach everybody who may read the pod's events; a volume without any is not told of.
    pub fn tell(&self, pod: &Pod, volume: &str, files: Vec<String>) {
        if files.is_empty() {
            return;
        }
        match self.outbox().add(pod, volume, files, Instant::now()) {
            true => self.more.notify_one(),
            false => count("dropped"),
        }
    }

    /// Tells what there is to tell, for as long as the process lives.
    ///
    /// Needs `create` and `patch` on `events` of all namespaces, which our manifests do not give.
    pub async fn run(&self) {
        loop {
            let next = self.outbox().next(Instant::now());
            match next {
                Next::Tell(news) => {
                    self.post(news).await;
                    sleep(PACE).await;
                }
                Next::Wait(None) => self.more.notified().await,
                Next::Wait(Some(until)) => tokio::select! {
                    () = self.more.notified() => {}
                    () = sleep_until(until) => {}
                },
            }
        }
    }

    /// One try: what fails is not told.
    async fn post(&self, news: News) {
        let posted = timeout(PATIENCE, self.posted(&news)).await;
        match posted.unwrap_or_else(|_| Err(KubeError::Silent(asked(&news.pod)))) {
            Ok((name, times)) => {
                count("told");
                self.outbox().told(news, Posted { name, times, until: Instant::now() + outbox::REPEATS });
            }
            Err(error) => {
                count("failed");
                self.complain(&error);
            }
        }
    }

    /// Counts up the event that says the same, or makes one: its name, and how often it was told.
    async fn posted(&self, news: &News) -> Result<(String, i32), KubeError> {
        let events: Api<Event> = Api::namespaced(self.kubernetes.client().await?, &news.pod.namespace);
        let failure = |error| refusal(asked(&news.pod), error);
        if let Some(Posted { name, times, .. }) = &news.before {
            let (name, times) = (name.clone(), times.saturating_add(1));
            let again = json!({"count": times, "lastTimestamp": now()});
            match events.patch_metadata(&name, &PatchParams::default(), &Patch::Merge(again)).await {
                // The API server forgets events, or somebody has removed this one.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                patched => return patched.map(|_| (name, times)).map_err(failure),
            }
        }
        let made = events.create(&PostParams::default(), &self.event(news)).await.map_err(failure)?;
        Ok((made.metadata.name.ok_or_else(|| KubeError::Empty(asked(&news.pod)))?, 1))
    }

    fn event(&self, News { pod, message, .. }: &News) -> Event {
        let metadata = ObjectMeta {
            namespace: Some(pod.namespace.clone()),
            // The API server cuts it to fit, and ends it by a word of its own.
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

    /// Logs the first failure of its kind: what comes after is in the metric.
    fn complain(&self, error: &KubeError) {
        let status = if let KubeError::Refused { status, .. } = error { *status } else { 0 };
        let is_first = self.complained.lock().insert((discriminant(error), status));
        match (is_first, status) {
            (false, _) => debug!("{error}"),
            (true, 403) => warn!("{error}; the right is given by deploy/pod-events (logged once)"),
            (true, _) => warn!("{error} (logged once)"),
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock()
    }
}

/// The pod of exactly this uid: a later one of the same name is not meant.
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

fn asked(pod: &Pod) -> String {
    format!("tell pod {}/{} of new content", pod.namespace, pod.name)
}

fn count(outcome: &'static str) {
    counter!("vaultmount_pod_events_total", "outcome" => outcome).increment(1);
}
