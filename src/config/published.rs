//! The kubelet's request, remembered: the rotation loop of driver 1.5 sends the class's parameters alone, and a look of our own none.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::attributes::{ACCOUNT, CLASS, NAME, NAMESPACE, UID};
use super::{Flavor, Pod};

/// Parameters as the last request had them, and which of them are the pod's own. Prints none: a class may hold passwords.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The class's parameters with the pod's over them.
    parameters: BTreeMap<String, String>,
    /// The pod's, once a request without them has told them apart.
    own: Option<BTreeMap<String, String>>,
    /// Name of the class, where the kubelet asked.
    #[serde(default)]
    class: Option<String>,
    /// The request's own mode of files.
    #[serde(default)]
    mode: u32,
    /// Of the socket that it came by.
    #[serde(default)]
    flavor: Flavor,
}

impl Published {
    /// As a request that names its class has them.
    pub(super) fn new(parameters: BTreeMap<String, String>, class: Option<String>) -> Self {
        Self { parameters, class, ..Self::default() }
    }

    /// The same with what stands beside the parameters.
    pub(super) fn with(self, mode: u32, flavor: Flavor) -> Self {
        Self { mode, flavor, ..self }
    }

    /// Of the socket by which the request came.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    pub(super) fn mode(&self) -> u32 {
        self.mode
    }

    /// The attributes of the request, for `pod` and without tokens, as JSON.
    pub(super) fn attributes(&self, pod: &Pod) -> String {
        let vouched = [(NAMESPACE, &pod.namespace), (NAME, &pod.name), (UID, &pod.uid), (ACCOUNT, &pod.service_account)];
        let class = self.class.iter().map(|class| (CLASS, class));
        let written = self.parameters.iter().map(|(name, value)| (name.as_str(), value));
        let all: BTreeMap<_, _> = written.chain(class).chain(vouched).collect();
        serde_json::to_string(&all).unwrap_or_default()
    }

    /// Lays the pod's own over `sent`, a class's parameters alone. The first such request tells which are the pod's: those that it lacks, or has
    /// otherwise. A class that was changed before that counts as the pod's word, until the kubelet asks again.
    pub(super) fn complete(&mut self, sent: &mut BTreeMap<String, String>) {
        let own = self.own.get_or_insert_with(|| {
            let parameters = self.parameters.iter();
            parameters.filter(|(name, value)| sent.get(*name) != Some(value)).map(|(name, value)| (name.clone(), value.clone())).collect()
        });
        sent.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
        self.parameters.clone_from(sent);
    }
}

impl fmt::Debug for Published {
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
        let mut published = Published::new(parameters(&[("roleName", "pods"), ("objects", "one"), ("audience", "a")]), None);
        let mut first = parameters(&[("roleName", "class"), ("objects", "one")]);
        published.complete(&mut first);
        assert_eq!(first, parameters(&[("roleName", "pods"), ("objects", "one"), ("audience", "a")]));
        let mut edited = parameters(&[("roleName", "class"), ("objects", "two")]);
        published.complete(&mut edited);
        assert_eq!(edited, parameters(&[("roleName", "pods"), ("objects", "two"), ("audience", "a")]));
    }
}
