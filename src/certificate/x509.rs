//! One parsed certificate: its bytes, and the fields that show which CA signed it.

use x509_parser::error::X509Error;
use x509_parser::extensions::ParsedExtension;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::CertificateError;
use crate::certificate::pem::pem_text;

/// A certificate that was parsed. Not secret.
#[derive(Clone)]
pub(crate) struct Certificate {
    der: Vec<u8>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    key_id: Option<Vec<u8>>,
    issuer_key_id: Option<Vec<u8>>,
    /// Unix seconds.
    pub(crate) not_before: i64,
    /// Unix seconds.
    pub(crate) not_after: i64,
}

impl Certificate {
    /// All certificates in the PEM text, in their order; blocks with other labels are ignored. Fails with the name `field` if the text is neither
    /// empty nor contains a certificate.
    pub(crate) fn all(text: &str, field: &'static str) -> Result<Vec<Self>, CertificateError> {
        let wrong = CertificateError::NotCertificate { field };
        let blocks: Vec<Pem> =
            Pem::iter_from_buffer(text.as_bytes()).collect::<Result<_, _>>().map_err(|_| wrong.clone())?;
        let certificates = blocks.into_iter().filter(|block| block.label == "CERTIFICATE");
        let read: Option<Vec<Self>> = certificates.map(|block| Self::read(&block.contents)).collect();
        read.filter(|read| !read.is_empty() || text.trim_ascii().is_empty()).ok_or(wrong)
    }

    fn read(der: &[u8]) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(der).ok()?;
        let (key_id, issuer_key_id) = key_ids(&parsed);
        let certificate = Self {
            subject: parsed.subject().as_raw().to_vec(),
            issuer: parsed.issuer().as_raw().to_vec(),
            key_id,
            issuer_key_id,
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            der: der.to_vec(),
        };
        rest.is_empty().then_some(certificate)
    }

    /// The certificate in DER (RFC 5280).
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in PEM, ending with a newline.
    pub(crate) fn pem(&self) -> Result<String, CertificateError> {
        pem_text("CERTIFICATE", &self.der).map(|text| text.as_str().to_owned())
    }

    /// The parsed fields. Parsing succeeded before, so this does not fail in practice.
    pub(crate) fn parsed(&self) -> Result<X509Certificate<'_>, CertificateError> {
        let (_, parsed) = X509Certificate::from_der(&self.der)
            .map_err(|_| CertificateError::NotCertificate { field: "certificate" })?;
        Ok(parsed)
    }

    /// True if this certificate's key signed `other`: names, key identifiers (if both exist) and signature match.
    ///
    /// Matching names are not enough: after a rotation there are two CAs with the same name. A signature with an algorithm that `ring` does not
    /// support (P-521, ECDSA with SHA-512) counts as a match.
    pub(crate) fn signed(&self, other: &Self) -> bool {
        let is_identified = match (&self.key_id, &other.issuer_key_id) {
            (Some(own), Some(named)) => own == named,
            _ => true,
        };
        self.subject == other.issuer && is_identified && self.verifies(other)
    }

    fn verifies(&self, other: &Self) -> bool {
        let (Ok(ca), Ok(signed)) = (self.parsed(), other.parsed()) else { return false };
        matches!(
            signed.verify_signature(Some(ca.public_key())),
            Ok(()) | Err(X509Error::SignatureUnsupportedAlgorithm)
        )
    }

    /// True for a root CA.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.subject == self.issuer && self.signed(self)
    }
}

/// SubjectKeyIdentifier and AuthorityKeyIdentifier, if present.
fn key_ids(parsed: &X509Certificate<'_>) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let (mut own, mut issuer) = (None, None);
    for extension in parsed.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => own = Some(id.0.to_vec()),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                issuer = id.key_identifier.as_ref().map(|id| id.0.to_vec())
            }
            _ => {}
        }
    }
    (own, issuer)
}
