//! What outlives a restart of a login: its token, sealed, and how long it and its leases live.

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
use crate::state::{Kind, Outer, Record, Store, Unusable};
use crate::vault::TokenInfo;

/// A record's body. A member that is added later has a default, for the version before does not write it.
#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(rename = "who")]
    who: LoginKey,
    #[serde(rename = "facts")]
    facts: TokenInfo,
    #[serde(rename = "proved")]
    authenticated_at: UnixMillis,
    #[serde(rename = "token")]
    token: LeaseTerm,
    #[serde(rename = "leases")]
    leases: BTreeMap<String, LeaseTerm>,
}

impl VaultToken {
    /// Writes what outlives a restart, where it has changed.
    pub fn save(&self, store: &Store) {
        let Some(secret) = self.login().token() else { return };
        let (token, leases) = self.terms();
        let body = Body {
            who: self.who().clone(),
            facts: self.login().token_info().clone(),
            authenticated_at: self.authenticated_at(),
            token,
            leases,
        };
        let Ok(text) = serde_json::to_vec(&body).map(Secret::from) else { return };
        let outer = || Outer {
            kind: Kind::VaultToken,
            server: Some(body.who.server),
            accessor: body.facts.accessor,
            leases: body.leases.into_keys().collect(),
            // A copy: it goes into the record, sealed.
            token: Some(Secret::from(secret.expose().to_vec())),
        };
        if let Err(error) = self.written.put(store, self.record(), &text, outer) {
            warn!("a login does not outlive a restart: {error}");
        }
    }
}

impl Logins {
    /// Goes on with a login that an earlier process left, from when on it is kept alive again.
    pub fn resume(&self, record: Record) -> Option<Arc<VaultToken>> {
        let Record { id, outer, body, .. } = record;
        let body: Body = match serde_json::from_slice(body.expose()) {
            Ok(body) => body,
            Err(_) => {
                // Its own text would quote the body.
                warn!(record = %id, "a record of a login has no body that can be read");
                self.give_back(outer, &id);
                return None;
            }
        };
        let server = self
            .server(&body.who.server)
            .inspect_err(|error| warn!("a login of an earlier process is lost: {error}"))
            .ok()?;
        if let Err(error) = self.inner.vaults.check_login(
            &body.who.server,
            &body.who.auth,
            &body.who.account,
            Some(&body.facts),
        ) {
            warn!("a login of an earlier process is not used: {error}");
            self.give_back(outer, &id);
            return None;
        }
        if !body.who.is_named_by(&body.facts) {
            self.make_personal(&body.who);
        }
        let login = server.with_token(outer.token?, body.facts);
        let mut state = State::new(body.token, rand::random());
        for (lease, term) in body.leases {
            drop(renewal::next(
                &mut state,
                Event::LeaseIssued(LeaseId(lease), term),
                UnixMillis::default(),
                rand::random(),
            ));
        }
        let session = self.kept(body.who.clone(), login, state, body.authenticated_at, id);
        // One on which a lease hangs is its volume's, whoever it was made for.
        if body.who.scope != Scope::Account || session.leases() == 0 {
            self.land(&body.who, &session);
        }
        Some(session)
    }

    /// Cleans up after a record that cannot be used: its token is given back, where it opens; else an operator is told what to revoke.
    pub fn discard(&self, unusable: Unusable) {
        let Unusable { id, why, outer } = unusable;
        warn!(record = %id, "a record of an earlier process cannot be used: {why}");
        if let Some(outer) = outer {
            self.give_back(outer, &id);
        } else {
            self.remove(&id);
        }
    }

    fn give_back(&self, outer: Outer, id: &crate::state::RecordId) {
        let Outer { kind, server, accessor, leases, token } = outer;
        match server.zip(token) {
            Some((server, token)) => match self.server(&server) {
                Ok(server) => self.close(
                    server.with_token(token, TokenInfo { accessor, ..TokenInfo::default() }),
                    id.clone(),
                ),
                Err(error) => warn!("its token is not given back: {error}"),
            },
            None => {
                if kind == Kind::VaultToken {
                    let accessor = accessor.unwrap_or_default();
                    warn!(
                        accessor,
                        leases = leases.join(","),
                        "its token does not open: revoke it by its accessor, or let it run to its TTL"
                    );
                }
                self.remove(id);
                debug!(record = %id, "removed");
            }
        }
    }
}
