//! One file an engine: its question, the call that asks it, and the answer held against the question.

pub mod answers; // the answers of one mount, by their sources
pub mod kv; // secrets of a KV engine
pub mod open; // ciphertexts: all of a key at once
pub mod pki; // certificates and the CAs of a mount
pub mod queue; // one at a time, and namespaces in turns
pub mod record; // what was made, as a sealed record keeps it
pub mod validity; // how long an answer may stand for another call
pub mod weight; // about how much memory values take

pub use answers::{FetchError, FetchResult, Responses};
pub use open::open;
pub use pki::part;
pub use record::StoredIssued;
pub use validity::life;
pub use weight::weight;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::certificate::{Authorities, CertificateError, Identity};
use crate::error::Reason;
use crate::limits::Budget;
use crate::render;
use crate::render::RenderError;
use crate::secret::Secret;
use crate::spec::{Encoding, EngineRequest, KvEngine, Selector, SelectorRoot, Source, SourceValue};
use crate::vault::{Login, VaultError, VaultResponse};

/// What Vault holds of a source.
pub enum Fetched {
    /// An answer, and where its data begins.
    VaultResponse(VaultResponse, DataAt),
    /// A certificate, and the answer that it came in.
    Certificate(Box<Identity>, VaultResponse),
    /// The CAs of a mount, and the answer that they came in.
    Authorities(Box<Authorities>, VaultResponse),
    /// Opened ciphertext, and the id of the answer that it came in with others.
    Text(Secret, Option<Arc<str>>),
}

/// Where an answer keeps the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DataAt {
    /// In `data`.
    #[serde(rename = "Data")]
    Data,
    /// In `data.data`.
    #[serde(rename = "DataData")]
    DataData,
    /// In `data.data` where that is an object, else in `data`: the peers' rule for calls of which nobody knows the engine. A KV v1
    /// secret with an object named `data` is therefore read as KV v2.
    #[serde(rename = "Either")]
    Either,
}

/// Why a source gave nothing. Holds no value.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The call failed, or its answer is not one to the question.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The certificate is not the one that was asked for.
    #[error("the certificate of {role}: {error}")]
    Certificate {
        /// Mount and role, or the path, where it was asked for.
        role: String,
        /// What is wrong with it.
        error: CertificateError,
    },
    /// The answer cannot be used as it should be.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Another source, which this one is made from, gave nothing.
    #[error("{}", .0.what)]
    Origin(FetchError),
}

impl EngineError {
    /// The stable cause.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Vault(error) => error.reason(),
            Self::Certificate { error, .. } => error.reason(),
            Self::Render(error) => error.reason(),
            Self::Origin(miss) => miss.reason,
        }
    }
}

/// Asks Vault for `source`; ciphertext is opened with its neighbours, by `open`.
pub async fn fetch(login: &Login, source: &Source, budget: &Budget) -> Result<Fetched, EngineError> {
    let namespace = source.namespace.as_deref();
    match &source.request {
        EngineRequest::Request(request) => {
            Ok(Fetched::VaultResponse(login.call(request, namespace, budget).await?, DataAt::Either))
        }
        EngineRequest::Kv(read) => {
            let answer = login.call(&kv::request(read), namespace, budget).await.map_err(kv::told)?;
            let at = if read.engine == KvEngine::V1 { DataAt::Data } else { DataAt::DataData };
            kv::held(read, &answer)?;
            Ok(Fetched::VaultResponse(answer, at))
        }
        EngineRequest::Certificate(ask) => pki::certificate(login, ask, namespace, budget).await,
        EngineRequest::Authorities { mount } => pki::authorities(login, mount, namespace, budget).await,
        EngineRequest::Transit(_) | EngineRequest::S5(_) => Err(EngineError::Origin(FetchError {
            reason: Reason::Bug,
            what: format!("{source} has no call of its own"),
        })),
    }
}

impl Fetched {
    /// About how many bytes it takes.
    pub fn weight(&self) -> usize {
        match self {
            Self::VaultResponse(answer, _) | Self::Certificate(_, answer) | Self::Authorities(_, answer) => {
                answer.members().iter().map(|(name, value)| name.len() + weight(value)).sum()
            }
            Self::Text(text, _) => text.len(),
        }
    }

