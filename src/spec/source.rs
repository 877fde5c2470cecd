//! Where a value comes from: a source is one request to Vault. Equal sources are fetched once.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::Method;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{CertificateRequest, Encoding, KeyPlace, KeyType, Request, ShareScope, VaultPath};

/// One request to Vault. Two sources with equal fields are the same source.
///
/// It may contain passwords, so it is serialized into sealed records only. The serialized names are fixed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Source {
    /// The namespace if it differs from the class's, without slashes at its ends.
    #[serde(rename = "namespace")]
    pub(crate) namespace: Option<String>,
    /// The engine, and the request to it.
    #[serde(rename = "question")]
    pub(crate) request: EngineRequest,
    /// Who uses what Vault issues for the request. `Pod` if Vault can issue nothing for it, so that equal reads are one source.
    #[serde(rename = "share")]
    pub(crate) share: ShareScope,
}

/// A request to one of the engines.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum EngineRequest {
    /// Any path with any method; also the form of the upstream providers.
    #[serde(rename = "Request")]
    Request(Request),
    /// A secret of a KV engine.
    #[serde(rename = "Kv")]
    Kv(KvRead),
    /// A certificate for names.
    #[serde(rename = "Certificate")]
    Certificate(Box<CertificateRequest>),
    /// The CAs of a PKI mount; Vault issues nothing.
    #[serde(rename = "Authorities")]
    Authorities {
        /// The mount.
        mount: String,
    },
    /// One ciphertext of a transit engine.
    #[serde(rename = "Transit")]
    Transit(TransitCiphertext),
    /// A text with s5 markers.
    #[serde(rename = "S5")]
    S5(S5Text),
}

/// What a request may create at the server, as far as its form shows. What a request of any path does is decided by `vault/effect.rs`, by the path
/// that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Creates {
    /// Nothing: the same login may share the response.
    Nothing,
    /// A certificate, which expires by itself and needs no token afterwards.
    Certificate,
    /// Unknown before the first response: a lease, something that expires by itself, or nothing.
    Unknown,
}

impl EngineRequest {
    /// What the request may create at the server. The match is exhaustive: a new engine does not compile before it is decided here.
    pub(crate) fn creates(&self) -> Creates {
        match self {
            Self::Request(_) => Creates::Unknown,
            Self::Certificate(_) => Creates::Certificate,
            Self::Kv(_) | Self::Authorities { .. } | Self::Transit(_) | Self::S5(_) => Creates::Nothing,
        }
    }

    /// Whether the request may create something, so that `shareScope` says whose it is.
    pub(crate) fn may_create(&self) -> bool {
        match self.creates() {
            Creates::Unknown | Creates::Certificate => true,
            Creates::Nothing => false,
        }
    }

    /// The method, and the path that is sent; for certificates and ciphertexts the mount, below which the path stays whatever the class says.
    pub(crate) fn sent(&self) -> (&Method, Cow<'_, str>) {
        match self {
            Self::Request(request) => (&request.method, request.path.as_str().into()),
            Self::Kv(read) => (&Method::GET, read.sent_path().to_string().into()),
            Self::Authorities { mount } => (&Method::GET, mount.into()),
            Self::Certificate(request) => (&Method::PUT, (&request.mount).into()),
            Self::Transit(ciphertext) => (&Method::PUT, (&ciphertext.key.mount).into()),
            Self::S5(text) => (&Method::PUT, (&text.key.mount).into()),
        }
    }
}

/// A secret of a KV engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct KvRead {
    /// The engine's mount.
    pub(crate) mount: String,
    /// The secret's path below it, without `data/`.
    pub(crate) path: String,
    /// Which version; `None` for the newest.
    pub(crate) version: Option<u32>,
    /// Whether the version before the newest is read; `version` is then `None`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) previous: bool,
    /// The version of the engine.
    pub(crate) engine: KvEngine,
}

impl KvRead {
    /// The path that is sent.
    pub(crate) fn sent_path(&self) -> VaultPath {
        match self.engine {
            KvEngine::V1 => VaultPath::join(&[&self.mount, &self.path]),
            KvEngine::V2 => VaultPath::join(&[&self.mount, "data", &self.path]),
        }
    }
}

/// The two versions of the KV engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum KvEngine {
    /// Without versions.
    V1,
    /// With versions: the path has `data/` after the mount, and the secret is in `data.data` of the response.
    #[default]
    V2,
}

