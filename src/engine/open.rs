//! Ciphertexts: all of a key at once, whatever they stand in.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::{EngineError, FetchError, FetchResult, Fetched, Responses};
use crate::error::Reason;
use crate::limits::Budget;
use crate::plan;
use crate::render::s5::S5Document;
use crate::secret::Secret;
use crate::spec::{EngineRequest, S5Text, SecretText, Source, Text, TransitCiphertext};
use crate::vault::{Batch, Item, Login, NotOpened};

/// Largest text that markers may make: what a volume holds at most. All texts of a mount share the room of its answers.
const TEXT_BYTES: usize = crate::payload::LIMIT_BYTES;

/// Ciphertexts of one call: far above any use, far below what would keep a server busy.
const ITEMS: usize = 10_000;

/// What opens one ciphertext beside its key.
type Lock<'t> = (&'t str, Option<&'t str>);

/// Every lock of a batch with what came of it.
type Opened<'t> = HashMap<Lock<'t>, Result<Secret, NotOpened>>;

/// Opens every member of `batch` by one call; `answers` hold the texts of those that other sources keep.
pub async fn open<'a>(
    login: &Login,
    batch: &plan::Batch<'a>,
    answers: &Responses<'a>,
    budget: &Budget,
) -> Vec<(&'a Source, FetchResult)> {
    let texts: Vec<_> = batch.members.iter().map(|member| (*member, text(member, answers, budget))).collect();
    let parsed: Vec<_> =
        texts.iter().map(|(member, text)| text.as_ref().map(|text| Ciphered::new(member, text))).collect();
    let mut locks: Vec<_> = parsed.iter().flatten().flat_map(Ciphered::locks).collect();
    locks.sort_unstable();
    locks.dedup();
    let call = call(login, batch, &locks, budget).await;
    let outcome = |ciphered: &Result<Ciphered<'_>, &FetchError>| {
        let ciphered = ciphered.as_ref().map_err(|miss| FetchError::clone(miss))?;
        let (opened, id) = call.as_ref().map_err(FetchError::clone)?;
        let plain = within(budget, batch.key, || ciphered.plain(opened).map_err(|miss| told(batch, miss)))?;
        Ok(Arc::new(Fetched::Text(plain, id.clone())))
    };
    let outcomes = texts
        .iter()
        .zip(&parsed)
        .map(|((member, _), ciphered)| (*member, outcome(ciphered).map_err(EngineError::Origin)));
    let outcomes = outcomes.collect();
    texts.iter().filter_map(|(_, text)| text.as_ref().ok()).for_each(|text| budget.give_back(text.len()));
    outcomes
}

/// The one call, and the id by which the server's audit log knows it.
async fn call<'t>(
    login: &Login,
    batch: &plan::Batch<'_>,
    locks: &[Lock<'t>],
    budget: &Budget,
) -> Result<(Opened<'t>, Option<Arc<str>>), FetchError> {
    if locks.len() > ITEMS {
        let what = format!("{} holds {} ciphertexts; at most {ITEMS} are opened", batch.key, locks.len());
        return Err(FetchError { reason: Reason::PayloadTooLarge, what });
    }
    let items = locks.iter().map(|(ciphertext, context)| Item { ciphertext, context: *context }).collect();
    let batch = Batch { namespace: batch.namespace, mount: &batch.key.mount, key: &batch.key.name, items };
    let answer = login.open(&batch, budget).await?;
    Ok((locks.iter().copied().zip(answer.results).collect(), answer.request_id.map(Arc::from)))
}

/// The text that holds a member's ciphertext.
fn text(member: &Source, answers: &Responses<'_>, budget: &Budget) -> Result<Secret, FetchError> {
    within(budget, member, || match &member.request {
        EngineRequest::Transit(TransitCiphertext { ciphertext: text, .. })
        | EngineRequest::S5(S5Text { text, .. }) => match text {
            Text::Literal(inline) => Ok(Secret::from(SecretText::expose(inline))),
            Text::Of(selection) => answers.bytes(selection),
        },
        _ => Err(FetchError { reason: Reason::Bug, what: format!("{member} is no ciphertext") }),
    })
}

/// The text that `make` gives for `what`, if the mount has room for it; once it has none, nothing more is made.
fn within(
    budget: &Budget,
    what: &impl fmt::Display,
    make: impl FnOnce() -> Result<Secret, FetchError>,
) -> Result<Secret, FetchError> {
    let take = |bytes| budget.take(bytes, &format!("open at {what}"));
    take(0)?;
    let text = make()?;
    take(text.len())?;
    Ok(text)
}

fn told(batch: &plan::Batch<'_>, miss: FetchError) -> FetchError {
    FetchError { reason: miss.reason, what: format!("open at {}: {}", batch.key, miss.what) }
}

/// A member's text, taken apart.
enum Ciphered<'t> {
    /// All of it is one ciphertext; `None` when it is no text.
    One(Option<Lock<'t>>),
    /// Ciphertexts stand in it.
    Document(S5Document<'t>),
}

impl<'t> Ciphered<'t> {
    fn new(member: &'t Source, text: &'t Secret) -> Self {
        match &member.request {
            EngineRequest::Transit(sealed) => {
                Self::One(text.expose_text().map(|text| (text.trim_end(), sealed.context.as_deref())))
            }
            _ => Self::Document(S5Document::parse(text.expose())),
        }
    }

    fn locks(&self) -> Vec<Lock<'_>> {
        match self {
            Self::One(lock) => lock.iter().copied().collect(),
            Self::Document(marked) => {
                marked.markers().iter().map(|marker| (marker.ciphertext(), None)).collect()
            }
        }
    }

    /// The text with everything in it opened.
    fn plain<'o>(&'o self, opened: &'o Opened<'o>) -> Result<Secret, FetchError> {
        match self {
            Self::One(None) => Err(NotOpened::NoCiphertext.into()),
            Self::One(Some(lock)) => value(opened, *lock).map(|plain| Secret::from(plain.expose().to_vec())),
            Self::Document(marked) => marked.filled(TEXT_BYTES, |marker| {
                let named = |miss: FetchError| FetchError {
                    reason: miss.reason,
                    what: format!("the marker in line {}: {}", marker.line(), miss.what),
                };
                value(opened, (marker.ciphertext(), None)).map_err(named)
            }),
        }
    }
}

fn value<'o>(opened: &'o Opened<'o>, lock: Lock<'o>) -> Result<&'o Secret, FetchError> {
    match opened.get(&lock) {
        Some(Ok(plain)) => Ok(plain),
        Some(Err(cause)) => Err((*cause).into()),
        None => Err(FetchError { reason: Reason::Bug, what: "it was not asked for".into() }),
    }
}

impl From<NotOpened> for FetchError {
    fn from(cause: NotOpened) -> Self {
        Self { reason: cause.reason(), what: cause.to_string() }
    }
}

impl From<crate::render::s5::TooLarge> for FetchError {
    fn from(error: crate::render::s5::TooLarge) -> Self {
        Self { reason: error.reason(), what: error.to_string() }
    }
}
