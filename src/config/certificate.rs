//! What is asked of a PKI engine, and the forms that a certificate's files take.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A certificate for names: what is asked, and what the answer is held against.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CertificateRequest {
    /// The engine's mount.
    pub mount: String,
    /// The role, which decides what may be asked.
    pub role: String,
    /// The subject's common name; empty where the role does not require one.
    pub common_name: String,
    /// Further DNS names and mail addresses.
    pub alt_names: Vec<String>,
    /// Addresses.
    pub ip_sans: Vec<IpAddr>,
    /// URIs, such as a SPIFFE ID.
    pub uri_sans: Vec<String>,
    /// Life as Vault writes it (`24h`, `3600`); `None` for the role's.
    pub ttl: Option<String>,
    /// Who makes the key.
    pub key: KeyPlace,
}

/// Who makes a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyPlace {
    /// Vault, by `issue`; the role decides its type.
    Vault,
    /// This process, by `sign`; the key never leaves the node.
    Node(KeyType),
}

/// A private key's algorithm and size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyType {
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

/// How a private key is written in PEM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyForm {
    /// `PRIVATE KEY`, any algorithm (RFC 5958).
    #[default]
    Pkcs8,
    /// `RSA PRIVATE KEY` (RFC 8017); RSA only.
    Pkcs1,
    /// `EC PRIVATE KEY` (RFC 5915); ECDSA only.
    Sec1,
}

/// A keystore's file format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StoreForm {
    /// PKCS #12 (RFC 7292), as Java and OpenSSL read it.
    #[default]
    Pkcs12,
    /// Java's own.
    Jks,
}
