//! Parses the body of an error response, with limits, and without building a tree of it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The largest body that is parsed. A longer one does not have the form of Vault's API.
pub(crate) const ERROR_LIMIT: usize = 64 * 1024;
/// The most error texts that are stored.
const MAX_TEXTS: usize = 16;
/// The most bytes of a text that are stored.
const MAX_TEXT_BYTES: usize = 1024;

/// The members at the top level of a response of Vault's API. An error has `errors`, alone or with some of them.
pub(crate) const ENVELOPE: [&str; 9] = [
    "request_id",
    "lease_id",
    "renewable",
    "lease_duration",
    "data",
    "wrap_info",
    "warnings",
    "auth",
    "mount_type",
];

/// The error texts of a body that has the form of Vault's API.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorBody {
    pub(crate) errors: Vec<String>,
    /// The version of a KV v2 secret that the response is about, if it is deleted or destroyed.
    pub(crate) gone: Option<GoneVersion>,
}

/// A version of a KV v2 secret without data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GoneVersion {
    pub(crate) version: u64,
    /// It cannot be undeleted.
    pub(crate) destroyed: bool,
}

impl ErrorBody {
    /// Parses `body`. `None` if it is not from Vault or OpenBao, but from an ingress, a mesh or a gateway.
    ///
    /// Two forms exist: `{"errors": [texts]}`, and a response with `data` (a deleted version in KV v2, or warnings).
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        if body.len() > ERROR_LIMIT {
            return None;
        }
        let Members { errors, is_response, has_foreign, gone } = serde_json::from_slice(body).ok()?;
        match errors {
            Some(errors) if !has_foreign => Some(Self { errors, gone }),
            None if is_response => Some(Self { errors: Vec::new(), gone }),
            _ => None,
        }
    }
}

/// What matters about the members of a body.
struct Members {
    errors: Option<Vec<String>>,
    /// It has `data` and the members that every response of the API has; or it has the data of a deleted version, and no foreign member.
    is_response: bool,
    /// It has a member that responses of the API do not have.
    has_foreign: bool,
    gone: Option<GoneVersion>,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OfMap;
        impl<'de> Visitor<'de> for OfMap {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let (mut errors, mut has_foreign, mut gone) = (None, false, None);
                let (mut request, mut lease, mut data, mut deleted) = (false, false, false, false);
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "errors" => errors = Some(map.next_value::<Texts>()?.0),
                        "request_id" => request = map.next_value::<Text>().map(|_| true)?,
                        "lease_id" => lease = map.next_value::<Text>().map(|_| true)?,
                        "data" => {
                            data = true;
                            HasMetadata(deleted, gone) = map.next_value()?;
                        }
                        name => {
                            has_foreign |= !ENVELOPE.contains(&name);
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Members {
                    errors,
                    is_response: request && lease && data || deleted && !has_foreign,
                    has_foreign,
                    gone,
                })
            }
        }
        from.deserialize_map(OfMap)
    }
}

/// True for an object with `metadata`, as in responses of the KV engine; and what the metadata say about the version.
struct HasMetadata(bool, Option<GoneVersion>);

