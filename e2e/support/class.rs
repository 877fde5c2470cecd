//! A SecretProviderClass.

use serde_json::{Map, Value, json};

use super::cluster::{OPENBAO, apply};

/// A class, not applied yet: by default for the socket `vault`, with the test's role.
pub(crate) struct Class {
    namespace: String,
    name: String,
    provider: String,
    parameters: Map<String, Value>,
    secret_objects: Vec<Value>,
}

impl Class {
    pub(super) fn new(namespace: &str, name: &str, objects: &str) -> Self {
        // Every request of the driver reads, so that a test does not wait for the default of 30 s.
        let parameters =
            json!({"vaultAddress": OPENBAO, "roleName": namespace, "objects": objects, "refresh": "0s"});
        let Value::Object(parameters) = parameters else { unreachable!() };
        Self {
            namespace: namespace.into(),
            name: name.into(),
            provider: "vault".into(),
            parameters,
            secret_objects: Vec::new(),
        }
    }

    /// Another socket than `vault`.
    pub(crate) fn provider(mut self, provider: &str) -> Self {
        self.provider = provider.into();
        self
    }

    /// Sets a parameter.
    pub(crate) fn parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// Removes a parameter.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.parameters.remove(name);
        self
    }

    /// Syncs files into an Opaque Secret: pairs of key and file.
    pub(crate) fn sync(self, secret: &str, data: &[(&str, &str)]) -> Self {
        self.sync_as("Opaque", secret, data)
    }

    /// Syncs files into a Secret of another type.
    pub(crate) fn sync_as(mut self, kind: &str, secret: &str, data: &[(&str, &str)]) -> Self {
        let data: Vec<_> = data.iter().map(|(key, file)| json!({"key": key, "objectName": file})).collect();
        self.secret_objects.push(
            json!({"secretName": secret, "type": kind, "labels": {"environment": "test"}, "data": data}),
        );
        self
    }

    /// Creates or changes the class in the cluster.
    pub(crate) fn apply(&self) {
        apply(&json!({
            "apiVersion": "secrets-store.csi.x-k8s.io/v1",
            "kind": "SecretProviderClass",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {"provider": self.provider, "parameters": self.parameters, "secretObjects": self.secret_objects},
        }));
    }
}
