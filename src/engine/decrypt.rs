//! Decryption of ciphertexts: one transit call for all ciphertexts of a key.

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
use crate::vault::{Batch, Item, Login, NotOpened, VaultError};

/// The largest text that may result from filling in markers: the limit of a volume. All texts of a mount also count in its memory budget.
const TEXT_BYTES: usize = crate::payload::LIMIT_BYTES;

/// The most ciphertexts in one call: far more than any use needs, and far less than what would overload a server.
const ITEMS: usize = 10_000;

/// A ciphertext, and the context of a derived key.
type Ciphertext<'t> = (&'t str, Option<&'t str>);

/// The result for every ciphertext of a batch.
type Plaintexts<'t> = HashMap<Ciphertext<'t>, Result<Secret, NotOpened>>;

/// Decrypts every member of `batch` in one call. `responses` has the texts of the members whose ciphertext comes from another source.
pub(crate) async fn decrypt<'a>(
    login: &Login,
    batch: &plan::Batch<'a>,
    responses: &Responses<'a>,
    budget: &Budget,
) -> Vec<(&'a Source, FetchResult)> {
    let texts: Vec<_> =
        batch.members.iter().map(|member| (*member, text(member, responses, budget))).collect();
    let parsed: Vec<_> =
        texts.iter().map(|(member, text)| text.as_ref().map(|text| Ciphered::new(member, text))).collect();
    let mut ciphertexts: Vec<_> = parsed.iter().flatten().flat_map(Ciphered::ciphertexts).collect();
    ciphertexts.sort_unstable();
    ciphertexts.dedup();
    let call = call(login, batch, &ciphertexts, budget).await;
    let outcome = |ciphered: &Result<Ciphered<'_>, &FetchError>| {
        let ciphered = ciphered.as_ref().map_err(|error| FetchError::clone(error))?;
        let (plaintexts, id) = call.as_ref().map_err(FetchError::clone)?;
        let decrypted = || ciphered.decrypted(plaintexts).map_err(|error| with_key(batch, &error));
        let plain = within(budget, batch.key, decrypted)?;
        Ok(Arc::new(Fetched::Text(plain, id.clone())))
    };
    let outcomes = texts
        .iter()
        .zip(&parsed)
        .map(|((member, _), ciphered)| (*member, outcome(ciphered).map_err(EngineError::Origin)));
    let outcomes = outcomes.collect();
    texts.iter().filter_map(|(_, text)| text.as_ref().ok()).for_each(|text| budget.release(text.len()));
    outcomes
}

/// Makes the call. Also returns the request id, by which the server's audit log names the call.
async fn call<'t>(
    login: &Login,
    batch: &plan::Batch<'_>,
    ciphertexts: &[Ciphertext<'t>],
    budget: &Budget,
) -> Result<(Plaintexts<'t>, Option<Arc<str>>), FetchError> {
    if ciphertexts.len() > ITEMS {
        let what = format!(
            "the class uses {} ciphertexts of {}; the limit is {ITEMS}",
            ciphertexts.len(),
            batch.key
        );
        return Err(FetchError::new(Reason::PayloadTooLarge, what));
    }
    let items =
        ciphertexts.iter().map(|(ciphertext, context)| Item { ciphertext, context: *context }).collect();
    let batch = Batch { namespace: batch.namespace, mount: &batch.key.mount, key: &batch.key.name, items };
    let opened = login.decrypt(&batch, budget).await?;
    Ok((ciphertexts.iter().copied().zip(opened.results).collect(), opened.request_id.map(Arc::from)))
}

