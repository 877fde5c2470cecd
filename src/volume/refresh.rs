//! New content on demand: an operator wants everything of some volumes fetched and issued again.

use serde::{Deserialize, Serialize};

use super::{Volume, Volumes};

/// Which volumes an operator means. A volume must match every part that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VolumeFilter {
    /// The Kubernetes namespace.
    pub(crate) namespace: Option<String>,
    /// The name of the pod.
    pub(crate) pod: Option<String>,
    /// The name of the SecretProviderClass.
    pub(crate) class: Option<String>,
    /// The role in Vault.
    pub(crate) role: Option<String>,
}

/// A volume whose content is fetched and issued again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefreshedVolume {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    pub(crate) class: Option<String>,
    /// True if vaultmount writes the files and does so now; false if the driver must republish the volume first.
    pub(crate) is_now: bool,
}

impl Volumes {
    /// Has everything of the volumes that `filter` names fetched and issued again: at once where vaultmount writes the files, otherwise at the
    /// driver's next republish. Until then the pods keep what they have.
    pub(crate) fn refresh(&self, filter: &VolumeFilter) -> Vec<RefreshedVolume> {
        let volumes = self.all();
        let wanted: Vec<_> = volumes.iter().filter(|volume| filter.matches(volume)).collect();
        for volume in &wanted {
            let issued = volume.issued_caches().into_iter().flat_map(|cache| cache.all());
            issued.for_each(|(_, issued)| issued.set_unwanted());
            volume.tokens().iter().for_each(|token| token.forget_reads());
        }
        wanted.into_iter().map(|volume| self.refreshed(volume)).collect()
    }

    fn refreshed(&self, volume: &Volume) -> RefreshedVolume {
        let is_now = volume.is_own();
        if is_now {
            self.poll_soon(volume);
        }
        let pod = &volume.id().pod;
        RefreshedVolume {
            namespace: pod.namespace.clone(),
            pod: pod.name.clone(),
            class: class_of(volume),
            is_now,
        }
    }
}

impl VolumeFilter {
    fn matches(&self, volume: &Volume) -> bool {
        let fits = |wanted: &Option<String>, value: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| value == Some(wanted))
        };
        let pod = &volume.id().pod;
        let role = volume.state().owner.as_ref().map(|owner| owner.auth.role.clone());
        fits(&self.namespace, Some(&pod.namespace))
            && fits(&self.pod, Some(&pod.name))
            && fits(&self.class, class_of(volume).as_deref())
            && fits(&self.role, role.as_deref())
    }
}

fn class_of(volume: &Volume) -> Option<String> {
    volume.state().published.as_ref().and_then(|request| request.class.clone())
}
