//! The credential in the headers of a call.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde_json::json;
use zeroize::Zeroizing;

use super::Hint;
use crate::secret::Secret;
use crate::spec::AuthSpec;
use crate::vault::error_body::ErrorBody;

/// How a call authenticates.
pub(crate) enum Credential {
    /// With a Vault token.
    Token(Secret),
    /// With a login in its own headers (OpenBao's inline auth). OpenBao logs in for this call only, and stores no token.
    Inline {
        /// `auth/<mount>/login`.
        path: String,
        /// The parameters, in the encoding of the headers.
        parameters: Vec<Secret>,
        /// The auth mount and the role, for messages.
        mount_and_role: (String, String),
    },
}

impl Credential {
    /// The inline login of a pod with its service account token.
    pub(crate) fn inline(auth: &AuthSpec, jwt: &str) -> Self {
        let parameter = |key: &str, value: &str| {
            let json = Zeroizing::new(json!({ "key": key, "value": value }).to_string());
            Secret::from(URL_SAFE_NO_PAD.encode(&*json))
        };
        Self::Inline {
            path: format!("auth/{}/login", auth.mount),
            parameters: vec![parameter("role", &auth.role), parameter("jwt", jwt)],
            mount_and_role: (auth.mount.clone(), auth.role.clone()),
        }
    }

    /// The role, if `body`, the error of a call, says that the role of its own login does not exist. An engine's text of another meaning does not match.
    pub(crate) fn missing_role(&self, body: &[u8]) -> Option<Hint> {
        let Self::Inline { mount_and_role: (mount, role), .. } = self else { return None };
        let texts = [format!("invalid role name {role:?}"), format!("role {role:?} could not be found")];
        let body = ErrorBody::parse(body)?;
        let is_missing = body.errors.iter().any(|text| texts.contains(text));
        is_missing.then(|| Hint::NoRole(mount.clone(), role.clone()))
    }

    /// Adds the headers to `request`; `None` if a value has bytes that an HTTP header cannot have.
    pub(crate) fn add_to(&self, request: reqwest::RequestBuilder) -> Option<reqwest::RequestBuilder> {
        match self {
            Self::Token(token) => Some(request.header("X-Vault-Token", sensitive(token)?)),
            Self::Inline { path, parameters, .. } => {
                let request = request.header("X-Vault-Inline-Auth-Path", path);
                parameters.iter().zip(1..).try_fold(request, |request, (parameter, number)| {
                    Some(
                        request
                            .header(format!("X-Vault-Inline-Auth-Parameter-{number}"), sensitive(parameter)?),
                    )
                })
            }
        }
    }
}

/// A secret as a header that no log shows and HPACK never indexes.
fn sensitive(secret: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(secret.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}
