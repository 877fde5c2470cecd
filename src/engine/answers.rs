//! The answers of one mount, by their sources.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{EngineError, Fetched};
use crate::error::Reason;
use crate::render::RenderError;
use crate::secret::Secret;
use crate::spec::{SelectorRoot, Source, SourceValue};
use crate::vault::VaultError;

/// What a source gave, or why it gave nothing.
pub type FetchResult = Result<Arc<Fetched>, EngineError>;

/// What every source of a mount gave.
#[derive(Default)]
pub struct Responses<'a>(HashMap<&'a Source, FetchResult>);

/// Why something has no content: the cause, and what was tried. Holds no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError {
    /// The stable cause.
    pub reason: Reason,
    /// What failed, and where.
    pub what: String,
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
    /// About how many bytes all of them hold.
    pub fn weight(&self) -> usize {
        self.fetched().map(Fetched::weight).sum()
    }

    /// Adds what one source gave.
    pub fn add(&mut self, source: &'a Source, outcome: FetchResult) {
        self.0.insert(source, outcome);
    }

    /// What `source` gave.
    pub fn of(&self, source: &Source) -> Result<&Fetched, FetchError> {
        match self.0.get(source) {
            Some(Ok(fetched)) => Ok(fetched),
            Some(Err(error)) => Err(error.into()),
            None => Err(FetchError { reason: Reason::Bug, what: format!("{source} was not asked") }),
        }
    }

    /// The members of `source` that ways begin at.
    pub fn start(&self, source: &Source, start: SelectorRoot) -> Result<&Map<String, Value>, FetchError> {
        Ok(self.of(source)?.start(start, source)?)
    }

    /// The bytes that `selection` stands for.
    pub fn bytes(&self, selection: &SourceValue) -> Result<Secret, FetchError> {
        Ok(self.of(&selection.source)?.bytes(selection)?)
    }

    /// The value that a template sees of `selection`.
    pub fn value(&self, selection: &SourceValue) -> Result<Value, FetchError> {
        self.of(&selection.source)?.seen(selection)
    }

    /// What came, in no order.
    pub fn fetched(&self) -> impl Iterator<Item = &Fetched> {
        self.0.values().flatten().map(Arc::as_ref)
    }
}
