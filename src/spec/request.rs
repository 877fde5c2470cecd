//! One call to Vault: its parts are its identity.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use http::Method;
use percent_encoding::percent_decode;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::spec::path::is_unprintable;

/// One call to Vault; equal ones are made once a mount.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// The HTTP method, verbatim (`GET`, `PUT`, `POST`, `DELETE`, `LIST`, ..).
    #[serde(serialize_with = "method_as_text", deserialize_with = "text_as_method")]
    pub method: Method,
    /// The API path.
    pub path: VaultPath,
    /// Query parameters, decoded, sorted by name; the order of equal names is kept.
    pub query: Vec<(String, String)>,
    /// The JSON body.
    pub body: Option<Body>,
}

impl Request {
    /// The call that an object's fields stand for; `method` may be empty for `GET`, `location` is its `secretPath`.
    pub fn new(method: &str, location: &str, arguments: Option<&Value>) -> Result<Self, RequestError> {
        Self::with_body(method, location, arguments.map(Body::new))
    }

    /// The same with a body that is written already.
    pub(crate) fn with_body(method: &str, location: &str, body: Option<Body>) -> Result<Self, RequestError> {
        let (path, query) = location.split_once('?').unwrap_or((location, ""));
        let method = match method {
            "" => Method::GET,
            "CONNECT" => return Err(RequestError::Method), // would ask for a tunnel, not for a secret
            verbatim => verbatim.parse().map_err(|_| RequestError::Method)?,
        };
        Ok(Self { method, path: path.parse()?, query: parameters(query)?, body })
    }
}

fn method_as_text<S: Serializer>(method: &Method, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(method.as_str())
}

fn text_as_method<'de, D: Deserializer<'de>>(from: D) -> Result<Method, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| serde::de::Error::custom("no method of HTTP"))
}

/// Why fields of an object are no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each text says what its variant means")]
pub enum RequestError {
    #[error("secretPath is missing or empty")]
    NoPath,
    #[error("secretPath holds a part `.` or `..`: write the path without them")]
    Dots,
    #[error("secretPath holds a control character")]
    Unprintable,
    #[error("the query of secretPath (after `?`) cannot be decoded: write % as %25, ; as %3B")]
    Query,
    #[error("method is not one of HTTP: GET, PUT, POST, LIST, DELETE")]
    Method,
}

/// An API path without a leading `/` and without `v1/`: `secret/data/team-a/db`; decoded, no empty part, no dot segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VaultPath(String);

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

/// Reads all spellings of the peers: `x`, `/x`, `v1/x`, `/v1/x`; slashes in a row and at the end count as in Go's `path.Join`.
///
/// `%` stands for itself, as it does in the peers.
impl FromStr for VaultPath {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, RequestError> {
        let inner = ["/v1/", "v1/", "/"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
        let parts: Vec<_> = inner.split('/').filter(|part| !part.is_empty()).collect();
        match parts.as_slice() {
            [] => Err(RequestError::NoPath),
            parts if parts.iter().any(|part| matches!(*part, "." | "..")) => Err(RequestError::Dots),
            _ if text.contains(is_unprintable) => Err(RequestError::Unprintable),
            parts => Ok(Self(parts.join("/"))),
        }
    }
}

/// A mount, a path below one, or a key's name: no empty part, no dot segment; slashes at its ends do not count.
pub(crate) fn plain_path(text: &str) -> Result<String, PlainPathError> {
    let path = text.trim_matches('/');
    let odd = path.split('/').any(|part| matches!(part, "" | "." | "..")) || path.contains(is_unprintable);
    if odd { Err(PlainPathError) } else { Ok(path.to_owned()) }
}

/// Why a text is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a path without empty parts, parts of dots alone and control characters")]
pub struct PlainPathError;

impl VaultPath {
    /// The path of `parts` one below the other, each of which is a path already.
    pub fn of(parts: &[&str]) -> Self {
        Self(parts.join("/"))
    }
}

/// Reads a query as Go's `url.ParseQuery`: `;` is an error, `+` a space, a name without `=` has an empty value.
fn parameters(query: &str) -> Result<Vec<(String, String)>, RequestError> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if pair.contains(';') { Err(RequestError::Query) } else { Ok((decoded(name)?, decoded(value)?)) }
    });
    let mut pairs: Vec<_> = pairs.collect::<Result<_, _>>()?;
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other)); // stable
    Ok(pairs)
}

fn decoded(text: &str) -> Result<String, RequestError> {
    let hex = |digits: Option<&[u8]>| digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    if text.match_indices('%').any(|(at, _)| !hex(text.as_bytes().get(at + 1..at + 3))) {
        return Err(RequestError::Query);
    }
    let spaced = text.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8().map(Into::into).map_err(|_| RequestError::Query)
}

