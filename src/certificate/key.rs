//! A private key, stored as PKCS #8 and encoded in the requested format.

use std::ops::RangeInclusive;

use rcgen::KeyPair;
use rsa::pkcs1::{self, RsaPrivateKeyRef};
use rsa::pkcs8::der::asn1::OctetStringRef;
use rsa::pkcs8::der::{Decode, Encode};
use rsa::pkcs8::{
    AlgorithmIdentifierRef, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument, SubjectPublicKeyInfoRef,
};
use sec1::{EcParameters, EcPrivateKey};
use zeroize::Zeroizing;

use super::CertificateError;
use crate::certificate::pem::pem_text;
use crate::certificate::x509::Certificate;
use crate::secret::Secret;
use crate::spec::{KeyAlgorithm as Algorithm, KeyForm};

/// id-ecPublicKey (RFC 5480).
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// id-Ed25519 (RFC 8410).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The curves that `ring` supports: P-256 and P-384 (RFC 5480). Vault also generates P-224 and P-521.
const CURVES_OF_RING: [ObjectIdentifier; 2] =
    [ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), ObjectIdentifier::new_unwrap("1.3.132.0.34")];
/// The modulus lengths that `ring` supports, in bytes. Vault also generates keys of 8192 bits.
const RSA_BYTES_OF_RING: RangeInclusive<usize> = 256..=512;

/// A private key in PKCS #8, version 1. OpenSSL 3.0 and Java 17 refuse version 2, which `ring` writes.
pub(crate) struct PrivateKey {
    algorithm: Algorithm,
    pkcs8: SecretDocument,
}

impl PrivateKey {
    /// Parses `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`, the three labels in responses of `issue`.
    pub(crate) fn from_pem(text: &str) -> Result<Self, CertificateError> {
        let (label, document) =
            SecretDocument::from_pem(text.trim_ascii()).map_err(|_| CertificateError::KeyUnreadable)?;
        let key = match label {
            "PRIVATE KEY" => Self::from_pkcs8(document.as_bytes()),
            "RSA PRIVATE KEY" => Self::new(pkcs1::ALGORITHM_ID, document.as_bytes()),
            "EC PRIVATE KEY" => Self::from_sec1(document.as_bytes()),
            _ => None,
        };
        key.ok_or(CertificateError::KeyUnreadable)
    }

    /// An Ed25519 key from its 32 secret bytes.
    pub(crate) fn from_ed25519_seed(seed: &[u8; 32]) -> Option<Self> {
        let inner = Zeroizing::new(OctetStringRef::new(seed).and_then(|seed| seed.to_der()).ok()?);
        Self::new(AlgorithmIdentifierRef { oid: ED25519, parameters: None }, &inner)
    }

