//! Tokens in records, which survive a restart: the sealed token, and the terms of the token and its leases.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use super::{LoginKey, Logins, Scope, VaultToken};
use crate::renewal;
use crate::renewal::{Event, LeaseId, LeaseTerm, State, UnixMillis};
use crate::secret::Secret;
use crate::state;
use crate::state::{Kind, Outer, Record, RecordId, Store, Unusable};
use crate::vault::TokenInfo;

/// The body of a record. A member that is added later needs a default, for older versions do not write it.
#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(rename = "who")]
    key: LoginKey,
    #[serde(rename = "facts")]
    info: TokenInfo,
    #[serde(rename = "proved")]
    authenticated_at: UnixMillis,
    #[serde(rename = "token")]
    term: LeaseTerm,
    #[serde(rename = "leases")]
    leases: BTreeMap<String, LeaseTerm>,
}

impl VaultToken {
    /// Writes the token's record if it has changed. An inline login has no token, and so no record.
    pub(crate) fn save(&self, store: &Store) {
        let Some(secret) = self.login().token() else { return };
        let (term, leases) = self.terms();
        let body = Body {
            key: self.key().clone(),
            info: self.login().token_info().clone(),
            authenticated_at: self.authenticated_at(),
            term,
            leases,
        };
        let Some(text) = state::to_json(&body) else { return };
        let outer = || Outer {
            kind: Kind::VaultToken,
            server: Some(body.key.server),
            accessor: body.info.accessor,
            leases: body.leases.into_keys().collect(),
            // A copy, which goes into the record sealed.
            token: Some(Secret::from(secret.expose().to_vec())),
        };
        if let Err(error) = self.written.put(store, self.record(), &text, outer) {
            warn!(
                "the record of a token could not be written, so the token does not survive a restart: {error}"
            );
        }
    }
}

impl Logins {
    /// Takes over the token of an earlier process, and renews it from now on. `None` when it cannot be used; then it is revoked where possible.
    pub(crate) fn resume(&self, record: Record) -> Option<Arc<VaultToken>> {
        let Record { id, outer, body, .. } = record;
        let body: Body = match serde_json::from_slice(body.expose()) {
            Ok(body) => body,
            Err(_) => {
                // The error's own text would quote the body.
                warn!(record = %id, "the record of a token has no body that can be read");
                self.revoke_recorded(outer, &id);
                return None;
            }
        };
        let server = self
            .server(&body.key.server)
            .inspect_err(|error| warn!("a token of an earlier process cannot be used: {error}"))
            .ok()?;
        if let Err(error) = self.inner.vaults.check_login(
            &body.key.server,
            &body.key.auth,
            &body.key.account,
            Some(&body.info),
        ) {
            warn!("a token of an earlier process must not be used: {error}");
            self.revoke_recorded(outer, &id);
            return None;
        }
        if !body.key.is_named_by(&body.info) {
            self.mark_per_pod(&body.key);
        }
        let login = server.with_token(outer.token?, body.info);
        let mut state = State::new(body.term, rand::random());
        for (lease, term) in body.leases {
            drop(renewal::next(
                &mut state,
                Event::LeaseIssued(LeaseId(lease), term),
                UnixMillis::default(),
                rand::random(),
            ));
        }
        let revoker = self.inner.revoker.clone();
        let token =
            VaultToken::with_state(body.key.clone(), login, state, body.authenticated_at, id, revoker);
        // A token with leases belongs to one volume, whatever its scope is.
        if body.key.scope != Scope::Account || token.lease_count() == 0 {
            self.store(&body.key, &token);
        }
        Some(token)
    }

    /// Cleans up after a record that cannot be used: revokes its token, or logs what an operator has to revoke when the token cannot be decrypted.
    pub(crate) fn discard(&self, unusable: Unusable) {
        let Unusable { id, why, outer } = unusable;
        warn!(record = %id, "a record of an earlier process cannot be used: {why}");
        if let Some(outer) = outer {
            self.revoke_recorded(outer, &id);
        } else {
            self.inner.revoker.remove_record(&id);
        }
    }

    fn revoke_recorded(&self, outer: Outer, id: &RecordId) {
        let Outer { kind, server, accessor, leases, token } = outer;
        match server.zip(token) {
            Some((server, token)) => match self.server(&server) {
                Ok(server) => self.inner.revoker.revoke(
                    server.with_token(token, TokenInfo { accessor, ..TokenInfo::default() }),
                    id.clone(),
                ),
                Err(error) => warn!("the token is not revoked: {error}"),
            },
            None => {
                if kind == Kind::VaultToken {
                    let accessor = accessor.unwrap_or_default();
                    warn!(
                        accessor,
                        leases = leases.join(","),
                        "the token cannot be decrypted: revoke it by its accessor, or let it expire with its TTL"
                    );
                }
                self.inner.revoker.remove_record(id);
                debug!(record = %id, "removed");
            }
        }
    }
}
