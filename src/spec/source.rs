//! What is asked of Vault: a source is one question, and equal ones are asked once.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{CertificateRequest, Encoding, KeyPlace, KeyType, Request, ShareScope};

/// One question to Vault; its parts are its identity.
///
/// Serialized into sealed records only, for it may hold passwords; its words there are those of the types.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// The namespace when it is another than the class's, without slashes at its ends.
    #[serde(rename = "namespace")]
    pub namespace: Option<String>,
    /// The engine, and what is asked of it.
    #[serde(rename = "question")]
    pub request: EngineRequest,
    /// Whose the thing is that the question makes; `Pod` where it can make none, so that equal reads stay one.
    #[serde(rename = "share")]
    pub share: ShareScope,
}

/// What is asked, in the words of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EngineRequest {
    /// Any path by any method; also the peers' own form.
    #[serde(rename = "Request")]
    Request(Request),
    /// A secret of a KV engine.
    #[serde(rename = "Kv")]
    Kv(KvRead),
    /// A certificate for names.
    #[serde(rename = "Certificate")]
    Certificate(CertificateRequest),
    /// The CAs of a PKI mount; nothing is issued.
    #[serde(rename = "Authorities")]
    Authorities {
        /// The mount.
        mount: String,
    },
    /// One ciphertext of a transit engine.
    #[serde(rename = "Transit")]
    Transit(TransitCiphertext),
    /// A text with s5 markers in it.
    #[serde(rename = "S5")]
    S5(S5Text),
}

/// A secret of a KV engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KvRead {
    /// The engine's mount.
    pub mount: String,
    /// The secret's path below it, without `data/`.
    pub path: String,
    /// Which version; `None` for the newest.
    pub version: Option<u32>,
    /// How the engine answers.
    pub engine: KvEngine,
}

/// The two generations of the KV engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KvEngine {
    /// Without versions.
    V1,
    /// With versions: the secret lies below `data/`, and in `data.data` of the answer.
    #[default]
    V2,
}

/// A key of a transit engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TransitKey {
    /// The engine's mount.
    pub mount: String,
    /// The key's name.
    pub name: String,
}

/// One ciphertext.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TransitCiphertext {
    /// What opens it.
    #[serde(rename = "key")]
    pub key: TransitKey,
    /// `vault:v<n>:<base64>`.
    #[serde(rename = "ciphertext")]
    pub ciphertext: Text,
    /// Base64; for keys that are derived.
    #[serde(rename = "context")]
    pub context: Option<String>,
}

/// A text with s5 markers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct S5Text {
    /// What opens its markers.
    #[serde(rename = "key")]
    pub key: TransitKey,
    /// The text.
    #[serde(rename = "text")]
    pub text: Text,
}

/// A text of the class, or a value of another source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Text {
    /// As the class has it.
    #[serde(rename = "Inline")]
    Literal(SecretText),
    /// As Vault has it.
    #[serde(rename = "Of")]
    Of(Box<SourceValue>),
}

/// A text of the class that may hold secrets: it prints as its length.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SecretText(Arc<str>);

impl SecretText {
    /// The text; goes into calls and files.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// For sealed records only.
impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::from)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inline({} bytes)", self.0.len())
    }
}

/// One value of a source's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SourceValue {
    /// Where it is asked for.
    #[serde(rename = "source")]
    pub source: Source,
    /// Which part of the answer.
    #[serde(rename = "pick")]
    pub pick: Selector,
    /// How its text stands for bytes.
    #[serde(rename = "encoding")]
    pub encoding: Encoding,
}

/// A part of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Selector {
    /// Where the way begins.
    #[serde(rename = "start")]
    pub start: SelectorRoot,
    /// The way from there.
    #[serde(rename = "way")]
    pub way: SelectorPath,
}

/// Where the way to a value begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SelectorRoot {
    /// The secret itself: `data.data` of a KV version 2 answer, `data` of every other.
    #[default]
    #[serde(rename = "Data")]
    Data,
    /// `data.metadata` of a KV version 2 answer.
    #[serde(rename = "Metadata")]
    Metadata,
    /// The whole response.
    #[serde(rename = "Response")]
    Response,
}

/// The way to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SelectorPath {
    /// No step.
    #[default]
    #[serde(rename = "Whole")]
    Whole,
    /// The member of that name, whatever characters it has.
    #[serde(rename = "Key")]
    Key(String),
    /// A JSON pointer (RFC 6901).
    #[serde(rename = "Pointer")]
    Pointer(String),
}

impl Source {
    /// The type of the key that is made here for it.
    pub fn node_key(&self) -> Option<KeyType> {
        match &self.request {
            EngineRequest::Certificate(CertificateRequest { key: KeyPlace::Node(kind), .. }) => Some(*kind),
            _ => None,
        }
    }
}

/// As messages name it: the path that is asked, without query and body, and a namespace of its own.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            EngineRequest::Request(request) => request.path.fmt(f),
            EngineRequest::Kv(KvRead { mount, path, engine: KvEngine::V1, .. }) => {
                write!(f, "{mount}/{path}")
            }
            EngineRequest::Kv(KvRead { mount, path, engine: KvEngine::V2, .. }) => {
                write!(f, "{mount}/data/{path}")
            }
            EngineRequest::Certificate(CertificateRequest { mount, role, .. }) => {
                write!(f, "the certificate of {mount}/roles/{role}")
            }
            EngineRequest::Authorities { mount } => write!(f, "{mount}/cert/ca_chain"),
            EngineRequest::Transit(TransitCiphertext { key, .. }) | EngineRequest::S5(S5Text { key, .. }) => {
                write!(f, "{key}")
            }
        }?;
        self.namespace.as_ref().map_or(Ok(()), |namespace| write!(f, " in namespace {namespace:?}"))
    }
}

impl fmt::Display for TransitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/decrypt/{}", self.mount, self.name)
    }
}
