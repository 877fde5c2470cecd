//! One file an engine: its question, the call that asks it, and the answer held against the question.

mod answers; // the answers of one mount, by their sources
mod kv; // secrets of a KV engine
mod open; // ciphertexts: all of a key at once

use std::borrow::Cow;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::config::{KvEngine, Question, Selection, Source, Start};
use crate::error::Reason;
use crate::render::{self, RenderError};
use crate::secret::Secret;
use crate::vault::{Answer, Budget, Login, VaultError};

pub use answers::{Answers, Miss, Outcome};
pub use open::open;

/// What Vault holds of a source.
pub enum Fetched {
    /// An answer, and where its data begins.
    Answer(Answer, DataAt),
    /// Opened ciphertext.
    Text(Secret),
}

/// Where an answer keeps the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataAt {
    /// In `data`.
    Data,
    /// In `data.data`.
    DataData,
    /// In `data.data` where that is an object, else in `data`: the peers' rule for calls of which nobody knows the engine. A KV v1
    /// secret with an object named `data` is therefore read as KV v2.
    Either,
}

/// Why a source gave nothing. Holds no value.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The call failed, or its answer is not one to the question.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The answer cannot be used as it should be.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Another source, which this one is made from, gave nothing.
    #[error("{}", .0.what)]
    Origin(Miss),
}

impl EngineError {
    /// The stable cause.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Vault(error) => error.reason(),
            Self::Render(error) => error.reason(),
            Self::Origin(miss) => miss.reason,
        }
    }
}

/// Asks Vault for `source`; ciphertext is opened with its neighbours, by `open`.
pub async fn fetch(login: &Login, source: &Source, budget: Budget) -> Result<Fetched, EngineError> {
    let namespace = source.namespace.as_deref();
    match &source.question {
        Question::Request(request) => Ok(Fetched::Answer(login.call(request, namespace, budget).await?, DataAt::Either)),
        Question::Kv(read) => {
            let answer = login.call(&kv::request(read), namespace, budget).await?;
            let at = if read.engine == KvEngine::V1 { DataAt::Data } else { DataAt::DataData };
            kv::held(read, &answer)?;
            Ok(Fetched::Answer(answer, at))
        }
        Question::Certificate(_) | Question::Authorities { .. } | Question::Transit(_) | Question::S5(_) => {
            Err(EngineError::Origin(Miss { reason: Reason::Bug, what: format!("{source} has no call of its own") }))
        }
    }
}

impl Fetched {
    /// The id by which the server's audit log knows the answer.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Answer(answer, _) => answer.request_id(),
            Self::Text(_) => None,
        }
    }

    /// The members that ways into it begin at.
    pub fn start(&self, start: Start, source: &Source) -> Result<&Map<String, Value>, RenderError> {
        let missing = |start| RenderError::StartMissing { path: source.to_string(), start };
        match self {
            Self::Answer(answer, at) => match start {
                Start::Response => Ok(answer.members()),
                Start::Metadata => at.metadata(answer.members()).ok_or_else(|| missing("metadata")),
                Start::Data => at.data(answer.members()).ok_or_else(|| missing("data")),
            },
            Self::Text(_) => Err(missing("members")),
        }
    }

    /// The value that `selection` leads to.
    pub fn value<'f>(&'f self, selection: &Selection) -> Result<Cow<'f, Value>, RenderError> {
        let start = self.start(selection.pick.start, &selection.source)?;
        render::value(start, &selection.pick.way, &selection.source)
    }

    /// The bytes that `selection` stands for.
    pub fn bytes(&self, selection: &Selection) -> Result<Secret, RenderError> {
        match self {
            Self::Text(text) => render::decoded(text, selection.encoding, &selection.source),
            _ => render::bytes(&*self.value(selection)?, selection.encoding, &selection.pick.way, &selection.source),
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
