//! A request to a PKI engine, and the formats of a certificate's files.

use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A request for a certificate; the response is checked against it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct CertificateRequest {
    /// The engine's mount.
    pub(crate) mount: String,
    /// The role, which decides what may be requested.
    pub(crate) role: String,
    /// The subject's common name; may be empty if the role does not require one.
    pub(crate) common_name: String,
    /// Further DNS names and mail addresses.
    pub(crate) alt_names: Vec<String>,
    /// IP addresses.
    pub(crate) ip_sans: Vec<IpAddr>,
    /// URIs, such as a SPIFFE ID.
    pub(crate) uri_sans: Vec<String>,
    /// Lifetime as Vault writes it (`24h`, `3600`); `None` for the role's default.
    pub(crate) ttl: Option<String>,
    /// Who generates the private key.
    pub(crate) key: KeyPlace,
    /// What few requests have.
    #[serde(default, skip_serializing_if = "CertificateOptions::is_default")]
    pub(crate) options: CertificateOptions,
}

/// Rarely used parts of a request for a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CertificateOptions {
    /// Whether the common name is left out of the SANs.
    #[serde(rename = "exclude_cn", skip_serializing_if = "std::ops::Not::not")]
    pub(crate) exclude_cn: bool,
    /// Further SANs, each as `<oid>;UTF8:<text>`.
    #[serde(rename = "other_sans", skip_serializing_if = "Vec::is_empty")]
    pub(crate) other_sans: Vec<String>,
    /// The subject's `serialNumber` (X.520), which is not the serial number of the certificate.
    #[serde(rename = "serial", skip_serializing_if = "Option::is_none")]
    pub(crate) serial_number: Option<String>,
    /// The end of the certificate, in the form of RFC 3339.
    #[serde(rename = "not_after", skip_serializing_if = "Option::is_none")]
    pub(crate) not_after: Option<String>,
    /// The subject's user ids (OID 0.9.2342.19200300.100.1.1).
    #[serde(rename = "user_ids", skip_serializing_if = "Vec::is_empty")]
    pub(crate) user_ids: Vec<String>,
    /// The name or the id of the CA that signs; `None` for the role's.
    #[serde(rename = "issuer", skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<String>,
    /// The type of a key that Vault generates; `None` for the role's.
    #[serde(rename = "key_type", skip_serializing_if = "Option::is_none")]
    pub(crate) key_type: Option<KeyType>,
}

impl CertificateOptions {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Who generates a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum KeyPlace {
    /// Vault, with `issue`; the role decides the type.
    Vault,
    /// vaultmount creates the key, and Vault signs a request (`sign`). The key never leaves the node.
    Node(KeyType),
}

/// A private key's algorithm and size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum KeyType {
    /// RSA, 2048 bits.
    Rsa2048,
    /// RSA, 3072 bits.
    Rsa3072,
    /// RSA, 4096 bits.
    Rsa4096,
    /// ECDSA on P-256.
    #[default]
    EcP256,
    /// ECDSA on P-384.
    EcP384,
    /// Ed25519.
    Ed25519,
}

/// The PEM format of a private key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum KeyForm {
    /// `PRIVATE KEY`, any algorithm (RFC 5958).
    #[default]
    Pkcs8,
    /// `RSA PRIVATE KEY` (RFC 8017); RSA only.
    Pkcs1,
    /// `EC PRIVATE KEY` (RFC 5915); ECDSA only.
    Sec1,
}

impl KeyType {
    /// The algorithm.
    pub(crate) fn algorithm(self) -> KeyAlgorithm {
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => KeyAlgorithm::Rsa,
            Self::EcP256 | Self::EcP384 => KeyAlgorithm::Ec,
            Self::Ed25519 => KeyAlgorithm::Ed25519,
        }
    }

    /// The size in bits, as Vault's `key_bits`; 0 if the algorithm has one size only.
    pub(crate) fn bits(self) -> u32 {
        match self {
            Self::Rsa2048 => 2048,
            Self::Rsa3072 => 3072,
            Self::Rsa4096 => 4096,
            Self::EcP256 => 256,
            Self::EcP384 => 384,
            Self::Ed25519 => 0,
        }
    }
}

/// A private key's algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyAlgorithm {
    /// RSA.
    Rsa,
    /// ECDSA.
    Ec,
    /// Ed25519.
    Ed25519,
}

impl KeyAlgorithm {
    /// True if such a key can be written in `form`.
    pub(crate) fn supports(self, form: KeyForm) -> bool {
        match form {
            KeyForm::Pkcs8 => true,
            KeyForm::Pkcs1 => self == Self::Rsa,
            KeyForm::Sec1 => self == Self::Ec,
        }
    }

    /// The name of the algorithm, and the names of the formats of its keys.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Rsa => ("RSA", "pkcs8 or pkcs1"),
            Self::Ec => ("ECDSA", "pkcs8 or sec1"),
            Self::Ed25519 => ("Ed25519", "pkcs8"),
        }
    }
}

/// The name of a keystore's entry.
///
/// JKS stores its length in 16 bits, with up to three bytes for each character, and encodes surrogates in its own form of UTF-8. PKCS #12
/// has no surrogates (`BMPString`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alias(String);

/// Maximum length of an alias, in characters.
const LONGEST_ALIAS: usize = 255;

/// A text is not an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {LONGEST_ALIAS} characters of Unicode's first plane, without control characters")]
pub(crate) struct AliasError;

impl FromStr for Alias {
    type Err = AliasError;

    fn from_str(text: &str) -> Result<Self, AliasError> {
        let usable = |character: char| !character.is_control() && character.len_utf16() == 1;
        let is_alias = (1..=LONGEST_ALIAS).contains(&text.chars().count()) && text.chars().all(usable);
        if is_alias { Ok(Self(text.to_owned())) } else { Err(AliasError) }
    }
}

impl Alias {
    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The file format of a keystore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum StoreForm {
    /// PKCS #12 (RFC 7292), as Java and OpenSSL read it.
    #[default]
    Pkcs12,
    /// The own format of Java.
    Jks,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_what_both_keystores_can_hold() {
        for bad in ["", "\u{1f511}", "a\0b", &"a".repeat(256)] {
            assert_eq!(bad.parse::<Alias>(), Err(AliasError), "{bad:?}");
        }
        assert_eq!("é".repeat(255).parse::<Alias>().map(|alias| alias.as_str().chars().count()), Ok(255));
    }
}
