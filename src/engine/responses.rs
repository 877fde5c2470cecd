//! The responses of one mount, by their sources.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{EngineError, Fetched};
use crate::error::Reason;
use crate::render::RenderError;
use crate::secret::{Secret, WipedJson};
use crate::spec::{SelectorRoot, Source, SourceValue};
use crate::vault::VaultError;

/// The response to one source, or the error.
pub(crate) type FetchResult = Result<Arc<Fetched>, EngineError>;

/// The responses to all sources of a mount.
#[derive(Default)]
pub(crate) struct Responses<'a>(HashMap<&'a Source, FetchResult>);

/// Why a source or a file has no content. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FetchError {
    /// The stable cause.
    pub(crate) reason: Reason,
    /// The text for the user: what failed, and where.
    pub(crate) what: String,
}

impl From<RenderError> for FetchError {
    fn from(error: RenderError) -> Self {
        Self { reason: error.reason(), what: error.to_string() }
    }
}

impl From<&EngineError> for FetchError {
    fn from(error: &EngineError) -> Self {
        Self { reason: error.reason(), what: error.to_string() }
    }
}

impl From<VaultError> for FetchError {
    fn from(error: VaultError) -> Self {
        Self { reason: error.reason(), what: error.to_string() }
    }
}

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
            None => Err(FetchError { reason: Reason::Bug, what: format!("{source} was not fetched") }),
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
