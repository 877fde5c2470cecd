//! The kubelet's request, remembered: the rotation loop of driver 1.5 sends the class's parameters alone, and a look of our own none.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Flavor, parameters};
use crate::class::attributes::{ACCOUNT, CLASS, NAME, NAMESPACE, UID};
use crate::spec::Pod;

/// Parameters as the last request had them, and which of them are the pod's own. Prints none: a class may hold passwords.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedRequest {
    /// The class's parameters with the pod's over them.
    #[serde(rename = "parameters")]
    parameters: BTreeMap<String, String>,
    /// The pod's, once a request without them has told them apart.
    #[serde(rename = "own")]
    own: Option<BTreeMap<String, String>>,
    /// Name of the class, where the kubelet asked.
    #[serde(default, rename = "class")]
    class: Option<String>,
    /// The request's own mode of files.
    #[serde(default, rename = "mode")]
    mode: u32,
    /// Of the socket that it came by.
    #[serde(default, rename = "flavor")]
    flavor: Flavor,
}

impl RememberedRequest {
    /// As a request that names its class has them.
    pub(crate) fn new(parameters: BTreeMap<String, String>, class: Option<String>) -> Self {
        Self { parameters, class, ..Self::default() }
    }

    /// The same with what stands beside the parameters.
    pub(crate) fn with(self, mode: u32, flavor: Flavor) -> Self {
        Self { mode, flavor, ..self }
    }

    /// Of the socket by which the request came.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    pub(crate) fn mode(&self) -> u32 {
        self.mode
    }

    /// The attributes of the request, for `pod` and without tokens, as JSON.
    pub(crate) fn attributes(&self, pod: &Pod) -> String {
        let vouched = [
            (NAMESPACE, &pod.namespace),
            (NAME, &pod.name),
            (UID, &pod.uid),
            (ACCOUNT, &pod.service_account),
        ];
        let class = self.class.iter().map(|class| (CLASS, class));
        let written = self.parameters.iter().map(|(name, value)| (name.as_str(), value));
        let all: BTreeMap<_, _> = written.chain(class).chain(vouched).collect();
        serde_json::to_string(&all).unwrap_or_default()
    }

    /// Lays the pod's own over `sent`, a class's parameters alone. The first such request tells which are the pod's: those that it lacks, and of
    /// those that it has otherwise the ones that [`stays`]. Returns what nobody can tell for certain, for the log.
    pub(crate) fn complete(&mut self, sent: &mut BTreeMap<String, String>) -> Vec<String> {
        let mut doubts = Vec::new();
        let own = self.own.get_or_insert_with(|| {
            let differing = self.parameters.iter().filter(|(name, value)| sent.get(*name) != Some(value));
            let own = differing.filter(|(name, _)| {
                !sent.contains_key(*name) || {
                    doubts.push(doubt(name));
                    stays(name)
                }
            });
            own.map(|(name, value)| (name.clone(), value.clone())).collect()
        });
        sent.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
        self.parameters.clone_from(sent);
        doubts
    }
}

/// Whether a parameter that the class has otherwise than the pod's volume is the pod's own, and no older word of the class: nothing that driver 1.5
/// sends tells the two apart. Who edits a class soon after a mount changes what the volume holds; who overrides it in a pod, as whom it logs in,
/// and who may read its files.
fn stays(name: &str) -> bool {
    !parameters::is_of_content(name)
}

fn doubt(name: &str) -> String {
    let taken = if stays(name) {
        "the pod's own volumeAttributes are taken to say so; if the class was edited, make the pod anew"
    } else {
        "the class is taken to be edited; a pod's own volumeAttributes of that name are lost, as driver 1.5 sends none when it rotates"
    };
    format!("parameter {name:.64} is another in the class than the volume was mounted with: {taken}")
}

impl fmt::Debug for RememberedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Published({} parameters)", self.parameters.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_the_pod_said_stays_and_what_the_class_says_changes() {
        let mut published = RememberedRequest::new(
            parameters(&[("roleName", "pods"), ("objects", "one"), ("audience", "a")]),
            None,
        );
        let mut first = parameters(&[("roleName", "class"), ("objects", "one")]);
        let doubts = published.complete(&mut first);
        assert!(matches!(&doubts[..], [doubt] if doubt.contains("roleName")), "{doubts:?}");
        assert_eq!(first, parameters(&[("roleName", "pods"), ("objects", "one"), ("audience", "a")]));
        let mut edited = parameters(&[("roleName", "class"), ("objects", "two")]);
        assert_eq!(published.complete(&mut edited), [""; 0]);
        assert_eq!(edited, parameters(&[("roleName", "pods"), ("objects", "two"), ("audience", "a")]));
    }

    #[test]
    fn a_class_that_was_edited_before_the_first_question_counts_in_what_the_volume_holds() {
        let mounted = [
            ("vaultAddress", "http://own"),
            ("objects", "one"),
            ("refresh", "30s"),
            ("vaultNamespace", "own"),
            ("filePermission", "0400"),
        ];
        let mut published = RememberedRequest::new(parameters(&mounted), None);
        let sent = [
            ("vaultAddress", "http://class"),
            ("objects", "two"),
            ("refresh", "5s"),
            ("filePermission", "0644"),
        ];
        let mut first = parameters(&sent);
        assert_eq!(published.complete(&mut first).len(), 4);
        let expected = [
            ("vaultAddress", "http://own"),
            ("objects", "two"),
            ("refresh", "5s"),
            ("vaultNamespace", "own"),
            ("filePermission", "0400"),
        ];
        assert_eq!(first, parameters(&expected));
    }
}
