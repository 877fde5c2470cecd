//! Why a certificate cannot be used: names that were asked for, never a byte of what was answered.

use thiserror::Error;

use crate::error::Reason;

/// Why a certificate, its key or a file of it cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// A field of the answer should hold certificates.
    #[error("{field} of the answer is not a certificate in PEM")]
    NotCertificate {
        /// The field's name in the answer.
        field: &'static str,
    },
    /// More CA certificates than `authorities::MOST`.
    #[error("the answer holds more CA certificates than the {most} that are looked at")]
    TooManyAuthorities {
        /// How many are looked at.
        most: usize,
    },
    /// Neither the answer nor the node has one.
    #[error("the answer holds no private key; ask for issue, or for a key of the node")]
    KeyMissing,
    /// Not PEM, not a form or an algorithm known here.
    #[error("the private key of the answer cannot be read; RSA, ECDSA and Ed25519 in PEM can")]
    KeyUnreadable,
    /// Certificate and key are not of one issue.
    #[error("the certificate was not made for the private key")]
    OtherKey,
    /// No CA of the answer has the leaf's issuer name, identifier and signature.
    #[error("no CA certificate of the answer signed the certificate")]
    IssuerMissing,
    /// The subject's common name is not `commonName`.
    #[error(
        "the certificate's common name is not {name:.64}, which was asked for; check use_csr_common_name of the role"
    )]
    OtherCommonName {
        /// The name as asked.
        name: String,
    },
    /// A name of `altNames`, `ipSans` or `uriSans` is not in the certificate.
    #[error(
        "the certificate lacks {name:.60}, which was asked for; check use_csr_sans and the allowed names of the role"
    )]
    NameMissing {
        /// The name as asked.
        name: String,
    },
    /// A name that no certificate can hold.
    #[error("{name:.60} cannot stand in a certificate; names, addresses and URIs are ASCII")]
    NameUnusable {
        /// The name as asked.
        name: String,
    },
    /// `keyFormat` and the key's algorithm do not go together.
    #[error("a private key of {algorithm} has no form {form}; use keyFormat: {instead}")]
    FormImpossible {
        /// The key's algorithm.
        algorithm: &'static str,
        /// The form asked for.
        form: &'static str,
        /// What the algorithm has.
        instead: &'static str,
    },
    /// Java reads no other password of PKCS #12 than ASCII, and keystores without one differ from reader to reader.
    #[error("the keystore's password must be printable ASCII and not empty")]
    PasswordUnusable,
    /// The key's library failed, which no input of a user explains.
    #[error("a private key could not be made")]
    NotGenerated,
    /// An encoder failed, which no input of a user explains.
    #[error("{what} could not be written")]
    NotWritten {
        /// What was being written.
        what: &'static str,
    },
}

impl CertificateError {
    /// The stable cause.
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotCertificate { .. }
            | Self::TooManyAuthorities { .. }
            | Self::KeyMissing
            | Self::KeyUnreadable => Reason::Malformed,
            Self::OtherKey | Self::IssuerMissing => Reason::Malformed,
            // The role made another certificate than the class asks for.
            Self::OtherCommonName { .. } | Self::NameMissing { .. } => Reason::Rejected,
            Self::NameUnusable { .. } => Reason::SpecInvalid,
            Self::FormImpossible { .. } | Self::PasswordUnusable => Reason::RenderFailed,
            Self::NotGenerated | Self::NotWritten { .. } => Reason::Bug,
        }
    }
}
