//! Certificates: keys that are generated on the node, certificate requests, and the files from a response of a PKI engine.
//!
//! Uses no network and no clock, and randomness only to generate a key. Equal responses give equal bytes, also in keystores.

mod authorities; // CA certificates in order
mod error; // why a certificate cannot be used
mod identity; // a certificate with its chain and key, checked
mod key; // a private key and its formats
mod keystore; // PKCS #12 and JKS
mod names; // compares a certificate with the requested names
mod node; // keys of the node and their certificate requests
mod pem; // PEM blocks
mod x509; // one parsed certificate
#[cfg(test)]
mod tests;

pub(crate) use authorities::Authorities;
pub(crate) use error::CertificateError;
pub use identity::Identity;
pub(crate) use identity::Issued;
pub(crate) use node::NodeKey;

/// The end of the first certificate in a PEM text, in Unix seconds; `None` if there is none.
pub(crate) fn not_after(text: &str) -> Option<i64> {
    x509::Certificate::all(text, "certificate").ok()?.first().map(|first| first.not_after)
}
