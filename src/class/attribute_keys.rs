//! The keys of a request's attributes that the kubelet and the driver add to the class's parameters.

/// Prefix of the keys that the kubelet and the driver set. Vaultmount checks none of them for being known.
pub(crate) const RESERVED_PREFIX: &str = "csi.storage.k8s.io/";

/// All service account tokens of the pod, in JSON.
pub(crate) const TOKENS: &str = "csi.storage.k8s.io/serviceAccount.tokens";

/// The name of the class, set by the driver.
pub(crate) const CLASS: &str = "secretProviderClass";

/// Keys that the driver reads itself and passes on.
pub(crate) const DRIVER: [&str; 2] = [CLASS, "providerName"];

/// The pod of the volume, set by the kubelet.
pub(crate) const NAMESPACE: &str = "csi.storage.k8s.io/pod.namespace";
pub(crate) const NAME: &str = "csi.storage.k8s.io/pod.name";
pub(crate) const UID: &str = "csi.storage.k8s.io/pod.uid";
pub(crate) const ACCOUNT: &str = "csi.storage.k8s.io/serviceAccount.name";

/// True for a parameter that is written in a class or in a pod.
pub(crate) fn is_parameter(name: &str) -> bool {
    !name.starts_with(RESERVED_PREFIX) && !DRIVER.contains(&name)
}
