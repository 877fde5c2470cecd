//! The attributes of a request, in JSON: parameters, the pod, its tokens.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::class::attribute_keys::{
    ACCOUNT, CLASS, NAME, NAMESPACE, RESERVED_PREFIX, TOKENS, UID, is_parameter,
};
use crate::class::diagnostics::{Diagnostics, SpecError};
use crate::class::remembered::complete;
use crate::digest;
use crate::secret::Secret;
use crate::spec::{Digest, Pod, RememberedRequest};

/// Maximum length of `attributes`, in bytes: well above what the kubelet and the driver send for the largest realistic class.
const ATTRIBUTES_BYTES: usize = 512 * 1024;

/// Maximum length of a parameter, `objects` included, in bytes.
const PARAMETER_BYTES: usize = 64 * 1024;

/// `attributes` as sent: the class's parameters, overridden by the pod's `volumeAttributes`, and the keys that the kubelet and the driver set.
pub(crate) struct Attributes {
    values: BTreeMap<String, String>,
    tokens: Option<Secret>,
}

impl Attributes {
    /// Parses the JSON of a request.
    ///
    /// # Errors
    /// It is not an object of texts, or it is too long.
    pub(crate) fn parse(text: &str) -> Result<Self, SpecError> {
        check_length("the request's attributes", text, ATTRIBUTES_BYTES)?;
        let mut json = serde_json::Deserializer::from_str(text);
        let parsed =
            json.deserialize_map(AttributesVisitor).and_then(|attributes| json.end().map(|()| attributes));
        // The text of the error may quote a value.
        let attributes =
            parsed.map_err(|error| SpecError::Attributes { line: error.line(), column: error.column() })?;
        attributes.values.iter().try_for_each(|(name, value)| {
            check_length(format_args!("parameter {name:.64}"), value, PARAMETER_BYTES)
        })?;
        Ok(attributes)
    }

    /// Adds the remembered parameters of the pod to a request that contains only the class's, and returns the request to remember from now on.
    /// A request of the kubelet is complete: it names its class.
    pub(crate) fn complete(
        &mut self,
        remembered: &dyn Fn() -> Option<RememberedRequest>,
        found: &mut Diagnostics,
    ) -> RememberedRequest {
        let parameters = self.values.iter().filter(|(name, _)| is_parameter(name));
        let mut parameters: BTreeMap<String, String> =
            parameters.map(|(name, value)| (name.clone(), value.clone())).collect();
        match (!self.values.contains_key(CLASS)).then(remembered).flatten() {
            Some(mut remembered) => {
                found.warnings.extend(complete(&mut remembered, &mut parameters));
                self.values.extend(parameters);
                remembered
            }
            None => RememberedRequest::new(parameters, self.values.get(CLASS).cloned()),
        }
    }

    /// The value of `name`, as written.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The name `prefix` + `suffix`, and its value.
    pub(crate) fn prefixed(&self, prefix: &str, suffix: &str) -> Option<(&str, &str)> {
        let (name, value) = self.values.iter().find(|(name, _)| name.strip_prefix(prefix) == Some(suffix))?;
        Some((name, value))
    }

    /// The names of the parameters that are written in the class or in the pod.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str).filter(|name| is_parameter(name))
    }

    /// A hash of the parameters: names and values in the order of the names, each after its length (8 bytes, big-endian).
    pub(crate) fn digest(&self) -> Digest {
        digest::of(self.parameters().flat_map(|name| [name, self.get(name).unwrap_or_default()]))
    }

    /// All tokens of the pod, in JSON; `None` if the driver passes none.
    pub(crate) fn tokens(&self) -> Option<&str> {
        self.tokens.as_ref().and_then(Secret::expose_text).filter(|tokens| !tokens.is_empty())
    }

    /// The pod, as the kubelet reports it. The sync controller sends its own pod, with the service account of another one.
    pub(crate) fn pod(&self, found: &mut Diagnostics) -> Option<Pod> {
        let mut required = |key: &'static str| {
            let value = self.get(key).filter(|value| !value.is_empty());
            found.take(value.map(str::to_owned).ok_or(SpecError::PodInfo { key }))
        };
        let namespace = required(NAMESPACE);
        let name = required(NAME);
        let uid = required(UID);
        let service_account = required(ACCOUNT);
        Some(Pod { namespace: namespace?, name: name?, uid: uid?, service_account: service_account? })
    }
}

/// True if `secrets` (nodePublishSecretRef) contains a secret, which vaultmount does not use. It is usually `null`, `{}` or empty.
pub(crate) fn has_secrets(secrets: &str) -> Result<bool, SpecError> {
    if secrets.is_empty() {
        return Ok(false);
    }
    let parsed: Result<Option<BTreeMap<String, IgnoredAny>>, _> = serde_json::from_str(secrets);
    let secrets = parsed.map_err(|_| SpecError::Call { field: "secrets", fault: "are not a JSON object" })?;
    // From Kubernetes 1.35 on the kubelet may put the tokens there; the driver copies them into the attributes.
    Ok(secrets.is_some_and(|secrets| secrets.keys().any(|key| !key.starts_with(RESERVED_PREFIX))))
}

fn check_length(what: impl fmt::Display, text: &str, limit: usize) -> Result<(), SpecError> {
    if text.len() <= limit {
        Ok(())
    } else {
        Err(SpecError::TooLong { what: what.to_string(), bytes: text.len(), limit })
    }
}

struct AttributesVisitor;

impl<'de> Visitor<'de> for AttributesVisitor {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
        let mut attributes = Attributes { values: BTreeMap::new(), tokens: None };
        while let Some(name) = map.next_key::<String>()? {
            // Go reads null as an empty text.
            let text = map.next_value::<Option<String>>()?.unwrap_or_default();
            if name == TOKENS {
                attributes.tokens = Some(Secret::from(text));
            } else {
                attributes.values.insert(name, text);
            }
        }
        Ok(attributes)
    }
}
