//! A status that is no success -> what it means.

use super::known_errors;
use super::{Hint, VaultError};
use crate::error::Reason;
use crate::vault::error_body::ErrorBody;
use crate::vault::http::HttpResponse;
use crate::vault::retry::CallKind;

/// Stands where the server's own words would, when something else has answered.
const NOT_VAULT: &str = "the body is none of Vault or OpenBao: something in between has answered";

/// The error that `reply` is to a call that was `doing` something.
pub(crate) fn refused(doing: String, kind: CallKind, reply: &HttpResponse, hint: Option<Hint>) -> VaultError {
    let status = reply.status.code;
    let body = ErrorBody::parse(&reply.body);
    let reason = reason(kind, reply, body.as_ref());
    if reason == Reason::Malformed {
        return VaultError::Answered { doing, status, reason, words: Some(NOT_VAULT), hint: None };
    }
    let words = body.and_then(|body| known_errors::known(&body.errors));
    VaultError::Answered { doing, status, reason, words, hint }
}

/// The stable cause that a call, its status and its body make together. `body` is `None` when it has not the form of the API: then a
/// 4xx says nothing of the path, the policy or the pod.
fn reason(kind: CallKind, reply: &HttpResponse, body: Option<&ErrorBody>) -> Reason {
    match reply.status.code.as_u16() {
        429 => return Reason::Busy,
        500.. if reply.status.not_serving => return Reason::Sealed,
        500.. => return Reason::ServerError,
        300..400 => return Reason::Redirect,
        _ => {}
    }
    // No server of this API sends the statuses of proxies.
    let Some(body) = body.filter(|_| !matches!(reply.status.code.as_u16(), 401 | 402 | 407 | 408 | 421))
    else {
        return Reason::Malformed;
    };
    if reply.status.passing {
        return Reason::ServerError;
    }
    let words = known_errors::known(&body.errors);
    let login = kind == CallKind::Login;
    match reply.status.code.as_u16() {
        // This node lacks a state that another one has; a standby of a cluster (only `sys/health` says so).
        412 | 472 | 473 => Reason::ServerError,
        404 if login || known_errors::is_nothing_mounted(&body.errors) => Reason::NoMount,
        403 if login && !known_errors::is_verdict(words) => Reason::LoginUnclear,
        400 if login && known_errors::is_failed_look_up(words) => Reason::LoginUnclear,
        400 | 403 if login => Reason::LoginDenied,
        403 => Reason::ReadDenied,
        404 => Reason::NotFound,
        _ => Reason::Rejected,
    }
}
