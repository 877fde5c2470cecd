//! Transit: ciphertext opened in batches, and made one by one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::{Value, json};
use thiserror::Error;
use zeroize::Zeroizing;

use super::Login;
use super::VaultError;
use super::VaultResponse;
use crate::error::Reason;
use crate::limits::Budget;
use crate::secret::Secret;
use crate::vault::classify::refused;
use crate::vault::http::HttpResponse;
use crate::vault::login::within;
use crate::vault::retry::CallKind;

/// What one call opens: ciphertexts of one key.
pub struct Batch<'a> {
    /// Where the mount is, when not in the login's own namespace.
    pub namespace: Option<&'a str>,
    /// The engine's mount, without slashes at its ends.
    pub mount: &'a str,
    /// The key.
    pub key: &'a str,
    /// What is opened, in the order of the answer.
    pub items: Vec<Item<'a>>,
}

/// One ciphertext.
pub struct Item<'a> {
    /// `vault:v<n>:<base64>`.
    pub ciphertext: &'a str,
    /// What a derived key is derived with, base64.
    pub context: Option<&'a str>,
}

/// What one call opened.
#[derive(Default)]
pub struct Opened {
    /// As many as the batch has items, in their order.
    pub results: Vec<Result<Secret, NotOpened>>,
    /// The id by which the server's audit log knows the answer.
    pub request_id: Option<String>,
}

/// Why the server does not open one ciphertext of a batch. Holds none of the server's words: they may quote what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "each text says what its variant means")]
pub enum NotOpened {
    #[error("it was made with another key or context, or was changed since")]
    Foreign,
    #[error("it is no ciphertext of transit (vault:v<n>:<base64>), or not all of it")]
    NoCiphertext,
    #[error("its key has no such version")]
    NoVersion,
    #[error("its version is below the key's min_decryption_version; cipher the value anew")]
    TooOld,
    #[error("its key is derived and needs the context that it was made with")]
    NoContext,
    #[error("its context is not base64")]
    BadContext,
    #[error("the server cannot open it, for a reason that may not be shown; see its audit log")]
    Unclear,
}

/// Pieces of OpenBao's and Vault's texts for one item, the more telling first.
const KNOWN: [(&str, NotOpened); 6] = [
    ("message authentication failed", NotOpened::Foreign),
    ("version is too new", NotOpened::NoVersion),
    ("disallowed by policy (too old)", NotOpened::TooOld),
    ("missing 'context'", NotOpened::NoContext),
    ("illegal base64 data", NotOpened::BadContext),
    ("ciphertext", NotOpened::NoCiphertext),
];

impl NotOpened {
    /// The stable cause.
    pub fn reason(self) -> Reason {
        Reason::RenderFailed
    }

    fn of(text: &str) -> Self {
        KNOWN.iter().find(|(piece, _)| text.contains(piece)).map_or(Self::Unclear, |(_, cause)| *cause)
    }
}

impl Login {
    /// Opens `batch` in one call: as many results as it has items, in their order. Nothing is asked for an empty one.
    pub async fn open(&self, batch: &Batch<'_>, budget: &Budget) -> Result<Opened, VaultError> {
        if batch.items.is_empty() {
            return Ok(Opened::default());
        }
        let path = format!("{}/decrypt/{}", batch.mount, batch.key);
        let reply = self.post(&path, batch.namespace, &batch.body(), CallKind::Read, budget).await?;
        opened(batch, &reply, &within(format!("POST {path}"), batch.namespace))
    }

    /// Makes a ciphertext (`vault:v<n>:<base64>`) of `plaintext` with the newest version of `key`; a policy with the
    /// capability `create` lets the server make a missing key.
    pub async fn seal(
        &self,
        mount: &str,
        key: &str,
        plaintext: &Secret,
        budget: &Budget,
    ) -> Result<String, VaultError> {
        let path = format!("{mount}/encrypt/{key}");
        let text = Zeroizing::new(STANDARD.encode(plaintext.expose()));
        // By hand: `json!` would copy the text. Base64 needs no escapes.
        let body = Zeroizing::new(["{\"plaintext\":\"", &text, "\"}"].concat());
        // To cipher twice leaves nothing twice on the server.
        let reply = self.post(&path, None, &body, CallKind::Read, budget).await?;
        let doing = format!("POST {path}");
        if !reply.status.code.is_success() {
            return Err(refused(doing, CallKind::Read, &reply, None));
        }
        let answer = VaultResponse::parse(&reply.body, &doing)?;
        let ciphertext = answer.text(&["data", "ciphertext"]).filter(|text| text.starts_with("vault:v"));
        ciphertext.map(str::to_owned).ok_or(VaultError::Malformed { doing, why: "it holds no ciphertext" })
    }
}

impl Batch<'_> {
    fn body(&self) -> String {
        let item = |item: &Item<'_>| match item.context {
            Some(context) => json!({ "ciphertext": item.ciphertext, "context": context }),
            None => json!({ "ciphertext": item.ciphertext }),
        };
        let items: Vec<_> = self.items.iter().map(item).collect();
        json!({ "batch_input": items, "partial_failure_response_code": 200 }).to_string()
    }
}

