//! What the files hold: the object in the form that the upstream providers take too, and the call behind it.

use clap::ValueEnum;
use reqwest::Method;
use serde_json::{Value, json};

/// The kind of all objects of a load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ObjectKind {
    /// KV secrets, each at its own path
    #[default]
    Kv,
    /// Keys of one KV secret: one call, however many they are
    SamePath,
    /// Certificates, each issued for its object
    Pki,
    /// Ciphertexts, each decrypted by its own call
    Transit,
}

/// A call to the server, below `/v1/`.
#[derive(Clone)]
pub(crate) struct VaultCall {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Option<String>,
}

impl ObjectKind {
    /// The entry of `objects` with that number. `sealed` is the ciphertext of transit objects.
    pub(crate) fn entry(self, number: usize, sealed: &str) -> Value {
        let name = format!("file-{number}");
        match self {
            Self::Kv => json!({ "objectName": name, "secretPath": kv_path(number), "secretKey": "value" }),
            Self::SamePath => {
                json!({ "objectName": name, "secretPath": SAME, "secretKey": format!("key-{number}") })
            }
            Self::Pki | Self::Transit => {
                let VaultCall { path, body, .. } = self.call(number, sealed);
                let (arguments, key) =
                    (body.unwrap_or_default(), if self == Self::Pki { "certificate" } else { "plaintext" });
                let arguments: Value = serde_json::from_str(&arguments).unwrap();
                json!({ "objectName": name, "secretPath": path, "secretKey": key, "method": "POST", "secretArgs": arguments })
            }
        }
    }

    /// The calls that a mount of this many objects needs at least.
    pub(crate) fn calls(self, objects: usize, sealed: &str) -> Vec<VaultCall> {
        let calls = if self == Self::SamePath { 1 } else { objects };
        (0..calls).map(|number| self.call(number, sealed)).collect()
    }

    fn call(self, number: usize, sealed: &str) -> VaultCall {
        let read = |path: String| VaultCall { method: Method::GET, path, body: None };
        let post = |path: &str, body: Value| VaultCall {
            method: Method::POST,
            path: path.into(),
            body: Some(body.to_string()),
        };
        match self {
            Self::Kv => read(kv_path(number)),
            Self::SamePath => read(SAME.into()),
            Self::Pki => {
                post("pki/issue/bench", json!({ "common_name": format!("pod-{number}.bench.example") }))
            }
            // One ciphertext for all objects would be one call for all.
            Self::Transit => post(
                "transit/decrypt/bench",
                json!({ "ciphertext": sealed, "reference": format!("{number}") }),
            ),
        }
    }
}

/// The secret of `ObjectKind::SamePath`, with `key-0`, `key-1`, ..
pub(crate) const SAME: &str = "secret/data/bench/same";

/// The secret of object `number`.
pub(crate) fn kv_path(number: usize) -> String {
    format!("secret/data/bench/object-{number}")
}
