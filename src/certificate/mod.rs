//! Certificates: keys made on the node, requests for them, and the files that an answer of a PKI engine becomes.
//!
//! No network, no clock; chance only where a key is made. Equal answers give equal bytes, keystores included.

mod authorities; // CA certificates in their order
mod error; // what may be wrong, without a byte of it
mod identity; // a certificate with its chain and key, checked
mod key; // a private key and its forms
mod keystore; // PKCS #12 and JKS
mod names; // the leaf held against the names asked for
mod node; // keys of the node and their requests
mod x509; // one certificate: what of it matters here

pub use authorities::Authorities;
pub use error::CertificateError;
pub use identity::{Identity, Issued};
pub use node::NodeKey;

/// When the first certificate of a PEM text ends, in Unix seconds; `None` where there is none.
pub fn not_after(text: &str) -> Option<i64> {
    x509::Certificate::all(text, "certificate").ok()?.first().map(|first| first.not_after)
}

#[cfg(test)]
mod tests;