/// The results of `batch`. When every item fails the server answers 400, and tells the items all the same.
fn opened(batch: &Batch<'_>, reply: &HttpResponse, doing: &str) -> Result<Opened, VaultError> {
    let failed = reply.status.code == StatusCode::BAD_REQUEST;
    let refusal = || refused(doing.to_owned(), CallKind::Read, reply, None);
    let malformed = |why| VaultError::Malformed { doing: doing.to_owned(), why };
    if !failed && !reply.status.code.is_success() {
        return Err(refusal());
    }
    let answer = match VaultResponse::parse(&reply.body, doing) {
        Err(VaultError::Malformed { .. }) if failed => return Err(refusal()),
        other => other?,
    };
    let results =
        answer.members().get("data").and_then(|data| data.get("batch_results")).and_then(Value::as_array);
    let Some(results) = results else {
        return Err(if failed { refusal() } else { malformed("it holds no batch_results") });
    };
    if results.len() != batch.items.len() {
        return Err(malformed("it holds another number of results than was asked for"));
    }
    let results = results
        .iter()
        .map(result)
        .collect::<Option<_>>()
        .ok_or_else(|| malformed("a result is neither base64 nor an error"))?;
    Ok(Opened { results, request_id: answer.request_id().map(str::to_owned) })
}

/// One item's plaintext or the cause that there is none; `None` when it tells neither.
fn result(item: &Value) -> Option<Result<Secret, NotOpened>> {
    let text = |name| item.get(name).and_then(Value::as_str);
    match text("error").filter(|error| !error.is_empty()) {
        Some(error) => Some(Err(NotOpened::of(error))),
        None => STANDARD.decode(text("plaintext")?).ok().map(|plaintext| Ok(Secret::from(plaintext))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::error::Status;

    fn batch(items: usize) -> Batch<'static> {
        let item = || Item { ciphertext: "vault:v1:AA==", context: None };
        Batch {
            namespace: None,
            mount: "transit",
            key: "orders",
            items: std::iter::repeat_with(item).take(items).collect(),
        }
    }

    fn answered(
        status: u16,
        body: &str,
        items: usize,
    ) -> Result<Vec<Result<Vec<u8>, NotOpened>>, VaultError> {
        let status = Status {
            code: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            not_serving: false,
            passing: false,
        };
        let reply = HttpResponse { status, body: Zeroizing::new(body.as_bytes().to_vec()) };
        let results = opened(&batch(items), &reply, "POST transit/decrypt/orders")?;
        Ok(results.results.into_iter().map(|result| result.map(|secret| secret.expose().to_vec())).collect())
    }

    #[test]
    fn a_batch_that_fails_in_part_or_as_a_whole_tells_each_item() {
        let partly = r#"{"data": {"batch_results": [{"plaintext": "aGk="}, {"plaintext": "", "error": "cipher: message authentication failed"}, {"plaintext": ""}]}}"#;
        assert_eq!(
            answered(200, partly, 3).unwrap(),
            [Ok(b"hi".to_vec()), Err(NotOpened::Foreign), Ok(vec![])]
        );
        let wholly = r#"{"data": {"batch_results": [{"error": "invalid ciphertext: no prefix"}]}}"#;
        assert_eq!(answered(400, wholly, 1).unwrap(), [Err(NotOpened::NoCiphertext)]);
    }

    #[test]
    fn a_400_without_results_is_a_refusal() {
        let refused = answered(400, r#"{"errors": ["encryption key not found"]}"#, 1).unwrap_err();
        assert_eq!(refused.to_string(), "POST transit/decrypt/orders: 400 (encryption key not found)");
        for body in ["canary", "[]", r#"{"data": null}"#] {
            assert_eq!(answered(400, body, 1).unwrap_err().reason(), Reason::Malformed, "{body}");
        }
        assert_eq!(
            answered(403, r#"{"errors": ["permission denied"]}"#, 1).unwrap_err().reason(),
            Reason::ReadDenied
        );
    }

    #[test]
    fn results_that_do_not_fit_the_question_are_no_answer() {
        let bodies = [
            r#"{"data": {"batch_results": [{"plaintext": "canary-is-no-base64"}]}}"#,
            r#"{"data": {"batch_results": [{"plaintext": null}]}}"#,
            r#"{"data": {"batch_results": ["canary"]}}"#,
            r#"{"data": {"batch_results": [{"plaintext": ""}, {"plaintext": ""}]}}"#,
            r#"{"data": {"batch_results": []}}"#,
            r#"{"data": {"plaintext": "Y2FuYXJ5"}}"#,
            "",
        ];
        for body in bodies {
            let error = answered(200, body, 1).unwrap_err();
            assert_eq!(error.reason(), Reason::Malformed, "{body}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn what_the_server_says_of_an_item_is_told_in_words_of_ours() {
        let table = [
            ("cipher: message authentication failed", NotOpened::Foreign),
            ("invalid ciphertext: version is too new", NotOpened::NoVersion),
            ("ciphertext or signature version is disallowed by policy (too old)", NotOpened::TooOld),
            (
                "missing 'context' for key derivation; the key was created using a derived key",
                NotOpened::NoContext,
            ),
            ("illegal base64 data at input byte 4", NotOpened::BadContext),
            ("invalid ciphertext: could not decode base64", NotOpened::NoCiphertext),
            ("missing ciphertext to decrypt", NotOpened::NoCiphertext),
            ("canary", NotOpened::Unclear),
        ];
        for (text, expected) in table {
            assert_eq!(NotOpened::of(text), expected, "{text}");
        }
    }

    #[test]
    fn a_batch_asks_with_contexts_where_they_are() {
        let mut batch = batch(2);
        batch.items[1].context = Some("Y3R4");
        let expected = json!({
            "batch_input": [{ "ciphertext": "vault:v1:AA==" }, { "ciphertext": "vault:v1:AA==", "context": "Y3R4" }],
            "partial_failure_response_code": 200,
        });
        assert_eq!(serde_json::from_str::<Value>(&batch.body()).unwrap(), expected);
    }
}
