//! What the class or the server needs, for a refused call: the namespace that does not exist, the rule that a policy lacks.

use http::{Method, StatusCode};

use super::{Hint, Login, Server, VaultError};
use crate::error::Reason;
use crate::spec::Request;
use crate::vault::error_body::ErrorBody;
use crate::vault::http::HttpResponse;
use crate::vault::{engine_refusals, known_errors};

impl Server {
    /// `error`, with the name of the namespace if the server says that it does not exist. `namespace` is that of the call, if it is another one
    /// than the server's.
    pub(super) fn with_namespace_hint(&self, error: VaultError, namespace: Option<&str>) -> VaultError {
        match namespace.or(self.spec.namespace.as_deref()) {
            Some(name) => {
                error.with_hint(known_errors::is_missing_namespace, || Hint::NoNamespace(name.to_owned()))
            }
            None => error,
        }
    }
}

impl Login {
    /// What to change in `request`, which an engine refused with `reply`.
    pub(super) fn refused_parameter(request: &Request, reply: &HttpResponse) -> Option<Hint> {
        let is_refused = reply.status.code == StatusCode::BAD_REQUEST;
        let body = ErrorBody::parse(&reply.body).filter(|_| is_refused)?;
        engine_refusals::hint(&body.errors, request.body.as_ref().map(|body| body.expose()))
    }

    /// `error`, with the rule that a policy lacks if the server refused a call of `path` because of that.
    pub(super) fn with_policy_hint(
        &self,
        error: VaultError,
        method: &Method,
        path: &str,
        namespace: Option<&str>,
    ) -> VaultError {
        let server = self.server();
        let error = server.with_namespace_hint(error, namespace);
        // With inline auth the same status and text may be about the login.
        if error.reason() != Reason::ReadDenied || self.token().is_none() {
            return error;
        }
        let path = path_in_policy(path, namespace, server.spec.namespace.as_deref());
        error.with_hint(known_errors::is_permission_denied, || Hint::NotAllowed(path, capability(method)))
    }
}

/// The path of a request in `namespace` as the policy of a role in `own` names it: a child namespace stands before the path.
fn path_in_policy(path: &str, namespace: Option<&str>, own: Option<&str>) -> String {
    let below = |namespace: &str| match own {
        Some(own) => namespace.strip_prefix(own)?.strip_prefix('/').map(str::to_owned),
        None => Some(namespace.to_owned()),
    };
    match namespace.and_then(below) {
        Some(child) => format!("{}/{path}", child.trim_matches('/')),
        None => path.to_owned(),
    }
}

/// The capability of a policy that a request with this method needs.
fn capability(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "read",
        "LIST" => "list",
        "DELETE" => "delete",
        "PATCH" => "patch",
        _ => "update",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_a_child_namespace_before_the_path() {
        for (namespace, own, expected) in [
            (None, None, "secret/x"),
            (Some("a/b"), None, "a/b/secret/x"),
            (Some("a/b"), Some("a"), "b/secret/x"),
            (Some("ab"), Some("a"), "secret/x"),
            (None, Some("a"), "secret/x"),
        ] {
            assert_eq!(path_in_policy("secret/x", namespace, own), expected);
        }
    }
}
