//! Keystores: PKCS #12 and JKS, with the same bytes for the same contents, alias and password.

mod jks; // Java's own format
mod pkcs12; // RFC 7292
#[cfg(test)]
mod tests;

use super::CertificateError;
use crate::certificate::x509::Certificate;
use crate::digest::Digest;
use crate::secret::Secret;
use crate::spec::{Alias, StoreForm};

/// The content of a keystore's only entry.
pub(crate) enum Contents<'a> {
    /// A private key in PKCS #8 with its chain.
    Identity {
        /// PKCS #8 in DER.
        key: &'a [u8],
        /// The leaf certificate, then its CAs.
        chain: Vec<&'a Certificate>,
    },
    /// A trusted CA.
    Trusted(&'a Certificate),
}

impl Contents<'_> {
    /// The salt for the purpose `label`.
    ///
    /// Salts are hashes of the contents: so other contents always have another salt, and the same contents give the same bytes. The password is
    /// not part of the hash, because a salt is not encrypted, and a single hash of a password is easier to attack than its stretched key.
    fn salt(&self, label: &str) -> [u8; 32] {
        let (key, chain) = match self {
            Self::Identity { key, chain } => (*key, chain.as_slice()),
            Self::Trusted(ca) => (&[][..], std::slice::from_ref(ca)),
        };
        let parts = std::iter::once(key).chain(chain.iter().map(|certificate| certificate.der()));
        parts.fold(Digest::labelled(label), Digest::part).finish()
    }
}

/// A keystore with `contents` as its only entry `alias`, protected by `password`.
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
            .map_err(|_| CertificateError::NotEncoded { what: "the PKCS #12 keystore" }),
        StoreForm::Jks => jks::write(contents, alias, password)
            .ok_or(CertificateError::NotEncoded { what: "the JKS keystore" }),
    }
}

/// Java's key factory for passwords accepts only U+0020 to U+007E.
fn is_password(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}
