//! Whether what a server issued still exists there: an operator may have revoked it.

use serde_json::Value;

use super::Fetched;
use crate::error::Reason;
use crate::limits::Budget;
use crate::secret::Secret;
use crate::spec::{EngineRequest, Source};
use crate::vault::{Login, Server, TokenInfo};

/// What the server says about something that it issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existence {
    /// It exists.
    Exists,
    /// It was revoked, or has expired.
    Revoked,
    /// The token of its lease may not even look itself up, which it could when it was issued.
    TokenRevoked,
    /// The server does not say: it keeps no record of it, it may not be looked up, or the call failed.
    Unknown,
}

/// Looks up the lease `id` by the token that has it.
pub(crate) async fn lease_exists(login: &Login, id: &str, budget: &Budget) -> Existence {
    match login.look_up_lease(id, budget).await {
        Ok(()) => Existence::Exists,
        Err(error) if error.is_invalid_lease() => Existence::Revoked,
        Err(error) if error.is_invalid_token() => Existence::TokenRevoked,
        Err(error) if error.reason() == Reason::ReadDenied => token_exists(login, budget).await,
        Err(_) => Existence::Unknown,
    }
}

/// Whether the token of `login` is valid, where its policy would let it look itself up. Says nothing about its leases. Older servers send the
/// same text for a token that does not exist as for one whose policy lacks something.
async fn token_exists(login: &Login, budget: &Budget) -> Existence {
    match login.look_up(budget).await {
        Err(error) if error.reason() == Reason::ReadDenied && login.token_info().has_default_policy => {
            Existence::TokenRevoked
        }
        Ok(()) | Err(_) => Existence::Unknown,
    }
}

/// Looks up what `server` issued for `source` without a lease: a token by itself, or a certificate by its serial number.
pub(crate) async fn exists(
    server: &Server,
    source: &Source,
    fetched: &Fetched,
    budget: &Budget,
) -> Existence {
    if let Some(token) = fetched.issued_token() {
        return issued_token_exists(server, token, budget).await;
    }
    let Some((mount, serial)) = mount_of(source).zip(fetched.serial_number()) else {
        return Existence::Unknown;
    };
    let namespace = source.namespace.as_deref();
    let Ok(response) = server.certificate(&mount, serial, namespace, budget).await else {
        // A role with `no_store`: the server does not know its certificates.
        return Existence::Unknown;
    };
    if response.number(&["data", "revocation_time"]) > 0 { Existence::Revoked } else { Existence::Exists }
}

/// Looks up a token that the response holds.
async fn issued_token_exists(server: &Server, token: &str, budget: &Budget) -> Existence {
    let login = server.clone().with_token(Secret::from(token), TokenInfo::default());
    match login.look_up(budget).await {
        Ok(()) => Existence::Exists,
        Err(error) if error.is_invalid_token() => Existence::Revoked,
        Err(_) => Existence::Unknown,
    }
}

/// The mount of the PKI engine that issued the certificate of `source`.
fn mount_of(source: &Source) -> Option<String> {
    match &source.request {
        EngineRequest::Certificate(request) => Some(request.mount.clone()),
        EngineRequest::Request(request) => {
            let path = request.path.as_str();
            let ends = ["/issue/", "/sign/", "/sign-verbatim/", "/issuer/"]
                .into_iter()
                .filter_map(|end| path.find(end));
            Some(path[..ends.min()?].to_owned())
        }
        EngineRequest::Kv(_)
        | EngineRequest::Authorities { .. }
        | EngineRequest::Transit(_)
        | EngineRequest::S5(_) => None,
    }
}

impl Fetched {
    /// Whether the call issued a token.
    pub(crate) fn is_token(&self) -> bool {
        self.issued_token().is_some()
    }

    /// The token that the response holds, if it was issued by the call.
    fn issued_token(&self) -> Option<&str> {
        self.response()?.text(&["auth", "client_token"])
    }

    /// The serial number of the certificate in it, as the PKI engine writes it.
    fn serial_number(&self) -> Option<&str> {
        let data = self.response()?.members().get("data")?.as_object()?;
        data.get("certificate")?;
        data.get("serial_number").and_then(Value::as_str).filter(|serial| !serial.is_empty())
    }
}
