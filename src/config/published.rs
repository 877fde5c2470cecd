//! What a pod's own volumeAttributes say, remembered: the rotation loop of driver 1.5 sends the class's parameters alone.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Parameters as the kubelet's request had them, and which of them are the pod's own. Prints none: a class may hold passwords.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The class's parameters with the pod's over them.
    parameters: BTreeMap<String, String>,
    /// The pod's, once a request without them has told them apart.
    own: Option<BTreeMap<String, String>>,
}

impl Published {
    /// As a request that names its class has them.
    pub(super) fn new(parameters: BTreeMap<String, String>) -> Self {
        Self { parameters, own: None }
    }

    /// Lays the pod's own over `sent`, a class's parameters alone. The first such request tells which are the pod's: those that it lacks, or has
    /// otherwise. A class that was changed before that counts as the pod's word, until the kubelet asks again.
    pub(super) fn complete(&mut self, sent: &mut BTreeMap<String, String>) {
        let own = self.own.get_or_insert_with(|| {
            let parameters = self.parameters.iter();
            parameters.filter(|(name, value)| sent.get(*name) != Some(value)).map(|(name, value)| (name.clone(), value.clone())).collect()
        });
        sent.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
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
        let mut published = Published::new(parameters(&[("roleName", "pods"), ("objects", "one"), ("audience", "a")]));
        let mut first = parameters(&[("roleName", "class"), ("objects", "one")]);
        published.complete(&mut first);
        assert_eq!(first, parameters(&[("roleName", "pods"), ("objects", "one"), ("audience", "a")]));
        let mut edited = parameters(&[("roleName", "class"), ("objects", "two")]);
        published.complete(&mut edited);
        assert_eq!(edited, parameters(&[("roleName", "pods"), ("objects", "two"), ("audience", "a")]));
    }
}
