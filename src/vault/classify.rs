//! The meaning of a status that is not a success.

use http::StatusCode;

use super::{Hint, VaultError, known_errors};
use crate::error::Reason;
use crate::vault::error_body::ErrorBody;
use crate::vault::http::HttpResponse;
use crate::vault::retry::CallKind;

/// The text of an error whose body is not from Vault or OpenBao.
const NOT_VAULT: &str =
    "the response is not from Vault or OpenBao: a proxy, an ingress or a mesh in between may have sent it";

/// The error for `reply`, a response with an error status to the call `doing`.
pub(crate) fn refused(doing: String, kind: CallKind, reply: &HttpResponse, hint: Option<Hint>) -> VaultError {
    let status = reply.status.code;
    let body = ErrorBody::parse(&reply.body);
    let reason = reason(kind, reply, body.as_ref());
    if reason == Reason::Malformed {
        return VaultError::Answered { doing, status, reason, text: Some(NOT_VAULT), hint: None };
    }
    let gone = body.as_ref().and_then(|body| body.gone).filter(|_| status == StatusCode::NOT_FOUND);
    let hint = gone.map(|gone| Hint::Gone(gone.version, gone.destroyed)).or(hint);
    let text = body.and_then(|body| known_errors::known(&body.errors));
    VaultError::Answered { doing, status, reason, text, hint }
}

/// The stable reason, from the kind of the call, the status and the body. `body` is `None` if it does not have the form of Vault's API; then a
/// 4xx says nothing about the path, the policy or the pod.
fn reason(kind: CallKind, reply: &HttpResponse, body: Option<&ErrorBody>) -> Reason {
    match reply.status.code.as_u16() {
        429 => return Reason::Busy,
        500.. if reply.status.not_serving => return Reason::Sealed,
        500.. => return Reason::ServerError,
        300..400 => return Reason::Redirect,
        _ => {}
    }
    // Vault and OpenBao do not send the statuses of proxies.
    let Some(body) = body.filter(|_| !matches!(reply.status.code.as_u16(), 401 | 402 | 407 | 408 | 421))
    else {
        return Reason::Malformed;
    };
    if reply.status.passing {
        return Reason::ServerError;
    }
    let text = known_errors::known(&body.errors);
    let login = kind == CallKind::Login;
    match reply.status.code.as_u16() {
        // 412: this node lacks a state that another node has. 472 and 473: a standby of a cluster (only `sys/health`).
        412 | 472 | 473 => Reason::ServerError,
        // The 404 of a path without a secret has an empty list. With texts, no engine answers here, or another one than the class expects.
        404 if login || !body.errors.is_empty() => Reason::NoMount,
        403 if known_errors::is_nothing_mounted(&body.errors) => Reason::NoMount,
        403 if login && !known_errors::is_verdict(text) => Reason::LoginUnclear,
        400 if login && known_errors::is_failed_lookup(text) => Reason::LoginUnclear,
        400 | 403 if login => Reason::LoginDenied,
        403 => Reason::ReadDenied,
        404 => Reason::NotFound,
        _ => Reason::Rejected,
    }
}
