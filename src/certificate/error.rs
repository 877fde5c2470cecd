//! Why a certificate cannot be used. Errors contain requested names, never bytes of a response.

use thiserror::Error;

use crate::error::Reason;

/// Why a certificate, its key or one of its files cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum CertificateError {
    /// A field of the response must contain certificates and does not.
    #[error("{field} of the response is not a certificate in PEM")]
    NotCertificate {
        /// The field's name in the response.
        field: &'static str,
    },
    /// The response contains more CA certificates than are examined.
    #[error("the response contains more than {limit} CA certificates")]
    TooManyAuthorities {
        /// The number of CA certificates that are examined.
        limit: usize,
    },
    /// Neither the response nor the node has a private key.
    #[error(
        "the response contains no private key; use the path issue, or a key that is generated on the node"
    )]
    KeyMissing,
    /// The private key is not PEM, or has an unsupported format or algorithm.
    #[error("the private key of the response cannot be read; supported are RSA, ECDSA and Ed25519 in PEM")]
    KeyUnreadable,
    /// Certificate and private key do not belong together.
    #[error("the certificate does not belong to the private key")]
    OtherKey,
    /// No CA of the response matches the certificate's issuer name, key identifier and signature.
    #[error("no CA certificate of the response has signed the certificate")]
    IssuerMissing,
    /// The certificate's common name is not `commonName`.
    #[error(
        "the certificate's common name is not the requested {name:.64}; check use_csr_common_name of the role"
    )]
    OtherCommonName {
        /// The requested name.
        name: String,
    },
    /// `excludeCnFromSans` has no effect at the server.
    #[error(
        "the common name {name:?} is among the SANs of the certificate, although excludeCnFromSans is true"
    )]
    NameNotExcluded {
        /// The common name.
        name: String,
    },
    /// Vault generated a key of another type.
    #[error(
        "the key has another type than `keyType`: the role decides it, so set the type in the role, or set privateKey: node"
    )]
    OtherKeyType,
    /// A name of `altNames`, `ipSans` or `uriSans` is not in the certificate.
    #[error(
        "the certificate lacks the requested name {name:.60}; check use_csr_sans and the allowed names of the role"
    )]
    NameMissing {
        /// The requested name.
        name: String,
    },
    /// A requested name that no certificate can contain.
    #[error("{name:.60} is not possible in a certificate; names, addresses and URIs are ASCII")]
    NameUnusable {
        /// The requested name.
        name: String,
    },
    /// `keyFormat` does not exist for the key's algorithm.
    #[error("a private key of {algorithm} has no format {form}; use keyFormat: {instead}")]
    FormImpossible {
        /// The key's algorithm.
        algorithm: &'static str,
        /// The value of `keyFormat`.
        form: &'static str,
        /// The formats of the algorithm.
        instead: &'static str,
    },
    /// The password is not usable. Java reads only ASCII passwords of PKCS #12, and programs disagree about keystores without a password.
    #[error("the keystore's password must be printable ASCII and not empty")]
    PasswordUnusable,
    /// The crypto library failed to generate a key. No user input can cause this.
    #[error("a private key could not be generated")]
    NotGenerated,
    /// An encoder failed. No user input can cause this.
    #[error("{what} could not be encoded")]
    NotEncoded {
        /// The object to encode.
        what: &'static str,
    },
}

impl CertificateError {
    /// The reason of the failure.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::NotCertificate { .. }
            | Self::TooManyAuthorities { .. }
            | Self::KeyMissing
            | Self::KeyUnreadable => Reason::Malformed,
            Self::OtherKey | Self::IssuerMissing => Reason::Malformed,
            // The role issued another certificate than the class requests.
            Self::OtherCommonName { .. }
            | Self::NameMissing { .. }
            | Self::NameNotExcluded { .. }
            | Self::OtherKeyType => Reason::Rejected,
            Self::NameUnusable { .. } => Reason::SpecInvalid,
            Self::FormImpossible { .. } | Self::PasswordUnusable => Reason::RenderFailed,
            Self::NotGenerated | Self::NotEncoded { .. } => Reason::Bug,
        }
    }
}
