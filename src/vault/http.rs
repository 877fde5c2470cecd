//! One HTTP request and its response, with limits on time and size.

use std::error::Error;
use std::io;
use std::time::Duration;

use http::header::{LOCATION, RETRY_AFTER};
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::{Instant, timeout_at};
use url::Url;
use zeroize::Zeroizing;

use super::{VaultError, handshake, known_errors, response};
use crate::limits::Budget;
use crate::limits::budget::BODY_LIMIT;
use crate::secret::append;
use crate::vault::credential::Credential;
use crate::vault::error::Status;
use crate::vault::error_body::{ERROR_LIMIT, ErrorBody};
use crate::vault::resolve::NoAddressAllowed;
use crate::vault::retry::AttemptOutcome;

/// The longest time between two chunks of a body.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time for a whole body: one that comes byte by byte must not hold memory for long. The largest body then needs 280 KB per second.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a call has no response.
const SILENT: &str = "the server accepted the connection and does not respond";

/// The characters that Go does not percent-encode in a URL's path. All others are encoded, `%` too.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

/// One request. It may be sent several times.
pub(crate) struct HttpRequest<'a> {
    pub(crate) method: &'a Method,
    /// The path below `/v1/`, not percent-encoded.
    pub(crate) path: &'a str,
    /// The Vault namespace, if it is not the server's.
    pub(crate) namespace: Option<&'a str>,
    pub(crate) query: &'a [(String, String)],
    /// The body, JSON.
    pub(crate) body: Option<&'a str>,
    pub(crate) credential: Option<&'a Credential>,
    /// True while some nodes of the server may not know the token yet.
    pub(crate) young_token: bool,
    /// The most bytes that are read of an error's body. A longer body is dropped.
    pub(crate) error_limit: usize,
    /// What the call does, for error messages: `read secret/data/team-a/db`.
    pub(crate) doing: &'a str,
}

impl<'a> HttpRequest<'a> {
    /// A POST without a body and without a token.
    pub(crate) fn post(path: &'a str, doing: &'a str) -> Self {
        Self {
            method: &Method::POST,
            path,
            namespace: None,
            query: &[],
            body: None,
            credential: None,
            young_token: false,
            error_limit: ERROR_LIMIT,
            doing,
        }
    }
}

