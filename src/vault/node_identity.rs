//! The client certificate and the proxy of a connection identify the node. A class never acts with that identity.
//!
//! Vault's `cert` auth method reads nothing but the certificate of the connection: role and JWT of the pod do not count. So a login over such a
//! connection is the pod's own only if the response says so, or if the operator named the auth mount.

use http::Method;

use super::{Account, TokenInfo, VaultError, Vaults};
use crate::spec::{AuthSpec, ServerSpec};

impl Vaults {
    /// Refuses a login that may be the node's: `token_info` is what the response says of the token, `None` if there is no response (inline auth),
    /// `account` is the pod's service account.
    pub(crate) fn check_login(
        &self,
        server: &ServerSpec,
        auth: &AuthSpec,
        account: &Account,
        token_info: Option<&TokenInfo>,
    ) -> Result<(), VaultError> {
        let named = token_info.and_then(|info| info.account.as_ref());
        let is_pods =
            named.is_some_and(|named| (&named.namespace, &named.name) == (&account.namespace, &account.name));
        if is_pods || self.outbound.auth_mounts.names(&auth.mount) || !self.identifies_node(server) {
            return Ok(());
        }
        let why = match token_info {
            Some(_) => {
                "the response does not name the pod's service account, so the token may be the node's: it is revoked"
            }
            None => "with --inline-auth no response says whose the login is",
        };
        Err(VaultError::AuthMountRefused { doing: format!("log in at auth/{}", auth.mount), why })
    }

    /// Refuses a call of a class that is a login itself: its response would hold a token of the node.
    pub(crate) fn check_call(
        &self,
        server: &ServerSpec,
        method: &Method,
        path: &str,
        doing: &str,
    ) -> Result<(), VaultError> {
        if !is_login(method, path) || !self.identifies_node(server) {
            return Ok(());
        }
        let why = "a class may not log in by a call of its own, for the token would be the node's";
        Err(VaultError::AuthMountRefused { doing: doing.to_owned(), why })
    }

    /// True if a connection to `server` may use a client certificate or goes through the proxy. A certificate that a class names counts
    /// too: its file belongs to the node, not to the pod.
    fn identifies_node(&self, server: &ServerSpec) -> bool {
        let certificate =
            server.tls.client.as_ref().is_some_and(|client| server.configured || !client.configured);
        certificate || (server.configured && self.outbound.proxy.is_some())
    }
}

/// True for a call that an auth method could take for a login, in whatever namespace: a namespace may also stand in front of `auth/`.
fn is_login(method: &Method, path: &str) -> bool {
    let reads = *method == Method::GET || method.as_str() == "LIST";
    let mut parts = path.split('/');
    !reads && parts.any(|part| part == "auth") && parts.any(|part| part == "login")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_login_request_is_recognised() {
        for path in [
            "auth/cert/login",
            "auth/clusters/prod/login",
            "ns/auth/cert/login",
            "a/b/auth/cert/login",
            "auth/cert/login/x",
        ] {
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::from_bytes(b"post").unwrap()] {
                assert!(is_login(&method, path), "{method} {path}");
            }
        }
        assert!(
            !is_login(&Method::GET, "secret/data/auth/login") && !is_login(&Method::PUT, "secret/data/login")
        );
        assert!(
            !is_login(&Method::POST, "auth/token/create")
                && !is_login(&Method::POST, "auth/approle/role/web/secret-id")
        );
    }
}