/// A request body: may hold passwords, so it never prints, and is serialized into sealed records only.
#[derive(Clone, Serialize, Deserialize)]
pub struct Body {
    #[serde(rename = "canonical")]
    canonical: String,
}

impl Body {
    /// The body for `arguments`; equal arguments give equal bytes (keys sorted).
    ///
    /// The peers' bytes in meaning, not in spelling: Go would write `<`, `>` and `&` as `\u00XX`.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(location: &str) -> Result<String, RequestError> {
        Request::new("", location, None).map(|request| request.path.to_string())
    }

    #[test]
    fn every_spelling_of_a_path_is_one_path() {
        for spelling in [
            "secret/foo",
            "/secret/foo",
            "v1/secret/foo",
            "/v1/secret/foo",
            "secret//foo",
            "secret/foo/",
            "secret/foo?",
        ] {
            assert_eq!(path(spelling).as_deref(), Ok("secret/foo"), "{spelling}");
        }
        let odd = [
            ("/v1/v1/", "v1"),
            ("1/secret/foo", "1/secret/foo"),
            ("/v2/secret/foo", "v2/secret/foo"),
            ("v1", "v1"),
            ("a%2fb c", "a%2fb c"),
            ("//v1/x", "v1/x"),
        ];
        for (spelling, expected) in odd {
            assert_eq!(path(spelling).as_deref(), Ok(expected), "{spelling}");
        }
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        let cases = [
            ("", RequestError::NoPath),
            ("/", RequestError::NoPath),
            ("/v1/", RequestError::NoPath),
            ("?version=1", RequestError::NoPath),
            ("secret/../sys/seal", RequestError::Dots),
            ("./secret", RequestError::Dots),
            ("secret/a\nb", RequestError::Unprintable),
            ("secret/a?x=%zz", RequestError::Query),
            ("secret/a?x=%f", RequestError::Query),
            ("secret/a?x=%ff", RequestError::Query),
            ("secret/a?a=1;b=2", RequestError::Query),
        ];
        for (location, error) in cases {
            assert_eq!(path(location), Err(error), "{location:?}");
        }
    }

    #[test]
    fn a_query_is_read_as_go_reads_it() {
        let cases: [(&str, &[(&str, &str)]); 5] = [
            ("p?version=1", &[("version", "1")]),
            ("p?b=2&a=1&b=1", &[("a", "1"), ("b", "2"), ("b", "1")]),
            ("p?&x&y=&=z&", &[("", "z"), ("x", ""), ("y", "")]),
            ("p?q=a+b%20c%2B%3D", &[("q", "a b c+=")]),
            ("p?a=b?c=d", &[("a", "b?c=d")]),
        ];
        for (location, expected) in cases {
            let request = Request::new("", location, None).unwrap();
            let query: Vec<_> =
                request.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(query, expected, "{location}");
        }
    }

    #[test]
    fn two_objects_are_one_call_only_when_every_part_is_equal() {
        let call =
            |method, location, arguments: Value| Request::new(method, location, Some(&arguments)).unwrap();
        let one = call("PUT", "/v1/pki/issue/a?x=1&y=2", json!({"a": 1, "b": 2}));
        assert_eq!(one, call("PUT", "pki/issue/a?y=2&x=1", json!({"b": 2, "a": 1})));
        assert_ne!(one, call("POST", "pki/issue/a?x=1&y=2", json!({"a": 1, "b": 2})));
        assert_ne!(one, call("PUT", "pki/issue/a?x=1", json!({"a": 1, "b": 2})));
        assert_ne!(one, call("PUT", "pki/issue/a?x=1&y=2", json!({"a": 1, "b": "2"})));
        assert_ne!(one, Request::new("PUT", "pki/issue/a?x=1&y=2", None).unwrap());
        assert_eq!(Request::new("", "a", None), Request::new("GET", "a", None));
        assert_ne!(Request::new("get", "a", None), Request::new("GET", "a", None));
    }

    #[test]
    fn a_body_never_prints() {
        let request = Request::new("PUT", "a", Some(&json!({"password": "canary"}))).unwrap();
        assert!(!format!("{request:?}").contains("canary"));
    }

    #[test]
    fn a_method_is_any_token_of_http_but_a_tunnel() {
        assert_eq!(Request::new("LIST", "a", None).unwrap().method.as_str(), "LIST");
        for method in ["GET /x", "PÜT", " GET", "CONNECT"] {
            assert_eq!(Request::new(method, "a", None), Err(RequestError::Method), "{method}");
        }
    }
}
