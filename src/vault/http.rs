//! One request and its reply over HTTP, bounded in time and size.

use std::error::Error;
use std::io;
use std::time::Duration;

use http::header::{LOCATION, RETRY_AFTER};
use http::{Method, StatusCode};
use tokio::time::{Instant, timeout_at};
use url::Url;
use zeroize::Zeroizing;

use super::VaultError;
use super::known_errors;
use super::response;
use crate::limits::Budget;
use crate::limits::budget::BODY_LIMIT;
use crate::vault::credential::Credential;
use crate::vault::error::Status;
use crate::vault::error_body::{ERROR_LIMIT, ErrorBody};
use crate::vault::resolve::NoAddressAllowed;
use crate::vault::retry::AttemptOutcome;

/// Time until the first byte of a reply.
const FIRST_BYTE: Duration = Duration::from_secs(10);
/// Time between two pieces of a body.
const NEXT_BYTE: Duration = Duration::from_secs(5);

/// One request, ready to be sent as often as it takes.
pub(crate) struct HttpRequest<'a> {
    pub(crate) method: &'a Method,
    /// Below `/v1/`, as it is read by people.
    pub(crate) path: &'a str,
    /// When it is another than the server's.
    pub(crate) namespace: Option<&'a str>,
    pub(crate) query: &'a [(String, String)],
    /// JSON.
    pub(crate) body: Option<&'a str>,
    pub(crate) credential: Option<&'a Credential>,
    /// True while some nodes of the server may not know the token yet.
    pub(crate) young: bool,
    /// Bytes that are read of an answer that is no success; what is longer is cut.
    pub(crate) error_limit: usize,
    /// For errors: what is tried.
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
            young: false,
            error_limit: ERROR_LIMIT,
            doing,
        }
    }
}

/// A reply that came whole.
pub(crate) struct HttpResponse {
    pub(crate) status: Status,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// A try without a reply, and what it means for another try.
pub(crate) struct Failed {
    pub(crate) error: VaultError,
    /// `None` when another try would end the same way.
    pub(crate) outcome: Option<AttemptOutcome>,
}

pub(crate) async fn send(
    client: &reqwest::Client,
    url: &Url,
    namespace: Option<&str>,
    ask: &HttpRequest<'_>,
    budget: &Budget,
) -> Result<reqwest::Response, Failed> {
    let mut request = client.request(ask.method.clone(), url.clone()).header("X-Vault-Request", "true");
    if let Some(namespace) = namespace {
        // As bytes: a namespace may be named in any script, which `str` as a header may not.
        request = request.header("X-Vault-Namespace", namespace.as_bytes());
    }
    if let Some(credential) = ask.credential {
        let malformed = || {
            Failed::last(VaultError::Malformed { doing: ask.doing.to_owned(), why: "its token is no header" })
        };
        request = credential.put(request).ok_or_else(malformed)?;
    }
    if let Some(body) = ask.body {
        request = request.header("Content-Type", "application/json").body(body.to_owned());
    }
    match timeout_at(budget.within(FIRST_BYTE), request.send()).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(failed(&error, ask)),
        Err(_) => Err(Failed::late(ask, budget)),
    }
}

/// Where `response` redirects to; a 303 is none, for it would change the method.
pub(crate) fn redirection(response: &reqwest::Response, from: &Url) -> Option<Url> {
    let moved = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    let location = moved.contains(&response.status()).then(|| response.headers().get(LOCATION))??;
    from.join(location.to_str().ok()?).ok().filter(|to| matches!(to.scheme(), "http" | "https"))
}

pub(crate) async fn reply(
    mut response: reqwest::Response,
    ask: &HttpRequest<'_>,
    budget: &Budget,
) -> Result<HttpResponse, Failed> {
    let (code, retry_after) = (response.status(), retry_after(&response));
    let limit = if code.is_success() { BODY_LIMIT } else { ask.error_limit };
    let mut body = Zeroizing::new(Vec::with_capacity(4096));
    loop {
        let piece = match timeout_at(budget.within(NEXT_BYTE), response.chunk()).await {
            Ok(Ok(Some(piece))) => piece,
            Ok(Ok(None)) => break,
            Ok(Err(error)) => return Err(failed(&error, ask)),
            Err(_) => return Err(Failed::late(ask, budget)),
        };
        if body.len() + piece.len() > limit && !code.is_success() {
            // What is cut is no JSON any more, and so says nothing; the status stays.
            body.clear();
            break;
        }
        if body.len() + piece.len() > limit {
            return Err(Failed::last(VaultError::TooLarge {
                doing: ask.doing.to_owned(),
                limit: "the answer is larger than 8 MiB",
            }));
        }
        budget.take(piece.len(), ask.doing).map_err(Failed::last)?;
        append(&mut body, &piece);
    }
    if code.is_success() || body.len() > ERROR_LIMIT {
        budget.take(response::tree_cost(&body), ask.doing).map_err(Failed::last)?;
    }
    Ok(HttpResponse { status: status(code, retry_after, &body), body })
}

