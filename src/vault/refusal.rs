//! A status that is no success -> what it means.

use super::error::{Hint, VaultError};
use super::exchange::Reply;
use super::retry::CallKind;
use super::sentences;
use crate::error::Reason;

/// The error that `reply` is to a call that was `doing` something.
pub(super) fn refused(doing: String, kind: CallKind, reply: &Reply, hint: Option<Hint>) -> VaultError {
    let words = sentences::known(&reply.body);
    VaultError::Answered { doing, status: reply.status.code, reason: reason(kind, reply, words), words, hint }
}

/// The stable cause that a call and its status make together.
fn reason(kind: CallKind, reply: &Reply, words: Option<&str>) -> Reason {
    let login = kind == CallKind::Login;
    match reply.status.code.as_u16() {
        403 if login && !sentences::is_verdict(words) => Reason::LoginUnclear,
        400 if login && sentences::is_failed_look_up(words) => Reason::LoginUnclear,
        400 | 403 | 404 if login => Reason::LoginDenied,
        403 => Reason::ReadDenied,
        404 => Reason::NotFound,
        429 => Reason::Busy,
        500.. if reply.status.not_serving => Reason::Sealed,
        500.. => Reason::ServerError,
        300..400 => Reason::Redirect,
        _ => Reason::Rejected,
    }
}
