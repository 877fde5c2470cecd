//! By what a call says whose it is.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde_json::json;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::spec::AuthSpec;

/// What stands in a call's headers.
pub(crate) enum Credential {
    /// A token.
    Token(Secret),
    /// The login itself, which OpenBao carries out for this call alone: nothing is stored of it.
    SecretText {
        /// `auth/<mount>/login`.
        path: String,
        /// Its parameters, each as the header wants it.
        parameters: Vec<Secret>,
    },
}

impl Credential {
    /// The login of a pod with its token, in every call.
    pub(crate) fn inline(auth: &AuthSpec, jwt: &str) -> Self {
        let parameter = |key: &str, value: &str| {
            let json = Zeroizing::new(json!({ "key": key, "value": value }).to_string());
            Secret::from(URL_SAFE_NO_PAD.encode(&*json))
        };
        Self::SecretText {
            path: format!("auth/{}/login", auth.mount),
            parameters: vec![parameter("role", &auth.role), parameter("jwt", jwt)],
        }
    }

    /// Puts it into `request`; `None` when it has bytes that no header may hold.
    pub(crate) fn put(&self, request: reqwest::RequestBuilder) -> Option<reqwest::RequestBuilder> {
        match self {
            Self::Token(token) => Some(request.header("X-Vault-Token", sensitive(token)?)),
            Self::SecretText { path, parameters } => {
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
