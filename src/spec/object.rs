//! One entry of `objects`: what stands in the volume, and which sources it is a view of.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use super::{Alias, Delimiters, Format, KeyForm, MountPath, SecretText, StoreForm};
use super::{SelectorRoot, Source, SourceValue};
use crate::secret::Secret;

/// A file of the volume, or a directory with one file a key.
#[derive(Clone, Debug)]
pub struct Object {
    /// Where it is, and what it shows.
    pub place: Placement,
    /// Permission bits of its files, 1 to 0o777.
    pub mode: u32,
    /// Its files' owner, a uid; takes effect where we write the files ourselves.
    pub owner: Option<u32>,
    /// Its files' group, a gid; likewise.
    pub group: Option<u32>,
    /// What becomes of it when nothing is found.
    pub absent: Absent,
}

/// Where an object is in the volume.
#[derive(Clone, Debug)]
pub enum Placement {
    /// One file.
    File(MountPath, View),
    /// One file a key.
    Directory(Directory),
}

impl Placement {
    /// The files of the keys that it lists.
    pub fn listed(&self) -> impl Iterator<Item = &MountPath> {
        let keys = match self {
            Self::Directory(Directory { keys: Keys::Named(named), .. }) => Some(named),
            _ => None,
        };
        keys.into_iter().flat_map(BTreeMap::values)
    }
}

/// The keys of a secret as files.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Where; `None` for the volume itself.
    pub root: Option<MountPath>,
    /// The secret.
    pub source: Source,
    /// Where its keys begin.
    pub start: SelectorRoot,
    /// Which keys.
    pub keys: Keys,
    /// How the values' texts stand for bytes.
    pub encoding: Encoding,
}

/// Which keys of a secret become files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Every key there is at the time, under its own name.
    All,
    /// These, each under a name of its own.
    Named(BTreeMap<String, MountPath>),
}

/// What a file shows.
#[derive(Clone, Debug)]
pub enum View {
    /// The whole response on one line, as the peers write it.
    Response(Source),
    /// One value.
    Value(SourceValue),
    /// The data as one document.
    Document(Source, SelectorRoot, Format),
    /// A part of a certificate.
    Part(Source, Part),
    /// A text with expressions over sources.
    Template(Template),
}

/// A part of a certificate, or of the CAs of a mount.
#[derive(Clone, Debug)]
pub enum Part {
    /// The certificate alone.
    Certificate,
    /// The CAs above it, from its issuer up.
    Chain,
    /// The certificate and its intermediates: what a server presents.
    CertificateChain,
    /// The certificate and all CAs above it.
    FullChain,
    /// The private key.
    PrivateKey(KeyForm),
    /// The topmost CA: what others trust.
    Ca,
    /// The CA that signed the certificate.
    IssuingCa,
    /// `CertificateChain`, then the private key.
    Bundle(KeyForm),
    /// Certificate, chain and key in one keystore.
    Keystore(Box<Keystore>),
    /// `Ca` alone, as a keystore.
    Truststore(Box<Keystore>),
}

/// A keystore's own settings.
#[derive(Clone, Debug)]
pub struct Keystore {
    /// Its file format.
    pub form: StoreForm,
    /// The name of its entry.
    pub alias: Alias,
    /// Where its password is.
    pub password: SourceValue,
}

/// A file from several sources.
#[derive(Clone, Debug)]
pub struct Template {
    /// What the text may name.
    pub sources: BTreeMap<String, SourceValue>,
    /// The text.
    pub text: SecretText,
    /// What surrounds its expressions.
    pub delimiters: Delimiters,
}

/// What becomes of an object when nothing is found; a denial or an outage is always an error.
#[derive(Clone, Debug, Default)]
pub enum Absent {
    /// The mount fails.
    #[default]
    Fails,
    /// There is no file.
    NoFile,
    /// The file holds this.
    Default(SecretText),
}

/// The bytes of a base64 text as Go's `StdEncoding` reads it: line breaks are passed over, padding is needed, odd bits behind the last byte are
/// allowed.
pub fn base64(text: &[u8]) -> Option<Secret> {
    let text =
        Secret::from(text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect::<Vec<_>>());
    BASE64.decode(text.expose()).ok().map(Secret::from)
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// How a value's text stands for the file's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Encoding {
    /// As it is.
    #[default]
    Utf8,
    /// Standard alphabet, padded: [`base64()`].
    Base64,
    /// Pairs of hexadecimal digits.
    Hex,
}

impl Object {
    /// What messages call it: its file, or its directory with a `/` behind.
    pub fn name(&self) -> String {
        match &self.place {
            Placement::File(name, _) => name.to_string(),
            Placement::Directory(Directory { root: Some(root), .. }) => format!("{root}/"),
            Placement::Directory(Directory { root: None, .. }) => "./".into(),
        }
    }

    /// Its file, where it is one.
    pub fn file(&self) -> Option<&MountPath> {
        match &self.place {
            Placement::File(name, _) => Some(name),
            Placement::Directory(_) => None,
        }
    }

    /// Whether its file is a keystore.
    pub fn is_keystore(&self) -> bool {
        matches!(self.place, Placement::File(_, View::Part(_, Part::Keystore(_) | Part::Truststore(_))))
    }

    /// Every source that it is a view of.
    pub fn sources(&self) -> Vec<&Source> {
        match &self.place {
            Placement::File(_, View::Response(source) | View::Document(source, ..)) => vec![source],
            Placement::File(_, View::Value(selection)) => vec![&selection.source],
            Placement::File(_, View::Part(source, Part::Keystore(store) | Part::Truststore(store))) => {
                vec![source, &store.password.source]
            }
            Placement::File(_, View::Part(source, _)) => vec![source],
            Placement::File(_, View::Template(template)) => {
                template.sources.values().map(|selection| &selection.source).collect()
            }
            Placement::Directory(directory) => vec![&directory.source],
        }
    }
}
