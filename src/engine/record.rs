//! Issued responses in the form in which a sealed record stores them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::{DataAt, Fetched, pki};
use crate::certificate::NodeKey;
use crate::secret::WipedMap;
use crate::spec::{EngineRequest, KeyForm, KeyPlace, Source};
use crate::vault::VaultResponse;

/// A response, with its private key if the node generated that. Holds secrets: only for sealed records. Wiped on drop.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredIssued {
    #[serde(rename = "answer")]
    response: WipedMap,
    #[serde(rename = "at")]
    at: DataAt,
    /// PKCS#8 in PEM.
    #[serde(rename = "key")]
    key: Option<PrivateKeyText>,
}

/// A private key in PEM. Wiped on drop.
struct PrivateKeyText(Zeroizing<String>);

impl Serialize for PrivateKeyText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PrivateKeyText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Zeroizing::new(text)))
    }
}

impl Fetched {
    /// The part of the response to `source` that a record stores; `None` for a response that is read again anyway.
    pub(crate) fn to_record(&self, source: &Source) -> Option<StoredIssued> {
        let stored = |response: &VaultResponse, at, key| {
            Some(StoredIssued { response: WipedMap::copy_of(response.members()), at, key })
        };
        match (self, &source.request) {
            (Self::VaultResponse(response, at), _) => stored(response, *at, None),
            (Self::Certificate(identity, response), EngineRequest::Certificate(request)) => {
                let key = match request.key {
                    KeyPlace::Vault => None,
                    KeyPlace::Node(_) => {
                        let pem = identity.private_key(KeyForm::Pkcs8).ok()?;
                        Some(PrivateKeyText(Zeroizing::new(pem.expose_text()?.to_owned())))
                    }
                };
                stored(response, DataAt::Data, key)
            }
            (Self::Certificate(..) | Self::Authorities(..) | Self::Text(..), _) => None,
        }
    }

    /// The response to `source` that a record stored. A certificate is checked against the request again; `None` if it does not match.
    pub(crate) fn from_record(source: &Source, stored: StoredIssued) -> Option<Self> {
        let StoredIssued { response, at, key } = stored;
        let response = VaultResponse::from(response);
        match &source.request {
            EngineRequest::Certificate(request) => {
                let key = key.map(|PrivateKeyText(pem)| NodeKey::from_pem(&pem)).transpose().ok()?;
                let identity = pki::identity(request, &response, key).ok()?;
                Some(Self::Certificate(Box::new(identity), response))
            }
            EngineRequest::Request(_)
            | EngineRequest::Kv(_)
            | EngineRequest::Authorities { .. }
            | EngineRequest::Transit(_)
            | EngineRequest::S5(_) => Some(Self::VaultResponse(response, at)),
        }
    }
}