/// The text with a member's ciphertext.
fn text(member: &Source, responses: &Responses<'_>, budget: &Budget) -> Result<Secret, FetchError> {
    within(budget, member, || match &member.request {
        EngineRequest::Transit(TransitCiphertext { ciphertext: text, .. })
        | EngineRequest::S5(S5Text { text, .. }) => match text {
            // A copy: the class keeps its own text.
            Text::Literal(literal) => Ok(Secret::from(SecretText::expose(literal))),
            Text::Of(selected) => responses.bytes(selected),
        },
        EngineRequest::Request(_)
        | EngineRequest::Kv(_)
        | EngineRequest::Certificate(_)
        | EngineRequest::Authorities { .. } => {
            Err(FetchError::new(Reason::Bug, format!("{member} is not a ciphertext")))
        }
    })
}

/// Calls `make`, and counts its text in the budget; `what` is for the error. Does not call `make` if the budget is exceeded already.
fn within(
    budget: &Budget,
    what: &impl fmt::Display,
    make: impl FnOnce() -> Result<Secret, FetchError>,
) -> Result<Secret, FetchError> {
    let reserve = |bytes| {
        budget
            .reserve(bytes)
            .map_err(|error| FetchError::from(VaultError::of_quota(error, &format!("decrypt at {what}"))))
    };
    reserve(0)?;
    let text = make()?;
    reserve(text.len())?;
    Ok(text)
}

/// The same error with the key in its text.
fn with_key(batch: &plan::Batch<'_>, error: &FetchError) -> FetchError {
    FetchError { what: format!("decrypt at {}: {}", batch.key, error.what), ..error.clone() }
}

/// A member's text, parsed.
enum Ciphered<'t> {
    /// All of it is one ciphertext; `None` if it is not UTF-8.
    One(Option<Ciphertext<'t>>),
    /// A text with s5 markers in it.
    Document(S5Document<'t>),
}

impl<'t> Ciphered<'t> {
    fn new(member: &'t Source, text: &'t Secret) -> Self {
        match &member.request {
            EngineRequest::Transit(transit) => {
                Self::One(text.expose_text().map(|text| (text.trim_end(), transit.context.as_deref())))
            }
            EngineRequest::S5(_)
            | EngineRequest::Request(_)
            | EngineRequest::Kv(_)
            | EngineRequest::Certificate(_)
            | EngineRequest::Authorities { .. } => Self::Document(S5Document::parse(text.expose())),
        }
    }

    fn ciphertexts(&self) -> Vec<Ciphertext<'_>> {
        match self {
            Self::One(ciphertext) => ciphertext.iter().copied().collect(),
            Self::Document(document) => {
                document.markers().iter().map(|marker| (marker.ciphertext(), None)).collect()
            }
        }
    }

    /// The text with everything in it decrypted.
    fn decrypted<'o>(&'o self, plaintexts: &'o Plaintexts<'o>) -> Result<Secret, FetchError> {
        match self {
            Self::One(None) => Err(NotOpened::NoCiphertext.into()),
            Self::One(Some(ciphertext)) => {
                plaintext(plaintexts, *ciphertext).map(|plain| Secret::from(plain.expose().to_vec()))
            }
            Self::Document(document) => document.filled(TEXT_BYTES, |marker| {
                let with_line = |error: FetchError| {
                    FetchError::new(
                        error.reason,
                        format!("the marker in line {}: {}", marker.line(), error.what),
                    )
                };
                plaintext(plaintexts, (marker.ciphertext(), None)).map_err(with_line)
            }),
        }
    }
}

fn plaintext<'o>(
    plaintexts: &'o Plaintexts<'o>,
    ciphertext: Ciphertext<'o>,
) -> Result<&'o Secret, FetchError> {
    match plaintexts.get(&ciphertext) {
        Some(Ok(plain)) => Ok(plain),
        Some(Err(cause)) => Err((*cause).into()),
        None => Err(FetchError::new(Reason::Bug, "the ciphertext was not in the request")),
    }
}

impl From<NotOpened> for FetchError {
    fn from(cause: NotOpened) -> Self {
        Self::new(cause.reason(), cause.to_string())
    }
}

impl From<crate::render::s5::TooLarge> for FetchError {
    fn from(error: crate::render::s5::TooLarge) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}
