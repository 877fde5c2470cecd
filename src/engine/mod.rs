//! Vault's engines, one file per engine: the request, the call, and the check of the response. Here: which engine fetches a source, and the
//! values in what it fetched.

mod decrypt; // transit: all ciphertexts of a key in one call
mod error; // why a source has no response
mod expiry; // how long an issued credential may be reused
mod kv; // secrets of a KV engine
mod pki; // certificates, and the CAs of a mount
mod record; // issued responses in sealed records
mod revocation; // whether what was issued still exists at the server

pub(crate) use decrypt::decrypt;
pub(crate) use error::{EngineError, FetchError};
pub(crate) use expiry::expiry;
pub(crate) use pki::part;
pub(crate) use record::StoredIssued;
pub(crate) use revocation::{Existence, exists, lease_exists};

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::certificate::{Authorities, Identity};
use crate::error::Reason;
use crate::limits::Budget;
use crate::render::{self, RenderError, Selected, SelectedObject};
use crate::secret::{Secret, WipedJson};
use crate::spec::{Encoding, EngineRequest, Selector, SelectorRoot, Source, SourceValue};
use crate::vault::{Login, VaultResponse};

/// Fetches `source` from Vault. Ciphertexts are not fetched one by one: [`decrypt()`] makes one call for all of a key.
pub(crate) async fn fetch(login: &Login, source: &Source, budget: &Budget) -> Result<Fetched, EngineError> {
    let namespace = source.namespace.as_deref();
    match &source.request {
        EngineRequest::Request(request) => {
            Ok(Fetched::VaultResponse(login.call(request, namespace, budget).await?, DataAt::Either))
        }
        EngineRequest::Kv(read) => Ok(kv::read(login, read, namespace, budget).await?),
        EngineRequest::Certificate(request) => pki::certificate(login, request, namespace, budget).await,
        EngineRequest::Authorities { mount } => pki::authorities(login, mount, namespace, budget).await,
        EngineRequest::Transit(_) | EngineRequest::S5(_) => Err(EngineError::Origin(FetchError::new(
            Reason::Bug,
            format!("{source} cannot be fetched alone"),
        ))),
    }
}

/// The response to one source, or the error.
pub(crate) type FetchResult = Result<Arc<Fetched>, EngineError>;

/// The responses to all sources of a mount.
#[derive(Default)]
pub(crate) struct Responses<'a>(HashMap<&'a Source, FetchResult>);

impl<'a> Responses<'a> {
    /// The estimated bytes of all responses.
    pub(crate) fn weight(&self) -> usize {
        self.fetched().map(Fetched::weight).sum()
    }

    /// Adds the response to `source`.
    pub(crate) fn add(&mut self, source: &'a Source, outcome: FetchResult) {
        self.0.insert(source, outcome);
    }

    /// The response to `source`.
    pub(crate) fn get(&self, source: &Source) -> Result<&Fetched, FetchError> {
        match self.0.get(source) {
            Some(Ok(fetched)) => Ok(fetched),
            Some(Err(error)) => Err(error.into()),
            None => Err(FetchError::new(Reason::Bug, format!("{source} was not fetched"))),
        }
    }

    /// The object in the response to `source` that `root` names: where selectors begin.
    pub(crate) fn members(
        &self,
        source: &Source,
        root: SelectorRoot,
    ) -> Result<&Map<String, Value>, FetchError> {
        Ok(self.get(source)?.members(root, source)?)
    }

    /// The object that `selector` selects in the response to `source`.
    pub(crate) fn object(
        &self,
        source: &Source,
        selector: &Selector,
    ) -> Result<SelectedObject<'_>, FetchError> {
        Ok(render::object(self.members(source, selector.root)?, &selector.path, source)?)
    }

    /// The decoded bytes of the selected value.
    pub(crate) fn bytes(&self, selected: &SourceValue) -> Result<Secret, FetchError> {
        Ok(self.get(&selected.source)?.bytes(selected)?)
    }

    /// The selected value in the form in which templates get it.
    pub(crate) fn template_value(&self, selected: &SourceValue) -> Result<WipedJson, FetchError> {
        self.get(&selected.source)?.template_value(selected)
    }

    /// The responses that arrived, in no order.
    pub(crate) fn fetched(&self) -> impl Iterator<Item = &Fetched> {
        self.0.values().flatten().map(Arc::as_ref)
    }
}

/// The response to a source.
pub(crate) enum Fetched {
    /// A response, and where its data is.
    VaultResponse(VaultResponse, DataAt),
    /// A certificate, and the response that contained it.
    Certificate(Box<Identity>, VaultResponse),
    /// The CAs of a mount, and the response that contained them.
    Authorities(Box<Authorities>, VaultResponse),
    /// A decrypted text, and the request id of the call that decrypted it with others.
    Text(Secret, Option<Arc<str>>),
}

