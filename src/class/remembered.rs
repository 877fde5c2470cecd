//! Completes requests that lack a part of the kubelet's request: the rotation of driver 1.5 sends only the class's parameters, and a background
//! poll has no request at all.

use std::collections::BTreeMap;

use crate::class::attribute_keys::{ACCOUNT, CLASS, NAME, NAMESPACE, UID};
use crate::class::parameter_table::is_content;
use crate::spec::{Pod, RememberedRequest};

/// The attributes of the request for `pod`, without tokens, as JSON.
pub(crate) fn attributes(remembered: &RememberedRequest, pod: &Pod) -> String {
    let pod =
        [(NAMESPACE, &pod.namespace), (NAME, &pod.name), (UID, &pod.uid), (ACCOUNT, &pod.service_account)];
    let class = remembered.class.iter().map(|class| (CLASS, class));
    let parameters = remembered.parameters.iter().map(|(name, value)| (name.as_str(), value));
    let all: BTreeMap<_, _> = parameters.chain(class).chain(pod).collect();
    serde_json::to_string(&all).unwrap_or_default()
}

/// Overrides `sent`, the parameters of a class alone, with the parameters of the pod. Returns warnings about what cannot be decided for certain.
///
/// The first such request shows which parameters are the pod's own: those that it lacks and, of those that have another value in it, the
/// ones that [`is_the_pods`] names.
pub(crate) fn complete(
    remembered: &mut RememberedRequest,
    sent: &mut BTreeMap<String, String>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let own = remembered.own.get_or_insert_with(|| {
        let different = remembered.parameters.iter().filter(|(name, value)| sent.get(*name) != Some(value));
        let own = different.filter(|(name, _)| {
            !sent.contains_key(*name) || {
                warnings.push(warning(name));
                is_the_pods(name)
            }
        });
        own.map(|(name, value)| (name.clone(), value.clone())).collect()
    });
    sent.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
    remembered.parameters.clone_from(sent);
    warnings
}

/// True if a parameter whose value differs between the class and the volume is treated as the pod's own, rather than as an older value of the
/// class. The requests of driver 1.5 do not say which of the two it is. People who edit a class soon after a mount change the content of the
/// volume; people who override the class in a pod change the login and who may read the files.
fn is_the_pods(name: &str) -> bool {
    !is_content(name)
}

fn warning(name: &str) -> String {
    let decision = if is_the_pods(name) {
        "vaultmount treats it as set by the pod's volumeAttributes; if the class was edited instead, recreate the pod"
    } else {
        "vaultmount treats the class as edited; a value of the pod's volumeAttributes is lost, because driver 1.5 does not send it when it rotates"
    };
    format!("parameter {name:.64} differs between the class and the mounted volume: {decision}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn parameters_of_the_pod_stay_and_parameters_of_the_class_change() {
        let mut remembered = RememberedRequest::new(
            parameters(&[("roleName", "pods"), ("objects", "one"), ("audience", "a")]),
            None,
        );
        let mut first = parameters(&[("roleName", "class"), ("objects", "one")]);
        let warnings = complete(&mut remembered, &mut first);
        assert!(matches!(&warnings[..], [warning] if warning.contains("roleName")), "{warnings:?}");
        assert_eq!(first, parameters(&[("roleName", "pods"), ("objects", "one"), ("audience", "a")]));
        let mut edited = parameters(&[("roleName", "class"), ("objects", "two")]);
        assert_eq!(complete(&mut remembered, &mut edited), [""; 0]);
        assert_eq!(edited, parameters(&[("roleName", "pods"), ("objects", "two"), ("audience", "a")]));
    }

    #[test]
    fn a_class_that_was_edited_before_the_first_rotation_changes_the_content_of_the_volume() {
        let mounted = [
            ("vaultAddress", "http://own"),
            ("objects", "one"),
            ("refresh", "30s"),
            ("vaultNamespace", "own"),
            ("filePermission", "0400"),
        ];
        let mut remembered = RememberedRequest::new(parameters(&mounted), None);
        let sent = [
            ("vaultAddress", "http://class"),
            ("objects", "two"),
            ("refresh", "5s"),
            ("filePermission", "0644"),
        ];
        let mut first = parameters(&sent);
        assert_eq!(complete(&mut remembered, &mut first).len(), 4);
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
