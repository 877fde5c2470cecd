//! One request to Vault.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use http::Method;
use percent_encoding::percent_decode;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::path::is_unprintable;

/// One request to Vault. Equal requests are sent once for each mount.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The HTTP method as written (`GET`, `PUT`, `POST`, `DELETE`, `LIST`, ..).
    #[serde(serialize_with = "method_as_text", deserialize_with = "text_as_method")]
    pub(crate) method: Method,
    /// The API path.
    pub(crate) path: VaultPath,
    /// Query parameters, decoded and sorted by name. Parameters of the same name stay in their order.
    pub(crate) query: Vec<(String, String)>,
    /// The JSON body.
    pub(crate) body: Option<Body>,
}

impl Request {
    /// The request of an object. An empty `method` means `GET`; `location` is the object's `secretPath`.
    pub(crate) fn new(method: &str, location: &str, arguments: Option<&Value>) -> Result<Self, RequestError> {
        Self::with_body(method, location, arguments.map(Body::new))
    }

    /// The same as [`Self::new`], with a body.
    pub(crate) fn with_body(method: &str, location: &str, body: Option<Body>) -> Result<Self, RequestError> {
        let (path, query) = location.split_once('?').unwrap_or((location, ""));
        let method = match method {
            "" => Method::GET,
            "CONNECT" => return Err(RequestError::Method), // would open a tunnel through a proxy
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
    text.parse().map_err(|_| serde::de::Error::custom("not an HTTP method"))
}

/// Why the fields of an object are not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("secretPath is missing or empty")]
    NoPath,
    #[error("secretPath contains a part `.` or `..`: write the path without them")]
    Dots,
    #[error("secretPath contains a control character")]
    Unprintable,
    #[error("the query of secretPath (after `?`) cannot be decoded: write % as %25, ; as %3B")]
    Query,
    #[error("method is not an HTTP method: GET, PUT, POST, LIST, DELETE")]
    Method,
}

/// An API path without a leading `/` and without `v1/`: `secret/data/team-a/db`; decoded, no empty part, no dot segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct VaultPath(String);

impl VaultPath {
    /// The path as text, not percent-encoded.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VaultPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Accepts all spellings of the upstream providers: `x`, `/x`, `v1/x`, `/v1/x`. Repeated slashes and a slash at the end are removed, as by
/// Go's `path.Join`.
///
/// `%` is an ordinary character, as in the upstream providers.
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

/// The path of a mount, a path below a mount, or the name of a key, without slashes at its ends.
///
/// # Errors
/// A part is empty, `.` or `..`, or the text contains a control character.
pub(crate) fn plain_path(text: &str) -> Result<String, PlainPathError> {
    let path = text.trim_matches('/');
    let odd = path.split('/').any(|part| matches!(part, "" | "." | "..")) || path.contains(is_unprintable);
    if odd { Err(PlainPathError) } else { Ok(path.to_owned()) }
}

/// A text is not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a path without empty parts, without . and .. and without control characters")]
pub(crate) struct PlainPathError;

impl VaultPath {
    /// Joins `parts`, each of which is a path.
    pub(crate) fn join(parts: &[&str]) -> Self {
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

/// A request body. It may contain passwords, so `Debug` does not print it, and it is serialized into sealed records only.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Body {
    #[serde(rename = "canonical")]
    canonical: String,
}

impl Body {
    /// The body for `arguments`. Keys are sorted, so equal arguments have equal bytes.
    ///
    /// The upstream providers send the same JSON, but spell it differently: Go writes `<`, `>` and `&` as `\u00XX`.
    pub(crate) fn new(arguments: &Value) -> Self {
        Self { canonical: arguments.to_string() }
    }

    /// The body with `map` applied to every text in it, names of members left out.
    pub(crate) fn map_texts<E>(&self, map: &dyn Fn(&str) -> Result<String, E>) -> Result<Self, E> {
        let mut value = self.canonical.parse().unwrap_or(Value::Null);
        map_texts(&mut value, map)?;
        Ok(Self::new(&value))
    }

    /// The JSON text; sent with the request and nowhere else.
    pub(crate) fn expose(&self) -> &str {
        &self.canonical
    }
}

fn map_texts<E>(value: &mut Value, map: &dyn Fn(&str) -> Result<String, E>) -> Result<(), E> {
    match value {
        Value::String(text) => *text = map(text)?,
        Value::Array(items) => items.iter_mut().try_for_each(|item| map_texts(item, map))?,
        Value::Object(members) => members.values_mut().try_for_each(|value| map_texts(value, map))?,
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
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
    fn a_path_outside_of_its_mount_is_refused() {
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
    fn two_objects_share_a_request_only_if_every_part_is_equal() {
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
    fn the_body_is_not_printed() {
        let request = Request::new("PUT", "a", Some(&json!({"password": "canary"}))).unwrap();
        assert!(!format!("{request:?}").contains("canary"));
    }

    #[test]
    fn every_http_method_is_accepted_except_connect() {
        assert_eq!(Request::new("LIST", "a", None).unwrap().method.as_str(), "LIST");
        for method in ["GET /x", "PÜT", " GET", "CONNECT"] {
            assert_eq!(Request::new(method, "a", None), Err(RequestError::Method), "{method}");
        }
    }
}
