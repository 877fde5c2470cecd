//! What identifies a volume.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::spec::{Digest, MountSpec, Pod};
use crate::state::RecordId;

/// Directory, pod and, where several classes share one directory, class of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct VolumeId {
    /// The directory on the node.
    #[serde(rename = "target_path")]
    pub(crate) target_path: String,
    /// The pod, with its uid.
    #[serde(rename = "pod")]
    pub(crate) pod: Pod,
    /// A digest of the class's parameters, for the sync controller sends one path for all classes. A directory of the kubelet's has one class, and
    /// `None` here: the rotation loop of driver 1.5 sends no name of the class, so the digest would differ between requests.
    #[serde(rename = "parameters")]
    pub(crate) parameters: Option<Digest>,
}

impl VolumeId {
    /// The id of the volume of `spec`.
    pub(crate) fn of(spec: &MountSpec) -> Self {
        let below_kubelet =
            spec.target_path.contains(&format!("/{}/volumes/kubernetes.io~csi/", spec.pod.uid));
        let parameters = (!below_kubelet).then_some(spec.parameters);
        Self { target_path: spec.target_path.clone(), pod: spec.pod.clone(), parameters }
    }

    /// The volume's name in login keys and record ids.
    pub(crate) fn name(&self) -> String {
        let parameters = self
            .parameters
            .as_ref()
            .map(|digest| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let Pod { namespace, service_account, uid, .. } = &self.pod;
        format!("{uid} {namespace}/{service_account} {} {}", self.target_path, parameters.unwrap_or_default())
    }

    /// The id of the volume's record.
    pub(crate) fn record(&self) -> RecordId {
        RecordId::of(&["volume", &self.name()])
    }

    /// A number of 0 to 1 that is always the same for this volume: it spreads the renewals of volumes that were mounted together.
    pub(crate) fn fraction(&self) -> f64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        fraction(hasher.finish())
    }
}

/// `hash` as a number of 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "a rough number will do")]
pub(crate) fn fraction(hash: u64) -> f64 {
    hash as f64 / u64::MAX as f64
}