impl<'de> Deserialize<'de> for HasMetadata {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OfAny;
        impl<'de> Visitor<'de> for OfAny {
            type Value = HasMetadata;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HasMetadata, A::Error> {
                let (mut found, mut gone) = (false, None);
                while let Some(name) = map.next_key::<String>()? {
                    if name == "metadata" {
                        (found, gone) = (true, gone_version(&map.next_value()?));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(HasMetadata(found, gone))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<HasMetadata, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(HasMetadata(false, None))
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<HasMetadata, E> {
                Ok(HasMetadata(false, None))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<HasMetadata, E> {
                Ok(HasMetadata(false, None))
            }

            fn visit_unit<E: Error>(self) -> Result<HasMetadata, E> {
                Ok(HasMetadata(false, None))
            }
        }
        from.deserialize_any(OfAny)
    }
}

/// The version that `metadata` describe, if it is deleted or destroyed.
fn gone_version(metadata: &Value) -> Option<GoneVersion> {
    let destroyed = metadata.get("destroyed") == Some(&Value::Bool(true));
    let deleted = metadata.get("deletion_time").and_then(Value::as_str).is_some_and(|time| !time.is_empty());
    let version = metadata.get("version")?.as_u64()?;
    (destroyed || deleted).then_some(GoneVersion { version, destroyed })
}

/// A list that has only strings.
struct Texts(Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OfList;
        impl<'de> Visitor<'de> for OfList {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of texts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(Text(text)) = list.next_element()? {
                    if texts.len() < MAX_TEXTS {
                        texts.push(text);
                    }
                }
                Ok(Texts(texts))
            }
        }
        from.deserialize_seq(OfList)
    }
}

/// The beginning of a string.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OfText;
        impl Visitor<'_> for OfText {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text[..text.floor_char_boundary(MAX_TEXT_BYTES)].to_owned()))
            }
        }
        from.deserialize_str(OfText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(body: &str) -> Option<Vec<String>> {
        ErrorBody::parse(body.as_bytes()).map(|body| body.errors)
    }

    #[test]
    fn the_forms_of_the_api_are_parsed() {
        assert_eq!(texts(r#"{"errors": []}"#), Some(vec![]));
        assert_eq!(texts("{\"errors\":[\"a\", \"b\"]}\n"), Some(vec!["a".into(), "b".into()]));
        assert_eq!(
            texts(r#"{"errors": ["a"], "data": {"error": 1}, "warnings": null}"#),
            Some(vec!["a".into()])
        );
        let deleted = r#"{"request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0,
            "data": {"data": null, "metadata": {"deletion_time": "t", "version": 1}}, "wrap_info": null, "warnings": null, "auth": null}"#;
        assert_eq!(texts(deleted), Some(vec![]));
        let gone = |body: &str| ErrorBody::parse(body.as_bytes()).and_then(|body| body.gone);
        assert_eq!(gone(deleted), Some(GoneVersion { version: 1, destroyed: false }));
        let destroyed = deleted.replace("\"version\"", "\"destroyed\": true, \"version\"");
        assert_eq!(gone(&destroyed), Some(GoneVersion { version: 1, destroyed: true }));
        assert_eq!(texts(r#"{"data": {"data": null, "metadata": {"version": 1}}}"#), Some(vec![]));
        let warned = r#"{"request_id": "r", "lease_id": "", "data": null, "warnings": ["Invalid path for a versioned K/V secrets engine"]}"#;
        assert_eq!(texts(warned), Some(vec![]));
    }

    #[test]
    fn everything_else_is_another_ones_answer() {
        for body in [
            "",
            "default backend - 404",
            "<html></html>",
            "[]",
            "{}",
            "null",
            r#"{"errors": null}"#,
            r#"{"errors": "text"}"#,
            r#"{"errors": [1]}"#,
            r#"{"errors": ["a", {}]}"#,
            r#"{"errors": ["a"], "status": 404}"#,
            r#"{"errors": []} x"#,
            r#"{"errors": ["#,
            r#"{"message": "no Route matched", "request_id": "r"}"#,
            r#"{"request_id": "r", "lease_id": 1, "data": null}"#,
            r#"{"data": {"x": 1}}"#,
            r#"{"data": {"metadata": {}}, "status": 404}"#,
            r#"{"data": 7}"#,
        ] {
            assert_eq!(texts(body), None, "{body}");
        }
    }

    #[test]
    fn many_texts_and_long_texts_are_truncated() {
        let many = texts(&format!("{{\"errors\": [{}\"x\"]}}", "\"x\",".repeat(1000)));
        assert_eq!(many.map(|texts| texts.len()), Some(MAX_TEXTS));
        let long = texts(&format!("{{\"errors\": [\"{}\"]}}", "é".repeat(1000)));
        assert_eq!(long.map(|texts| texts[0].len()), Some(MAX_TEXT_BYTES));
        assert_eq!(texts(&format!("{{\"errors\": [\"{}\"]}}", "x".repeat(ERROR_LIMIT))), None);
    }
}
