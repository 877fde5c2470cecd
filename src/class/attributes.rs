//! The request's JSON: parameters, the pod, its tokens.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{RememberedRequest, SpecError};
use crate::class::diagnostics::Diagnostics;
use crate::digest;
use crate::secret::Secret;
use crate::spec::{Digest, Pod};

/// Longest `attributes`, in bytes: well above what kubelet and driver make of the largest sensible class.
const ATTRIBUTES_BYTES: usize = 512 * 1024;

/// Longest parameter, in bytes; `objects` too.
const PARAMETER_BYTES: usize = 64 * 1024;

/// Keys that kubelet and driver add; nobody's to judge.
const VOUCHED: &str = "csi.storage.k8s.io/";
const TOKENS: &str = "csi.storage.k8s.io/serviceAccount.tokens";

/// Keys that the driver's own machinery reads and passes on.
const DRIVERS: [&str; 2] = [CLASS, "providerName"];

/// Where the driver names the class.
pub(crate) const CLASS: &str = "secretProviderClass";

/// Where the kubelet tells whose the volume is.
pub(crate) const NAMESPACE: &str = "csi.storage.k8s.io/pod.namespace";
pub(crate) const NAME: &str = "csi.storage.k8s.io/pod.name";
pub(crate) const UID: &str = "csi.storage.k8s.io/pod.uid";
pub(crate) const ACCOUNT: &str = "csi.storage.k8s.io/serviceAccount.name";

/// Whether someone wrote it into a class or a pod.
fn is_written(name: &str) -> bool {
    !name.starts_with(VOUCHED) && !DRIVERS.contains(&name)
}

/// `attributes` as sent: the class's parameters with the pod's `volumeAttributes` copied over them, and what is vouched for.
pub(crate) struct Attributes {
    texts: BTreeMap<String, String>,
    tokens: Option<Secret>,
}

impl Attributes {
    pub(crate) fn parse(text: &str) -> Result<Self, SpecError> {
        within("the request's attributes", text, ATTRIBUTES_BYTES)?;
        let mut json = serde_json::Deserializer::from_str(text);
        let read = json.deserialize_map(Reader).and_then(|attributes| json.end().map(|()| attributes));
        // The error's own text may quote a value.
        let attributes =
            read.map_err(|error| SpecError::Attributes { line: error.line(), column: error.column() })?;
        let texts = attributes.texts.iter();
        texts.clone().try_for_each(|(name, value)| {
            within(format_args!("parameter {name:.64}"), value, PARAMETER_BYTES)
        })?;
        Ok(attributes)
    }

    /// Lays what is remembered of the kubelet's request over one that has the class alone, and gives what is to be remembered from now on.
    pub(crate) fn completed(
        &mut self,
        before: &dyn Fn() -> Option<RememberedRequest>,
        found: &mut Diagnostics,
    ) -> RememberedRequest {
        let written = |texts: &BTreeMap<String, String>| -> BTreeMap<String, String> {
            let written = texts.iter().filter(|(name, _)| is_written(name));
            written.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        match (!self.texts.contains_key(CLASS)).then(before).flatten() {
            Some(mut published) => {
                let mut sent = written(&self.texts);
                found.warnings.extend(published.complete(&mut sent));
                self.texts.extend(sent);
                published
            }
            None => RememberedRequest::new(written(&self.texts), self.texts.get(CLASS).cloned()),
        }
    }

    /// A value as it is written.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// The value of `prefix` and `suffix` as one name, and that name.
    pub(crate) fn prefixed(&self, prefix: &str, suffix: &str) -> Option<(&str, &str)> {
        let named = self.texts.iter().find(|(name, _)| name.strip_prefix(prefix) == Some(suffix))?;
        Some((named.0, named.1))
    }

    /// The names that someone wrote into a class or a pod.
    pub(crate) fn written(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str).filter(|name| is_written(name))
    }

    /// Of what was written, names and values: each with its length in front (8 bytes, big-endian), in the order of the names.
    pub(crate) fn digest(&self) -> Digest {
        digest::of(self.written().flat_map(|name| [name, self.get(name).unwrap_or_default()]))
    }

    /// All tokens of the pod, still in JSON; empty when the driver passes none.
    pub(crate) fn tokens(&self) -> Option<&str> {
        self.tokens.as_ref().and_then(Secret::expose_text).filter(|tokens| !tokens.is_empty())
    }

    /// The pod, as the kubelet vouches for it (the sync controller: its own pod, and another's service account).
    pub(crate) fn pod(&self, found: &mut Diagnostics) -> Option<Pod> {
        let mut vouched = |key: &'static str| {
            let value = self.get(key).filter(|value| !value.is_empty());
            found.take(value.map(str::to_owned).ok_or(SpecError::PodInfo { key }))
        };
        let namespace = vouched(NAMESPACE);
        let name = vouched(NAME);
        let uid = vouched(UID);
        let service_account = vouched(ACCOUNT);
        Some(Pod { namespace: namespace?, name: name?, uid: uid?, service_account: service_account? })
    }
}

/// True when `secrets` (nodePublishSecretRef) holds something, which is not used: `null`, `{}` and nothing are the rule.
pub(crate) fn has_secrets(secrets: &str) -> Result<bool, SpecError> {
    if secrets.is_empty() {
        return Ok(false);
    }
    let read: Result<Option<BTreeMap<String, IgnoredAny>>, _> = serde_json::from_str(secrets);
    let secrets = read.map_err(|_| SpecError::Call { field: "secrets", fault: "are not a JSON object" })?;
    // From Kubernetes 1.35 on the kubelet may put the tokens there; the driver copies them into the attributes.
    Ok(secrets.is_some_and(|secrets| secrets.keys().any(|key| !key.starts_with(VOUCHED))))
}

fn within(what: impl fmt::Display, text: &str, limit: usize) -> Result<(), SpecError> {
    if text.len() <= limit {
        Ok(())
    } else {
        Err(SpecError::TooLong { what: what.to_string(), bytes: text.len(), limit })
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
        let mut attributes = Attributes { texts: BTreeMap::new(), tokens: None };
        while let Some(name) = map.next_key::<String>()? {
            // Go reads null as the empty text.
            let text = map.next_value::<Option<String>>()?.unwrap_or_default();
            if name == TOKENS {
                attributes.tokens = Some(Secret::from(text));
            } else {
                attributes.texts.insert(name, text);
            }
        }
        Ok(attributes)
    }
}
