//! Keystores: PKCS #12 and JKS, the same bytes whenever contents, alias and password are the same.

pub mod jks; // Java's own format
pub mod pkcs12; // RFC 7292
#[cfg(test)]
mod tests;

use super::CertificateError;
use crate::certificate::x509::Certificate;
use crate::digest::Digest;
use crate::secret::Secret;
use crate::spec::{Alias, StoreForm};

/// What a keystore's one entry holds.
pub(crate) enum Contents<'a> {
    /// A key in PKCS #8 and its chain, the leaf first.
    Identity {
        /// DER.
        key: &'a [u8],
        /// At least the leaf.
        chain: Vec<&'a Certificate>,
    },
    /// A CA to trust.
    Trusted(&'a Certificate),
}

impl Contents<'_> {
    /// A salt for one use, named by `label`.
    ///
    /// Salts come from the contents: other contents are never encrypted with a salt used before, and the same ones give
    /// the same bytes. The password has no part in it, for a salt stands in the clear and one hash of a password is easier
    /// to guess against than its stretched key.
    fn salt(&self, label: &str) -> [u8; 32] {
        let (key, chain) = match self {
            Self::Identity { key, chain } => (*key, chain.as_slice()),
            Self::Trusted(ca) => (&[][..], std::slice::from_ref(ca)),
        };
        let parts = std::iter::once(key).chain(chain.iter().map(|certificate| certificate.der()));
        parts.fold(Digest::labelled(label), Digest::part).finish()
    }
}

/// Writes `contents` as the one entry `alias`, opened by `password`.
pub(crate) fn write(
    form: StoreForm,
    contents: &Contents<'_>,
    alias: &Alias,
    password: &Secret,
) -> Result<Secret, CertificateError> {
    let password =
        password.expose_text().filter(|text| is_password(text)).ok_or(CertificateError::PasswordUnusable)?;
    let alias = alias.as_str();
    match form {
        StoreForm::Pkcs12 => pkcs12::write(contents, alias, password)
            .map_err(|_| CertificateError::NotWritten { what: "the PKCS #12 keystore" }),
        StoreForm::Jks => jks::write(contents, alias, password)
            .ok_or(CertificateError::NotWritten { what: "the JKS keystore" }),
    }
}

/// Java's key factory for passwords takes U+0020 to U+007E and nothing else.
fn is_password(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}
