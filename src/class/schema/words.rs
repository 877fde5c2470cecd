//! Fields that take one of a few words.

use std::collections::BTreeMap;

use serde_json::json;

use crate::class::diagnostics::FieldError;
use crate::class::schema::field::{At, Kind, Read};
use crate::class::schema::values::members;
use crate::class::spelling::nearest;
use crate::goyaml::{Item, ItemKind};
use crate::spec::{
    Encoding, Format, KeyForm, KeyType, LoginScope, SelectorRoot, ShareScope, StoreForm, VolumeWriter,
};

/// One of a few words.
pub(crate) trait Word: Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

/// The word `text`, in any case of letters.
pub(crate) fn word<W: Word>(text: &str) -> Option<W> {
    W::WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, known)| *known)
}

impl<W: Word> Read for W {
    fn kind() -> Kind {
        let words: Vec<_> = W::WORDS.iter().map(|(word, _)| *word).collect();
        Kind::new(
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
            json!({"enum": words}),
        )
    }

    fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
        let text = String::read(item, at)?;
        if let Some(known) = word(&text) {
            return Some(known);
        }
        let words = || W::WORDS.iter().map(|(word, _)| *word);
        at.wrong(FieldError::Word { meant: nearest(&text, words()), word: text, allowed: words().collect() })
    }
}

impl Word for Encoding {
    const WORDS: &'static [(&'static str, Self)] =
        &[("utf-8", Self::Utf8), ("base64", Self::Base64), ("hex", Self::Hex)];
}

impl Word for Format {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("json", Self::Json),
        ("yaml", Self::Yaml),
        ("toml", Self::Toml),
        ("env", Self::Env),
        ("properties", Self::Properties),
    ];
}

impl Word for KeyType {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("ec-p256", Self::EcP256),
        ("ec-p384", Self::EcP384),
        ("ed25519", Self::Ed25519),
        ("rsa-2048", Self::Rsa2048),
        ("rsa-3072", Self::Rsa3072),
        ("rsa-4096", Self::Rsa4096),
    ];
}

impl Word for KeyForm {
    const WORDS: &'static [(&'static str, Self)] =
        &[("pkcs8", Self::Pkcs8), ("pkcs1", Self::Pkcs1), ("sec1", Self::Sec1)];
}

impl Word for StoreForm {
    const WORDS: &'static [(&'static str, Self)] = &[("pkcs12", Self::Pkcs12), ("jks", Self::Jks)];
}

impl Word for LoginScope {
    const WORDS: &'static [(&'static str, Self)] =
        &[("shared", Self::Shared), ("pod", Self::Pod), ("transient", Self::Transient)];
}

impl Word for ShareScope {
    const WORDS: &'static [(&'static str, Self)] =
        &[("pod", Self::Pod), ("serviceAccount", Self::ServiceAccount)];
}

impl Word for VolumeWriter {
    const WORDS: &'static [(&'static str, Self)] = &[("driver", Self::Driver), ("provider", Self::Provider)];
}

/// Who makes a private key.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum KeyMaker {
    #[default]
    Vault,
    Node,
}

impl Word for KeyMaker {
    const WORDS: &'static [(&'static str, Self)] = &[("vault", Self::Vault), ("node", Self::Node)];
}

/// A part of a certificate, before what else it takes is known.
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

impl Word for PartName {
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

impl Word for SelectorRoot {
    const WORDS: &'static [(&'static str, Self)] =
        &[("data", Self::Data), ("metadata", Self::Metadata), ("response", Self::Response)];
}

/// Which keys of a secret become files.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Keys {
    All,
    /// Keys and their file names.
    Some(BTreeMap<String, String>),
}

impl Read for Keys {
    fn kind() -> Kind {
        let schema = json!({"oneOf": [{"const": "*"}, {"type": "array", "items": {"type": "string"}, "minItems": 1},
            {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}]});
        Kind::new("`\"*\"`, list of keys, or mapping from key to file name", schema)
    }

    fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
        let misfit = FieldError::Type("\"*\", a list of keys, or a mapping from key to file name");
        match &item.kind {
            ItemKind::Scalar { text, .. } if text == "*" => Some(Self::All),
            ItemKind::List(items) if !items.is_empty() => {
                let keys: Vec<String> = members(items, at)?;
                Some(Self::Some(keys.into_iter().map(|key| (key.clone(), key)).collect()))
            }
            ItemKind::Map(pairs) if !pairs.is_empty() => BTreeMap::read(item, at).map(Self::Some),
            _ => at.wrong(misfit),
        }
    }
}
