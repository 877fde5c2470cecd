//! One call to Vault: its parts are its identity.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde_json::Value;

/// One call to Vault; equal ones are made once a mount.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// The HTTP method, verbatim (`GET`, `PUT`, `POST`, `DELETE`, `LIST`, ..).
    pub method: http::Method,
    /// The API path.
    pub path: VaultPath,
    /// Query parameters, decoded, sorted by name; the order of equal names is kept.
    pub query: Vec<(String, String)>,
    /// The JSON body.
    pub body: Option<Body>,
}

/// An API path without a leading `/` and without `v1/`: `secret/data/team-a/db`; decoded, no empty part, no dot segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VaultPath(pub(super) String);

impl VaultPath {
    /// The path as text, not percent-encoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VaultPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request body: may hold passwords, so it never prints.
#[derive(Clone)]
pub struct Body {
    canonical: String,
}

impl Body {
    /// The body for `arguments`; equal arguments give equal bytes (keys sorted).
    pub fn new(arguments: &Value) -> Self {
        Self { canonical: arguments.to_string() }
    }

    /// The JSON text; goes into the call and nowhere else.
    pub fn expose(&self) -> &str {
        &self.canonical
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Body {}

impl Hash for Body {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical.hash(state);
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body(..)")
    }
}
