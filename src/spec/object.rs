//! One entry of `objects`: files of the volume, and the sources that they show.

use std::collections::BTreeMap;

use super::{
    Alias, Delimiters, Encoding, Format, KeyForm, MountPath, SecretText, Selector, Source, SourceValue,
    StoreForm,
};

/// A file of the volume, or a directory with one file for each key.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// The path, and the content.
    pub(crate) place: Placement,
    /// Permission bits of its files, 1 to 0o777.
    pub(crate) mode: u32,
    /// Owner of its files, a uid. Has an effect only if vaultmount writes the files itself.
    pub(crate) owner: Option<u32>,
    /// Group of its files, a gid. Has an effect only if vaultmount writes the files itself.
    pub(crate) group: Option<u32>,
    /// What happens if Vault has no such secret or key.
    pub(crate) absent: Absent,
}

/// The path of an object in the volume, and its content.
#[derive(Clone, Debug)]
pub(crate) enum Placement {
    /// One file.
    File(MountPath, View),
    /// One file for each key.
    Directory(Directory),
}

impl Placement {
    /// The files of the keys that the class lists; none for [`Keys::All`].
    pub(crate) fn listed(&self) -> impl Iterator<Item = &MountPath> {
        let keys = match self {
            Self::Directory(Directory { keys: Keys::Named(named), .. }) => Some(named),
            _ => None,
        };
        keys.into_iter().flat_map(BTreeMap::values)
    }
}

/// The keys of a secret as files.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    /// The directory; `None` for the volume itself.
    pub(crate) path: Option<MountPath>,
    /// The secret.
    pub(crate) source: Source,
    /// The object that contains the keys: a part of the response, or a document in a text.
    pub(crate) selector: Selector,
    /// Which keys.
    pub(crate) keys: Keys,
    /// How the values encode bytes.
    pub(crate) encoding: Encoding,
}

/// Which keys of a secret become files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Every key of the response; the key is the file name.
    All,
    /// These keys, each with the path of its file.
    Named(BTreeMap<String, MountPath>),
}

/// What a file shows.
#[derive(Clone, Debug)]
pub(crate) enum View {
    /// The whole response on one line, as the upstream providers write it.
    Response(Source),
    /// One value.
    Value(SourceValue),
    /// The data, or a document in a text, as one document.
    Document(Source, Selector, Format),
    /// A part of a certificate.
    Part(Source, Part),
    /// The result of a template.
    Template(Template),
}

/// A part of a certificate, or of the CAs of a mount.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// The certificate alone.
    Certificate,
    /// The CAs above the certificate, the issuer first.
    Chain,
    /// The certificate and its intermediate CAs: what a server sends to clients.
    CertificateChain,
    /// The certificate and all CAs above it.
    FullChain,
    /// The private key.
    PrivateKey(KeyForm),
    /// The root CA: what clients trust.
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

/// The settings of a keystore.
#[derive(Clone, Debug)]
pub(crate) struct Keystore {
    /// Its file format.
    pub(crate) form: StoreForm,
    /// The name of the entry.
    pub(crate) alias: Alias,
    /// The value that contains the password.
    pub(crate) password: SourceValue,
}

/// A template over several sources.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// The sources by the name that expressions use.
    pub(crate) sources: BTreeMap<String, SourceValue>,
    /// What replaces a source that Vault does not have; an absent name means that the file fails.
    pub(crate) absent: BTreeMap<String, Absent>,
    /// The text.
    pub(crate) text: SecretText,
    /// The delimiters of expressions.
    pub(crate) delimiters: Delimiters,
}

/// What happens to an object if Vault has no such secret or key. A denied request or an outage is always an error.
#[derive(Clone, Debug, Default)]
pub(crate) enum Absent {
    /// The mount fails.
    #[default]
    Fails,
    /// The file is left out.
    NoFile,
    /// The file contains this text.
    Default(SecretText),
}

impl Object {
    /// The name in messages: the path of the file, or of the directory with a `/` at its end.
    pub(crate) fn name(&self) -> String {
        match &self.place {
            Placement::File(name, _) => name.to_string(),
            Placement::Directory(Directory { path: Some(path), .. }) => format!("{path}/"),
            Placement::Directory(Directory { path: None, .. }) => "./".into(),
        }
    }

    /// The path of the file; `None` for a directory.
    pub(crate) fn file(&self) -> Option<&MountPath> {
        match &self.place {
            Placement::File(name, _) => Some(name),
            Placement::Directory(_) => None,
        }
    }

    /// True if the file is a keystore.
    pub(crate) fn is_keystore(&self) -> bool {
        matches!(self.place, Placement::File(_, View::Part(_, Part::Keystore(_) | Part::Truststore(_))))
    }

    /// Every source that the files show.
    pub(crate) fn sources(&self) -> Vec<&Source> {
        match &self.place {
            Placement::File(_, View::Response(source) | View::Document(source, ..)) => vec![source],
            Placement::File(_, View::Value(value)) => vec![&value.source],
            Placement::File(_, View::Part(source, Part::Keystore(store) | Part::Truststore(store))) => {
                vec![source, &store.password.source]
            }
            Placement::File(_, View::Part(source, _)) => vec![source],
            Placement::File(_, View::Template(template)) => {
                template.sources.values().map(|value| &value.source).collect()
            }
            Placement::Directory(directory) => vec![&directory.source],
        }
    }
}