/// A complete response.
pub(crate) struct HttpResponse {
    pub(crate) status: Status,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// An attempt without a complete response.
pub(crate) struct Failed {
    pub(crate) error: VaultError,
    /// What is known about the attempt; `None` if another attempt would end the same way.
    pub(crate) outcome: Option<AttemptOutcome>,
}

/// The URL of `request`; `url` is the base URL of the server.
pub(crate) fn url(mut url: Url, request: &HttpRequest<'_>) -> Url {
    let path = format!("{}v1/{}", url.path(), utf8_percent_encode(request.path, PATH));
    url.set_path(&path);
    if !request.query.is_empty() {
        url.query_pairs_mut().extend_pairs(request.query);
    }
    url
}

/// Sends `request` to `url`. Returns the response without its body. The call ends without one when `given_up` does, or with the budget.
pub(crate) async fn send(
    client: &reqwest::Client,
    url: &Url,
    namespace: Option<&str>,
    request: &HttpRequest<'_>,
    budget: &Budget,
    given_up: impl Future<Output = ()>,
) -> Result<reqwest::Response, Failed> {
    let mut builder = client.request(request.method.clone(), url.clone()).header("X-Vault-Request", "true");
    if let Some(namespace) = namespace {
        // As bytes: a header of `str` must be ASCII, and the name of a namespace may be in any script.
        builder = builder.header("X-Vault-Namespace", namespace.as_bytes());
    }
    if let Some(credential) = request.credential {
        let malformed = || {
            Failed::last(VaultError::Malformed {
                doing: request.doing.to_owned(),
                why: "the token has characters that an HTTP header cannot have",
            })
        };
        builder = credential.add_to(builder).ok_or_else(malformed)?;
    }
    if let Some(body) = request.body {
        builder = builder.header("Content-Type", "application/json").body(body.to_owned());
    }
    let sent = timeout_at(budget.end(), builder.send());
    let sent = tokio::select! {
        biased;
        sent = sent => sent,
        () = given_up => return Err(Failed::without_response(request, SILENT)),
    };
    match sent {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(failed(&error, request)),
        Err(_) => Err(Failed::timed_out(request, budget)),
    }
}

/// The target of a redirect. A 303 is not followed, because it would change the method.
pub(crate) fn redirect_target(response: &reqwest::Response, from: &Url) -> Option<Url> {
    let moved = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    let location = moved.contains(&response.status()).then(|| response.headers().get(LOCATION))??;
    from.join(location.to_str().ok()?).ok().filter(|to| matches!(to.scheme(), "http" | "https"))
}

/// Reads the body of `response`, and counts it in the budget.
pub(crate) async fn read(
    mut response: reqwest::Response,
    request: &HttpRequest<'_>,
    budget: &Budget,
) -> Result<HttpResponse, Failed> {
    let (code, retry_after) = (response.status(), retry_after(&response));
    let limit = if code.is_success() { BODY_LIMIT } else { request.error_limit };
    let mut body = Zeroizing::new(Vec::with_capacity(4096));
    let body_budget = budget.at_most(BODY_TIMEOUT);
    loop {
        let chunk = match timeout_at(body_budget.within(CHUNK_TIMEOUT), response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => break,
            Ok(Err(error)) => return Err(failed(&error, request)),
            Err(_) => return Err(Failed::timed_out(request, budget)),
        };
        if body.len() + chunk.len() > limit && !code.is_success() {
            // A body that is cut off is no longer JSON. The status alone still counts.
            body.clear();
            break;
        }
        if body.len() + chunk.len() > limit {
            return Err(Failed::last(VaultError::TooLarge {
                doing: request.doing.to_owned(),
                limit: "the response is larger than 8 MiB",
            }));
        }
        reserve(budget, chunk.len(), request)?;
        append(&mut body, &chunk);
    }
    if code.is_success() || body.len() > ERROR_LIMIT {
        reserve(budget, response::tree_cost(&body), request)?;
    }
    Ok(HttpResponse { status: status(code, retry_after, &body), body })
}

/// Counts `bytes` in the budget of the mount.
fn reserve(budget: &Budget, bytes: usize, request: &HttpRequest<'_>) -> Result<(), Failed> {
    budget.reserve(bytes).map_err(|error| Failed::last(VaultError::of_quota(error, request.doing)))
}

/// What status, headers and body say, whatever the call does.
fn status(code: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Status {
    let errors =
        if code.is_success() { Vec::new() } else { ErrorBody::parse(body).unwrap_or_default().errors };
    let not_serving = code.is_server_error() && known_errors::is_not_serving(&errors);
    let passing =
        matches!(code, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN) && known_errors::is_passing(&errors);
    Status { code, retry_after, not_serving, passing }
}

/// The seconds of a `Retry-After` header. Vault and OpenBao do not use its form with a date.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

impl Failed {
    /// A failure that another attempt would repeat.
    pub(crate) fn last(error: VaultError) -> Self {
        Self { error, outcome: None }
    }

    /// The response, or a chunk of it, did not come in time.
    fn timed_out(request: &HttpRequest<'_>, budget: &Budget) -> Self {
        if Instant::now() >= budget.end() {
            return Self::last(VaultError::OutOfTime { doing: request.doing.to_owned() });
        }
        Self::without_response(request, SILENT)
    }

    /// The request was sent and has no complete response.
    fn without_response(request: &HttpRequest<'_>, why: &'static str) -> Self {
        let error = VaultError::Unreachable { doing: request.doing.to_owned(), why };
        Self { error, outcome: Some(AttemptOutcome::Unknown) }
    }
}

/// The failure for an error of the HTTP client. The error's own text is not used, because it contains the URL.
fn failed(error: &reqwest::Error, request: &HttpRequest<'_>) -> Failed {
    let doing = request.doing.to_owned();
    if is_caused_by::<NoAddressAllowed>(error) {
        return Failed::last(VaultError::AddressRefused(format!("{doing}: {NoAddressAllowed}")));
    }
    if let Some(tls) = cause::<rustls::Error>(error) {
        return Failed::last(VaultError::Handshake { doing, why: handshake::failure_text(tls) });
    }
    let (why, outcome) = match (error.is_connect(), error.is_timeout()) {
        (true, true) => ("the connection was not established within 3 s", AttemptOutcome::NotSent),
        (true, false) => (connect_text(error), AttemptOutcome::NotSent),
        (false, _) => ("the connection broke before the response was complete", AttemptOutcome::Unknown),
    };
    Failed { error: VaultError::Unreachable { doing, why }, outcome: Some(outcome) }
}

/// Why there is no connection.
fn connect_text(error: &reqwest::Error) -> &'static str {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, NotFound, PermissionDenied};
    match cause::<io::Error>(error).map(io::Error::kind) {
        Some(ConnectionRefused) => "the connection was refused",
        Some(HostUnreachable | NetworkUnreachable) => "there is no route to the server",
        Some(NotFound) => "the socket does not exist",
        Some(PermissionDenied) => "the process may not open the socket",
        _ => "no connection: the host name cannot be resolved, or nothing listens there",
    }
}

fn is_caused_by<E: Error + 'static>(error: &reqwest::Error) -> bool {
    cause::<E>(error).is_some()
}

/// The first source of type `E` of `error`, also inside an I/O error.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}
