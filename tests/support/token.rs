//! Service account tokens as the kubelet projects them, signed by a key that the server trusts.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ED25519, SigningKey};
use serde_json::{Value, json};

use super::canary;

/// The cluster's signing key; a server with `public_pem` accepts its tokens.
pub(crate) struct Issuer(KeyPair);

impl Issuer {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate_for(&PKCS_ED25519).unwrap())
    }

    pub(crate) fn public_pem(&self) -> String {
        self.0.public_key_pem()
    }

    /// The compact form of a token with `claims`.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "EdDSA", "kid": "tests" }).to_string());
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes()).unwrap());
        format!("{signed}.{signature}")
    }
}

/// The subject of a token.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Name and uid of the pod that the token is bound to; the sync controller's tokens are bound to none.
    pub(crate) pod: Option<(String, String)>,
}

impl Account {
    /// The claims of this account's tokens for `audience`, as the API server issues them, valid for `seconds` from now.
    pub(crate) fn claims(&self, audience: &str, seconds: i64) -> Value {
        let Self { namespace, name, pod } = self;
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
        let begun = now.min(now + seconds) - 60;
        let mut kubernetes = json!({ "namespace": namespace, "serviceaccount": { "name": name, "uid": "0b5a1a5e-5a0e-4c1a-9d0a-000000000001" } });
        if let Some((pod, uid)) = pod {
            kubernetes["pod"] = json!({ "name": pod, "uid": uid });
            kubernetes["node"] = json!({ "name": "node-1", "uid": "0b5a1a5e-5a0e-4c1a-9d0a-000000000002" });
        }
        json!({
            "aud": [audience], "exp": now + seconds, "iat": begun, "nbf": begun, "jti": canary("token"),
            "iss": "https://kubernetes.default.svc.cluster.local", "kubernetes.io": kubernetes,
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
        })
    }
}
