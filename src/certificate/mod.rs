//! Certificates: keys made on the node, requests for them, and the files that an answer of a PKI engine becomes.
//!
//! No network, no clock; chance only where a key is made. Equal answers give equal bytes, keystores included.

pub mod authorities; // CA certificates in their order
pub mod error; // what may be wrong, without a byte of it
pub mod identity; // a certificate with its chain and key, checked
pub mod key; // a private key and its forms
pub mod keystore; // PKCS #12 and JKS
pub mod names; // the leaf held against the names asked for
pub mod node; // keys of the node and their requests
pub mod x509; // one certificate: what of it matters here
#[cfg(test)]
mod tests;

pub use authorities::Authorities;
pub use error::CertificateError;
pub use identity::{Identity, Issued};
pub use node::NodeKey;

/// When the first certificate of a PEM text ends, in Unix seconds; `None` where there is none.
pub fn not_after(text: &str) -> Option<i64> {
    x509::Certificate::all(text, "certificate").ok()?.first().map(|first| first.not_after)
}