    /// A key from PKCS #8; `None` if `der` is something else, or the algorithm is not supported.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let info = PrivateKeyInfoRef::from_der(der).ok()?;
        Self::new(info.algorithm, info.private_key.as_bytes())
    }

    /// A key from SEC 1. Moves the curve from the key to the algorithm identifier, as PKCS #8 wants it.
    fn from_sec1(der: &[u8]) -> Option<Self> {
        let key = EcPrivateKey::from_der(der).ok()?;
        let curve = key.parameters?.named_curve()?;
        let inner = Zeroizing::new(EcPrivateKey { parameters: None, ..key }.to_der().ok()?);
        Self::new(AlgorithmIdentifierRef { oid: EC, parameters: Some((&curve).into()) }, &inner)
    }

    fn new(algorithm: AlgorithmIdentifierRef<'_>, inner: &[u8]) -> Option<Self> {
        let kind = match algorithm.oid {
            pkcs1::ALGORITHM_OID => RsaPrivateKeyRef::from_der(inner).ok().map(|_| Algorithm::Rsa)?,
            EC => EcPrivateKey::from_der(inner).ok().map(|_| Algorithm::Ec)?,
            ED25519 => Algorithm::Ed25519,
            _ => return None,
        };
        let info = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(inner).ok()?);
        Some(Self { algorithm: kind, pkcs8: SecretDocument::encode_msg(&info).ok()? })
    }

    /// PKCS #8 in DER.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        self.pkcs8.as_bytes()
    }

    /// One PEM block in `form`, ending with a newline.
    pub(crate) fn pem(&self, form: KeyForm) -> Result<Secret, CertificateError> {
        let text = match (form, self.algorithm) {
            (KeyForm::Pkcs8, _) => pem_text("PRIVATE KEY", self.pkcs8())?,
            (KeyForm::Pkcs1, Algorithm::Rsa) => {
                pem_text("RSA PRIVATE KEY", self.info()?.private_key.as_bytes())?
            }
            (KeyForm::Sec1, Algorithm::Ec) => pem_text("EC PRIVATE KEY", &self.sec1().ok_or(NOT_ENCODED)?)?,
            (KeyForm::Pkcs1, _) => return Err(self.impossible("pkcs1")),
            (KeyForm::Sec1, _) => return Err(self.impossible("sec1")),
        };
        Ok(Secret::from(text.as_str()))
    }

    /// ECPrivateKey including its curve, without which OpenSSL cannot read it.
    fn sec1(&self) -> Option<Zeroizing<Vec<u8>>> {
        let info = self.info().ok()?;
        let parameters = EcParameters::NamedCurve(info.algorithm.parameters_oid().ok()?);
        let key = EcPrivateKey::from_der(info.private_key.as_bytes()).ok()?;
        EcPrivateKey { parameters: Some(parameters), ..key }.to_der().ok().map(Zeroizing::new)
    }

    fn impossible(&self, form: &'static str) -> CertificateError {
        let (algorithm, instead) = self.algorithm.names();
        CertificateError::FormImpossible { algorithm, form, instead }
    }

    /// True if `certificate` certifies this key's public key, including algorithm and curve.
    pub(crate) fn belongs_to(&self, certificate: &Certificate) -> bool {
        let (Ok(info), Ok(parsed)) = (self.info(), certificate.parsed()) else { return false };
        let certified = SubjectPublicKeyInfoRef::from_der(parsed.public_key().raw);
        let certified = certified.ok().filter(|certified| certified.algorithm == info.algorithm);
        certified
            .is_some_and(|certified| self.public_key().as_deref() == certified.subject_public_key.as_bytes())
    }

    /// The public key as in SubjectPublicKeyInfo: computed and checked by `ring`, or, for kinds of keys that `ring` does not support, the copy in
    /// the private key.
    fn public_key(&self) -> Option<Vec<u8>> {
        let info = self.info().ok()?;
        let inner = info.private_key.as_bytes();
        match self.algorithm {
            Algorithm::Rsa => {
                let key = RsaPrivateKeyRef::from_der(inner).ok()?;
                let is_supported = RSA_BYTES_OF_RING.contains(&key.modulus.as_bytes().len());
                if is_supported { self.computed_public_key() } else { key.public_key().to_der().ok() }
            }
            Algorithm::Ec if CURVES_OF_RING.contains(&info.algorithm.parameters_oid().ok()?) => {
                self.computed_public_key()
            }
            Algorithm::Ec => EcPrivateKey::from_der(inner).ok()?.public_key.map(<[u8]>::to_vec),
            Algorithm::Ed25519 => self.computed_public_key(),
        }
    }

    fn computed_public_key(&self) -> Option<Vec<u8>> {
        self.signer().map(|signer| signer.public_key_raw().to_vec())
    }

    /// A key pair that can sign; `None` if `ring` does not support the kind of key. Copies inside `ring` are not wiped.
    pub(crate) fn signer(&self) -> Option<Zeroizing<KeyPair>> {
        KeyPair::try_from(self.pkcs8()).ok().map(Zeroizing::new)
    }

    fn info(&self) -> Result<PrivateKeyInfoRef<'_>, CertificateError> {
        PrivateKeyInfoRef::from_der(self.pkcs8()).map_err(|_| NOT_ENCODED)
    }
}

const NOT_ENCODED: CertificateError = CertificateError::NotEncoded { what: "the private key" };