/// Where in a response the secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DataAt {
    /// In `data`.
    #[serde(rename = "Data")]
    Data,
    /// In `data.data`.
    #[serde(rename = "DataData")]
    DataData,
    /// In `data.data` if that is an object, otherwise in `data`: the upstream providers' rule for a request whose engine is not known. A KV v1
    /// secret with an object named `data` is therefore read as KV v2.
    #[serde(rename = "Either")]
    Either,
}

impl Fetched {
    /// The estimated bytes of memory that it takes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::VaultResponse(response, _)
            | Self::Certificate(_, response)
            | Self::Authorities(_, response) => {
                response.members().iter().map(|(name, value)| name.len() + weight(value)).sum()
            }
            Self::Text(text, _) => text.len(),
        }
    }

    /// The response; `None` for a decrypted text, which came together with others.
    fn response(&self) -> Option<&VaultResponse> {
        match self {
            Self::VaultResponse(response, _)
            | Self::Certificate(_, response)
            | Self::Authorities(_, response) => Some(response),
            Self::Text(..) => None,
        }
    }

    /// True if the server keeps something for it that ends with the token: a lease, another token, or a wrapped response.
    pub(crate) fn is_leased(&self) -> bool {
        self.response().is_some_and(VaultResponse::is_leased)
    }

    /// Its lease: the id, the TTL, and whether it is renewable.
    pub(crate) fn lease(&self) -> Option<(&str, Duration, bool)> {
        self.response()?.lease()
    }

    /// The request id, by which the server's audit log names the call.
    pub(crate) fn request_id(&self) -> Option<&str> {
        match self {
            Self::VaultResponse(response, _)
            | Self::Certificate(_, response)
            | Self::Authorities(_, response) => response.request_id(),
            Self::Text(_, id) => id.as_deref(),
        }
    }

    /// The object that `root` names: where selectors begin.
    pub(crate) fn members(
        &self,
        root: SelectorRoot,
        source: &Source,
    ) -> Result<&Map<String, Value>, RenderError> {
        let missing = |root| RenderError::RootMissing { path: source.to_string(), root };
        match self {
            Self::VaultResponse(response, at) => match root {
                SelectorRoot::Response => Ok(response.members()),
                SelectorRoot::Metadata => at.metadata(response.members()).ok_or_else(|| missing("metadata")),
                SelectorRoot::Data => at.data(response.members()).ok_or_else(|| missing("data")),
            },
            Self::Certificate(_, response) | Self::Authorities(_, response) => match root {
                SelectorRoot::Response => Ok(response.members()),
                SelectorRoot::Metadata => Err(missing("metadata")),
                SelectorRoot::Data => DataAt::Data.data(response.members()).ok_or_else(|| missing("data")),
            },
            Self::Text(..) => Err(missing("members")),
        }
    }

    /// The selected value.
    pub(crate) fn value<'f>(&'f self, selected: &SourceValue) -> Result<Selected<'f>, RenderError> {
        let members = self.members(selected.selector.root, &selected.source)?;
        render::value(members, &selected.selector.path, &selected.source)
    }

    /// The selected value in the form in which templates get it. Without a selector a certificate is an object of its parts, and a response is
    /// its data.
    pub(crate) fn template_value(&self, selected: &SourceValue) -> Result<WipedJson, FetchError> {
        let whole = selected.selector == Selector::default();
        let text = |bytes: Secret| {
            // Into the template's sources, which are wiped.
            let text = bytes.expose_text().ok_or_else(|| not_text(selected))?;
            Ok(WipedJson::from(Value::from(text)))
        };
        match self {
            Self::Text(..) => text(self.bytes(selected)?),
            Self::Certificate(..) | Self::Authorities(..) if whole => {
                let parts =
                    pki::texts(self).map_err(|error| FetchError::new(error.reason(), error.to_string()))?;
                Ok(parts.into())
            }
            Self::VaultResponse(..) | Self::Certificate(..) | Self::Authorities(..) => {
                match selected.encoding {
                    Encoding::Utf8 => Ok(self.value(selected)?.into_wiped()),
                    Encoding::Base64 | Encoding::Hex => text(self.bytes(selected)?),
                }
            }
        }
    }

    /// The decoded bytes of the selected value.
    pub(crate) fn bytes(&self, selected: &SourceValue) -> Result<Secret, RenderError> {
        match self {
            Self::Text(text, _) => render::decoded(text, selected.encoding, &selected.source),
            Self::VaultResponse(..) | Self::Certificate(..) | Self::Authorities(..) => render::bytes(
                &*self.value(selected)?,
                selected.encoding,
                &selected.selector.path,
                &selected.source,
            ),
        }
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

fn not_text(selected: &SourceValue) -> FetchError {
    FetchError::new(
        Reason::RenderFailed,
        format!("{} is not UTF-8 text, and templates take only text", selected.source),
    )
}

/// Bytes of a value without its text: the value itself, and its share of the collection around it.
const NODE: usize = 48;

/// The estimated bytes of memory that `value` takes.
pub(crate) fn weight(value: &Value) -> usize {
    NODE + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| NODE + name.len() + weight(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