/// What a code, its headers and its body say before anybody knows what the call was for.
fn status(code: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Status {
    let errors =
        if code.is_success() { Vec::new() } else { ErrorBody::parse(body).unwrap_or_default().errors };
    let not_serving = code.is_server_error() && known_errors::is_not_serving(&errors);
    let passing =
        matches!(code, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN) && known_errors::is_passing(&errors);
    Status { code, retry_after, not_serving, passing }
}

/// Appends without leaving an unwiped copy behind when the buffer grows.
fn append(body: &mut Zeroizing<Vec<u8>>, piece: &[u8]) {
    if body.len() + piece.len() > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity((body.len() + piece.len()) * 2));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(piece);
}

/// Seconds of a `Retry-After`; its form with a date is not used by these servers.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

impl Failed {
    pub(crate) fn last(error: VaultError) -> Self {
        Self { error, outcome: None }
    }

    /// The server said nothing for too long.
    fn late(ask: &HttpRequest<'_>, budget: &Budget) -> Self {
        let doing = ask.doing.to_owned();
        if Instant::now() >= budget.end() {
            return Self::last(VaultError::OutOfTime { doing });
        }
        Self {
            error: VaultError::Unreachable { doing, why: "the server is connected and does not answer" },
            outcome: Some(AttemptOutcome::Unknown),
        }
    }
}

/// What an error of the HTTP client means. Its own text is not used: it holds the URL.
fn failed(error: &reqwest::Error, ask: &HttpRequest<'_>) -> Failed {
    let doing = ask.doing.to_owned();
    if is_caused_by::<NoAddressAllowed>(error) {
        return Failed::last(VaultError::AddressRefused(format!("{doing}: {NoAddressAllowed}")));
    }
    if let Some(tls) = cause::<rustls::Error>(error) {
        return Failed::last(VaultError::Handshake { doing, why: words(tls) });
    }
    let (why, outcome) = match (error.is_connect(), error.is_timeout()) {
        (true, true) => ("no connection within 3 s", AttemptOutcome::NotSent),
        (true, false) => (refusal(error), AttemptOutcome::NotSent),
        (false, _) => ("the connection broke before the answer was whole", AttemptOutcome::Unknown),
    };
    Failed { error: VaultError::Unreachable { doing, why }, outcome: Some(outcome) }
}

/// What rustls says of a handshake, without its clock (the same failure is told in the same words) and its jargon.
fn words(error: &rustls::Error) -> String {
    use rustls::CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidYet, NotValidYetContext, UnknownIssuer,
    };
    let rustls::Error::InvalidCertificate(invalid) = error else { return error.to_string() };
    let known = match invalid {
        Expired | ExpiredContext { .. } => "has expired",
        NotValidYet | NotValidYetContext { .. } => "is not valid yet",
        // The signature is bad where another CA has the name of the issuer.
        UnknownIssuer | BadSignature => "is signed by none of the trusted CAs",
        _ => return error.to_string(),
    };
    format!("the server's certificate {known}")
}

fn refusal(error: &reqwest::Error) -> &'static str {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, NotFound, PermissionDenied};
    match cause::<io::Error>(error).map(io::Error::kind) {
        Some(ConnectionRefused) => "the connection is refused",
        Some(HostUnreachable | NetworkUnreachable) => "there is no route to it",
        Some(NotFound) => "there is no such socket",
        Some(PermissionDenied) => "the socket may not be opened",
        _ => "no connection: its name is not known, or nobody listens",
    }
}

fn is_caused_by<E: Error + 'static>(error: &reqwest::Error) -> bool {
    cause::<E>(error).is_some()
}

/// The first cause of type `E`, also where an I/O error wraps it.
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
