//! What makes a volume this one and no other.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::spec::{Digest, MountSpec, Pod};
use crate::state::RecordId;

/// A volume: its directory, whose it is, and of which class where several classes share one directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VolumeId {
    /// The directory on the node.
    #[serde(rename = "target_path")]
    pub target_path: String,
    /// The pod, with its uid.
    #[serde(rename = "pod")]
    pub pod: Pod,
    /// The class by its parameters: the sync controller sends one path for all. In a directory of the kubelet's there is one class, and its
    /// name would not be the same every time: the rotation loop of driver 1.5 sends none.
    #[serde(rename = "parameters")]
    pub parameters: Option<Digest>,
}

impl VolumeId {
    /// The volume that `spec` is for.
    pub fn of(spec: &MountSpec) -> Self {
        let below_kubelet =
            spec.target_path.contains(&format!("/{}/volumes/kubernetes.io~csi/", spec.pod.uid));
        let parameters = (!below_kubelet).then_some(spec.parameters);
        Self { target_path: spec.target_path.clone(), pod: spec.pod.clone(), parameters }
    }

    /// Its name among sessions and records.
    pub fn name(&self) -> String {
        let parameters = self
            .parameters
            .as_ref()
            .map(|digest| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let Pod { namespace, service_account, uid, .. } = &self.pod;
        format!("{uid} {namespace}/{service_account} {} {}", self.target_path, parameters.unwrap_or_default())
    }

    /// The name of its record.
    pub(crate) fn record(&self) -> RecordId {
        RecordId::of(&["volume", &self.name()])
    }

    /// A number of 0 to 1 that is the same each time: volumes that began together are renewed apart.
    pub(crate) fn chance(&self) -> f64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        part(hasher.finish())
    }
}

/// A number of 0 to 1, the same for the same `hash`.
#[expect(clippy::cast_precision_loss, reason = "a rough number will do")]
pub(crate) fn part(hash: u64) -> f64 {
    hash as f64 / u64::MAX as f64
}