/// A key of a transit engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct TransitKey {
    /// The engine's mount.
    pub(crate) mount: String,
    /// The key's name.
    pub(crate) name: String,
}

/// One ciphertext of a transit engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct TransitCiphertext {
    /// The key that decrypts it.
    #[serde(rename = "key")]
    pub(crate) key: TransitKey,
    /// `vault:v<n>:<base64>`.
    #[serde(rename = "ciphertext")]
    pub(crate) ciphertext: Text,
    /// The context of a derived key, in base64.
    #[serde(rename = "context")]
    pub(crate) context: Option<String>,
}

/// A text with s5 markers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct S5Text {
    /// The key that decrypts the markers.
    #[serde(rename = "key")]
    pub(crate) key: TransitKey,
    /// The text.
    #[serde(rename = "text")]
    pub(crate) text: Text,
}

/// A text of the class, or a value of another source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Text {
    /// A text of the class.
    #[serde(rename = "Inline")]
    Literal(SecretText),
    /// A value of another source.
    #[serde(rename = "Of")]
    Of(Box<SourceValue>),
}

/// A text of the class that may contain secrets. `Debug` prints only its length.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct SecretText(Arc<str>);

impl SecretText {
    /// The text, for requests and files.
    pub(crate) fn expose(&self) -> &str {
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
        write!(f, "SecretText({} bytes)", self.0.len())
    }
}

/// One value of a source's response.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct SourceValue {
    /// The request.
    #[serde(rename = "source")]
    pub(crate) source: Source,
    /// Which part of the response.
    #[serde(rename = "pick")]
    pub(crate) selector: Selector,
    /// How the value encodes bytes.
    #[serde(rename = "encoding")]
    pub(crate) encoding: Encoding,
}

/// A part of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Selector {
    /// Where the path begins.
    #[serde(rename = "start")]
    pub(crate) root: SelectorRoot,
    /// The path from the root.
    #[serde(rename = "way")]
    pub(crate) path: SelectorPath,
}

/// Where the path of a selector begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum SelectorRoot {
    /// The secret itself: `data.data` of a response of KV version 2, `data` of every other.
    #[default]
    #[serde(rename = "Data")]
    Data,
    /// `data.metadata` of a response of KV version 2.
    #[serde(rename = "Metadata")]
    Metadata,
    /// The whole response.
    #[serde(rename = "Response")]
    Response,
}

/// The path to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum SelectorPath {
    /// The root itself.
    #[default]
    #[serde(rename = "Whole")]
    Whole,
    /// The member of this name, which may contain any character.
    #[serde(rename = "Key")]
    Key(String),
    /// A JSON pointer (RFC 6901).
    #[serde(rename = "Pointer")]
    Pointer(String),
    /// A place inside a text that holds a document.
    #[serde(rename = "Parsed")]
    Parsed(ParsedPath),
}

/// The path to a value inside a text that holds a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ParsedPath {
    /// The key of the text; `None` if the pointer leads to it.
    #[serde(rename = "key")]
    pub(crate) key: Option<String>,
    /// A JSON pointer inside the text. Without `key` it begins at the root, and continues inside the first text that it meets.
    #[serde(rename = "pointer")]
    pub(crate) pointer: String,
    /// The language of the text.
    #[serde(rename = "syntax")]
    pub(crate) syntax: TextSyntax,
}

/// The language of a text that holds a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum TextSyntax {
    /// JSON (RFC 8259).
    #[serde(rename = "Json")]
    Json,
    /// YAML as Go's yaml.v3 reads it.
    #[serde(rename = "Yaml")]
    Yaml,
}

impl Source {
    /// The type of the private key that this process generates for the request; `None` if it generates none.
    pub(crate) fn node_key(&self) -> Option<KeyType> {
        match &self.request {
            EngineRequest::Certificate(request) => match request.key {
                KeyPlace::Node(kind) => Some(kind),
                KeyPlace::Vault => None,
            },
            EngineRequest::Request(_)
            | EngineRequest::Kv(_)
            | EngineRequest::Authorities { .. }
            | EngineRequest::Transit(_)
            | EngineRequest::S5(_) => None,
        }
    }
}

/// The name in messages: the path, without query and body, and the namespace if it differs from the class's.
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
            EngineRequest::Certificate(request) => {
                let CertificateRequest { mount, role, .. } = &**request;
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
