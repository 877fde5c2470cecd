//! What was made, as a sealed record keeps it, and back.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DataAt, Fetched, pki};
use crate::certificate::NodeKey;
use crate::spec::{EngineRequest, KeyForm, KeyPlace, Source};
use crate::vault::VaultResponse;

/// An answer with its own key, if that was made here. Holds secrets: for sealed records alone.
#[derive(Serialize, Deserialize)]
pub struct StoredIssued {
    #[serde(rename = "answer")]
    answer: Map<String, Value>,
    #[serde(rename = "at")]
    at: DataAt,
    /// PKCS#8 in PEM.
    #[serde(rename = "key")]
    key: Option<String>,
}

impl Fetched {
    /// What is kept of an answer to `source`; `None` for what is read anew anyway.
    pub fn to_record(&self, source: &Source) -> Option<StoredIssued> {
        let kept = |answer: &VaultResponse, at, key| {
            Some(StoredIssued { answer: answer.members().clone(), at, key })
        };
        match (self, &source.request) {
            (Self::VaultResponse(answer, at), _) => kept(answer, *at, None),
            (Self::Certificate(identity, answer), EngineRequest::Certificate(ask)) => {
                let key = match ask.key {
                    KeyPlace::Vault => None,
                    KeyPlace::Node(_) => {
                        Some(identity.private_key(KeyForm::Pkcs8).ok()?.expose_text()?.to_owned())
                    }
                };
                kept(answer, DataAt::Data, key)
            }
            _ => None,
        }
    }

    /// The answer to `source` that was kept, held against the question once more; `None` when it is none.
    pub fn of_record(source: &Source, kept: StoredIssued) -> Option<Self> {
        let StoredIssued { answer, at, key } = kept;
        let answer = VaultResponse::from(answer);
        match &source.request {
            EngineRequest::Certificate(ask) => {
                let node = key.map(|key| NodeKey::from_pem(&key)).transpose().ok()?;
                let identity = pki::identity(ask, &answer, node).ok()?;
                Some(Self::Certificate(Box::new(identity), answer))
            }
            _ => Some(Self::VaultResponse(answer, at)),
        }
    }
}