    /// The answer that it came in; opened ciphertext comes with others.
    fn answer(&self) -> Option<&VaultResponse> {
        match self {
            Self::VaultResponse(answer, _) | Self::Certificate(_, answer) | Self::Authorities(_, answer) => {
                Some(answer)
            }
            Self::Text(..) => None,
        }
    }

    /// True when something lives on at the server that ends with the token: a lease, another token, or what is wrapped.
    pub fn is_leased(&self) -> bool {
        self.answer().is_some_and(VaultResponse::is_leased)
    }

    /// Its lease: the id, how long it lives, and whether it may be renewed.
    pub fn lease(&self) -> Option<(&str, Duration, bool)> {
        self.answer()?.lease()
    }

    /// The id by which the server's audit log knows the answer.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::VaultResponse(answer, _) | Self::Certificate(_, answer) | Self::Authorities(_, answer) => {
                answer.request_id()
            }
            Self::Text(_, id) => id.as_deref(),
        }
    }

    /// The members that ways into it begin at.
    pub fn start(&self, start: SelectorRoot, source: &Source) -> Result<&Map<String, Value>, RenderError> {
        let missing = |start| RenderError::StartMissing { path: source.to_string(), start };
        match self {
            Self::VaultResponse(answer, at) => match start {
                SelectorRoot::Response => Ok(answer.members()),
                SelectorRoot::Metadata => at.metadata(answer.members()).ok_or_else(|| missing("metadata")),
                SelectorRoot::Data => at.data(answer.members()).ok_or_else(|| missing("data")),
            },
            Self::Certificate(_, answer) | Self::Authorities(_, answer) => match start {
                SelectorRoot::Response => Ok(answer.members()),
                SelectorRoot::Metadata => Err(missing("metadata")),
                SelectorRoot::Data => DataAt::Data.data(answer.members()).ok_or_else(|| missing("data")),
            },
            Self::Text(..) => Err(missing("members")),
        }
    }

    /// The value that `selection` leads to.
    pub fn value<'f>(&'f self, selection: &SourceValue) -> Result<Cow<'f, Value>, RenderError> {
        let start = self.start(selection.selector.root, &selection.source)?;
        render::value(start, &selection.selector.path, &selection.source)
    }

    /// The value that a template sees of `selection`: without a way into it a certificate is its parts, and an answer its data.
    pub fn seen(&self, selection: &SourceValue) -> Result<Value, FetchError> {
        let whole = selection.selector == Selector::default();
        let text = |bytes: Secret| bytes.expose_text().map(Value::from).ok_or_else(|| not_text(selection));
        match self {
            Self::Text(..) => text(self.bytes(selection)?),
            Self::Certificate(..) | Self::Authorities(..) if whole => {
                let parts = pki::texts(self)
                    .map_err(|error| FetchError { reason: error.reason(), what: error.to_string() })?;
                Ok(Value::Object(parts))
            }
            _ if selection.encoding == Encoding::Utf8 => Ok(self.value(selection)?.into_owned()),
            _ => text(self.bytes(selection)?),
        }
    }

    /// The bytes that `selection` stands for.
    pub fn bytes(&self, selection: &SourceValue) -> Result<Secret, RenderError> {
        match self {
            Self::Text(text, _) => render::decoded(text, selection.encoding, &selection.source),
            _ => render::bytes(
                &*self.value(selection)?,
                selection.encoding,
                &selection.selector.path,
                &selection.source,
            ),
        }
    }
}

fn not_text(selection: &SourceValue) -> FetchError {
    FetchError {
        reason: Reason::RenderFailed,
        what: format!("{} is no UTF-8 text: a template takes only text", selection.source),
    }
}

impl DataAt {
    fn data(self, members: &Map<String, Value>) -> Option<&Map<String, Value>> {
        let data = members.get("data")?.as_object()?;
        let inner = data.get("data").and_then(Value::as_object);
        match self {
            Self::Data => Some(data),
            Self::DataData => inner,
            Self::Either => Some(inner.unwrap_or(data)),
        }
    }

    fn metadata(self, members: &Map<String, Value>) -> Option<&Map<String, Value>> {
        match self {
            Self::Data => None,
            Self::DataData | Self::Either => members.get("data")?.get("metadata")?.as_object(),
        }
    }
}
