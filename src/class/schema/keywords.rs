//! Types of fields that take one of a few words.

use std::collections::BTreeMap;

use serde_json::json;

use crate::class::diagnostics::FieldError;
use crate::class::schema::field::{FieldContext, FieldValue, Kind};
use crate::class::schema::values::members;
use crate::class::spelling::nearest;
use crate::goyaml::{Item, ItemKind};
use crate::spec::{
    Encoding, Format, KeyForm, KeyType, LoginScope, SelectorRoot, ShareScope, StoreForm, TextSyntax,
    VolumeWriter,
};

/// A type with one word for each value.
pub(crate) trait Keyword: Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

/// The value of the word `text`, in upper or lower case; `None` if there is no such word.
pub(crate) fn keyword<W: Keyword>(text: &str) -> Option<W> {
    W::WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, known)| *known)
}

impl<W: Keyword> FieldValue for W {
    fn kind() -> Kind {
        let words: Vec<_> = W::WORDS.iter().map(|(word, _)| *word).collect();
        Kind::new(
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
            json!({"enum": words}),
        )
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        let text = String::parse(item, at)?;
        if let Some(known) = keyword(&text) {
            return Some(known);
        }
        let words = || W::WORDS.iter().map(|(word, _)| *word);
        at.error(FieldError::Word { meant: nearest(&text, words()), word: text, allowed: words().collect() })
    }
}

impl Keyword for Encoding {
    const WORDS: &'static [(&'static str, Self)] =
        &[("utf-8", Self::Utf8), ("base64", Self::Base64), ("hex", Self::Hex)];
}

impl Keyword for Format {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("json", Self::Json),
        ("yaml", Self::Yaml),
        ("toml", Self::Toml),
        ("env", Self::Env),
        ("properties", Self::Properties),
    ];
}

impl Keyword for TextSyntax {
    const WORDS: &'static [(&'static str, Self)] = &[("json", Self::Json), ("yaml", Self::Yaml)];
}

impl Keyword for KeyType {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("ec-p256", Self::EcP256),
        ("ec-p384", Self::EcP384),
        ("ed25519", Self::Ed25519),
        ("rsa-2048", Self::Rsa2048),
        ("rsa-3072", Self::Rsa3072),
        ("rsa-4096", Self::Rsa4096),
    ];
}

impl Keyword for KeyForm {
    const WORDS: &'static [(&'static str, Self)] =
        &[("pkcs8", Self::Pkcs8), ("pkcs1", Self::Pkcs1), ("sec1", Self::Sec1)];
}

impl Keyword for StoreForm {
    const WORDS: &'static [(&'static str, Self)] = &[("pkcs12", Self::Pkcs12), ("jks", Self::Jks)];
}

impl Keyword for LoginScope {
    const WORDS: &'static [(&'static str, Self)] =
        &[("shared", Self::Shared), ("pod", Self::Pod), ("transient", Self::Transient)];
}

impl Keyword for ShareScope {
    const WORDS: &'static [(&'static str, Self)] =
        &[("pod", Self::Pod), ("serviceAccount", Self::ServiceAccount)];
}

impl Keyword for VolumeWriter {
    const WORDS: &'static [(&'static str, Self)] = &[("driver", Self::Driver), ("provider", Self::Provider)];
}

/// Who generates a private key.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum KeyOrigin {
    #[default]
    Vault,
    Node,
}

impl Keyword for KeyOrigin {
    const WORDS: &'static [(&'static str, Self)] = &[("vault", Self::Vault), ("node", Self::Node)];
}

/// A part of a certificate, without the settings of the part.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum PartName {
    Certificate,
    Chain,
    CertificateChain,
    FullChain,
    PrivateKey,
    Ca,
    IssuingCa,
    Bundle,
    Pkcs12,
    Jks,
    Truststore,
}

impl Keyword for PartName {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("certificate", Self::Certificate),
        ("chain", Self::Chain),
        ("certificateChain", Self::CertificateChain),
        ("fullChain", Self::FullChain),
        ("privateKey", Self::PrivateKey),
        ("ca", Self::Ca),
        ("issuingCa", Self::IssuingCa),
        ("bundle", Self::Bundle),
        ("pkcs12", Self::Pkcs12),
        ("jks", Self::Jks),
        ("truststore", Self::Truststore),
    ];
}

impl Keyword for SelectorRoot {
    const WORDS: &'static [(&'static str, Self)] =
        &[("data", Self::Data), ("metadata", Self::Metadata), ("response", Self::Response)];
}

/// Which keys of a secret become files.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Keys {
    All,
    /// The keys, and the file name of each.
    Some(BTreeMap<String, String>),
}

impl FieldValue for Keys {
    fn kind() -> Kind {
        let schema = json!({"oneOf": [{"const": "*"}, {"type": "array", "items": {"type": "string"}, "minItems": 1},
            {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}]});
        Kind::new("`\"*\"`, list of keys, or mapping from key to file name", schema)
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        let expected = FieldError::Type("\"*\", a list of keys, or a mapping from key to file name");
        match &item.kind {
            ItemKind::Scalar { text, .. } if text == "*" => Some(Self::All),
            ItemKind::List(items) if !items.is_empty() => {
                let keys: Vec<String> = members(items, at)?;
                Some(Self::Some(keys.into_iter().map(|key| (key.clone(), key)).collect()))
            }
            ItemKind::Map(pairs) if !pairs.is_empty() => BTreeMap::parse(item, at).map(Self::Some),
            _ => at.error(expected),
        }
    }
}
