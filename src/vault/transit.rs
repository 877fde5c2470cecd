//! The transit engine: encrypts one value, decrypts batches of ciphertexts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Login, VaultError, VaultResponse};
use crate::error::Reason;
use crate::limits::Budget;
use crate::secret::Secret;
use crate::vault::classify::refused;
use crate::vault::http::HttpResponse;
use crate::vault::login::in_namespace;
use crate::vault::retry::CallKind;

/// The ciphertexts of one key that one call decrypts.
pub(crate) struct Batch<'a> {
    /// The namespace of the mount, if it is not the login's own.
    pub(crate) namespace: Option<&'a str>,
    /// The engine's mount, without slashes at its ends.
    pub(crate) mount: &'a str,
    /// The name of the key.
    pub(crate) key: &'a str,
    /// The ciphertexts, in the order of the results.
    pub(crate) items: Vec<Item<'a>>,
}

/// One ciphertext.
pub(crate) struct Item<'a> {
    /// `vault:v<n>:<base64>`.
    pub(crate) ciphertext: &'a str,
    /// The context of a derived key, base64.
    pub(crate) context: Option<&'a str>,
}

/// The result of one call.
#[derive(Default)]
pub(crate) struct Opened {
    /// One result for each item of the batch, in the same order.
    pub(crate) results: Vec<Result<Secret, NotOpened>>,
    /// The request id, by which the server's audit log names the call.
    pub(crate) request_id: Option<String>,
}

/// Why the server did not decrypt one ciphertext of a batch. Holds nothing of the server's text, which may quote the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum NotOpened {
    #[error("it was encrypted with another key or context, or was changed since")]
    Foreign,
    #[error("it is not a complete transit ciphertext (vault:v<n>:<base64>)")]
    NoCiphertext,
    #[error("its key has no such version")]
    NoVersion,
    #[error("its version is below the key's min_decryption_version; encrypt the value again")]
    TooOld,
    #[error("its key is derived: set the context that it was encrypted with")]
    NoContext,
    #[error("its context is not base64")]
    BadContext,
    #[error(
        "the server cannot decrypt it; its audit log has the reason, which may hold secrets and is not shown"
    )]
    Unclear,
}

/// Parts of OpenBao's and Vault's error texts for one item. The first match counts, so more specific texts stand first.
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
    pub(crate) fn reason(self) -> Reason {
        Reason::RenderFailed
    }

    fn of(text: &str) -> Self {
        KNOWN.iter().find(|(part, _)| text.contains(part)).map_or(Self::Unclear, |(_, cause)| *cause)
    }
}

impl Login {
    /// Decrypts `batch` in one call. An empty batch makes no call.
    pub(crate) async fn decrypt(&self, batch: &Batch<'_>, budget: &Budget) -> Result<Opened, VaultError> {
        if batch.items.is_empty() {
            return Ok(Opened::default());
        }
        let path = format!("{}/decrypt/{}", batch.mount, batch.key);
        let reply = self.post(&path, batch.namespace, &batch.body(), CallKind::Read, budget).await?;
        results(batch, &reply, &in_namespace(format!("POST {path}"), batch.namespace))
            .map_err(|error| self.with_policy_hint(error, &Method::POST, &path, batch.namespace))
    }

    /// Encrypts `plaintext` with the newest version of `key`. Returns a ciphertext (`vault:v<n>:<base64>`). If the policy has the capability
    /// `create`, the server creates a missing key.
    pub(crate) async fn encrypt(
        &self,
        mount: &str,
        key: &str,
        plaintext: &Secret,
        budget: &Budget,
    ) -> Result<String, VaultError> {
        let path = format!("{mount}/encrypt/{key}");
        let text = Zeroizing::new(STANDARD.encode(plaintext.expose()));
        // Concatenated, because `json!` would copy the text. Base64 needs no escapes in JSON.
        let body = Zeroizing::new(["{\"plaintext\":\"", &text, "\"}"].concat());
        // As a read: encrypting twice leaves nothing at the server.
        let reply = self.post(&path, None, &body, CallKind::Read, budget).await?;
        let doing = format!("POST {path}");
        if !reply.status.code.is_success() {
            return Err(refused(doing, CallKind::Read, &reply, None));
        }
        let response = VaultResponse::parse(&reply.body, &doing)?;
        let ciphertext = response.text(&["data", "ciphertext"]).filter(|text| text.starts_with("vault:v"));
        ciphertext.map(str::to_owned).ok_or(VaultError::Malformed { doing, why: "it has no ciphertext" })
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

/// The results of `batch`. If every item fails, the server responds with 400, and with a result for each item all the same.
fn results(batch: &Batch<'_>, reply: &HttpResponse, doing: &str) -> Result<Opened, VaultError> {
    let failed = reply.status.code == StatusCode::BAD_REQUEST;
    let refusal = || refused(doing.to_owned(), CallKind::Read, reply, None);
    let malformed = |why| VaultError::Malformed { doing: doing.to_owned(), why };
    if !failed && !reply.status.code.is_success() {
        return Err(refusal());
    }
    let response = match VaultResponse::parse(&reply.body, doing) {
        Err(VaultError::Malformed { .. }) if failed => return Err(refusal()),
        other => other?,
    };
    let results =
        response.members().get("data").and_then(|data| data.get("batch_results")).and_then(Value::as_array);
    let Some(results) = results else {
        return Err(if failed { refusal() } else { malformed("it has no batch_results") });
    };
    if results.len() != batch.items.len() {
        return Err(malformed("it does not have one result for each ciphertext"));
    }
    let results = results
        .iter()
        .map(result)
        .collect::<Option<_>>()
        .ok_or_else(|| malformed("a result is neither base64 nor an error"))?;
    Ok(Opened { results, request_id: response.request_id().map(str::to_owned) })
}

/// The plaintext of one item, or why there is none; `None` if the item has neither.
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
        let results = results(&batch(items), &reply, "POST transit/decrypt/orders")?;
        Ok(results.results.into_iter().map(|result| result.map(|secret| secret.expose().to_vec())).collect())
    }

    #[test]
    fn a_batch_that_fails_in_part_or_as_a_whole_has_a_result_for_each_item() {
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
    fn results_that_do_not_match_the_batch_are_malformed() {
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
    fn the_servers_text_for_an_item_becomes_a_text_of_our_own() {
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
    fn a_batch_has_the_contexts_of_its_items() {
        let mut batch = batch(2);
        batch.items[1].context = Some("Y3R4");
        let expected = json!({
            "batch_input": [{ "ciphertext": "vault:v1:AA==" }, { "ciphertext": "vault:v1:AA==", "context": "Y3R4" }],
            "partial_failure_response_code": 200,
        });
        assert_eq!(serde_json::from_str::<Value>(&batch.body()).unwrap(), expected);
    }
}
