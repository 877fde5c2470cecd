//! A certificate with its chain and private key, checked against each other before a file is rendered.

use super::{Authorities, CertificateError, NodeKey, keystore, names};
use crate::certificate::key::PrivateKey;
use crate::certificate::keystore::Contents;
use crate::certificate::x509::Certificate;
use crate::secret::Secret;
use crate::spec::{Alias, CertificateRequest, KeyForm, StoreForm};

/// The response of `issue` or `sign`, in PEM; the fields have Vault's names.
pub(crate) struct Issued<'a> {
    /// The leaf certificate.
    pub(crate) certificate: &'a str,
    /// The CA that signed the leaf certificate.
    pub(crate) issuing_ca: &'a str,
    /// CAs in Vault's order; may contain repetitions, gaps and unrelated CAs.
    pub(crate) ca_chain: Vec<&'a str>,
    /// The private key, only from `issue`.
    pub(crate) private_key: Option<&'a str>,
}

/// A certificate, its CAs and its private key. Only `Identity::new` creates one, and no part can be replaced, so a key is never combined
/// with the certificate of another key.
///
/// ```compile_fail,E0451
/// # use vaultmount::internals::Identity;
/// fn mixed(one: Identity, other: Identity) -> Identity {
///     Identity { key: other.key, ..one } // the fields are private
/// }
/// ```
pub struct Identity {
    leaf: Certificate,
    authorities: Authorities,
    key: PrivateKey,
}

impl Identity {
    /// Checks a response: the leaf has every name of `request`, one of the CAs signed the leaf, and the private key (`node`'s, else the
    /// response's) belongs to it.
    pub(crate) fn new(
        request: &CertificateRequest,
        issued: &Issued<'_>,
        node: Option<NodeKey>,
    ) -> Result<Self, CertificateError> {
        let missing = CertificateError::NotCertificate { field: "certificate" };
        let leaf = Certificate::all(issued.certificate, "certificate")?.into_iter().next().ok_or(missing)?;
        let key = match (node, issued.private_key) {
            (Some(NodeKey(key)), _) => key,
            (None, Some(text)) => PrivateKey::from_pem(text)?,
            (None, None) => return Err(CertificateError::KeyMissing),
        };
        if !key.belongs_to(&leaf) {
            return Err(CertificateError::OtherKey);
        }
        names::check(request, &leaf.parsed()?)?;
        let authorities = Authorities::of_leaf(&leaf, issued.issuing_ca, &issued.ca_chain)?;
        Ok(Self { leaf, authorities, key })
    }

    /// The CAs above the leaf: `chain`, `ca`, `issuingCa`, `truststore`.
    pub(crate) fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// The leaf certificate in PEM.
    pub(crate) fn certificate(&self) -> Result<String, CertificateError> {
        self.leaf.pem()
    }

    /// The leaf and the intermediate CAs in PEM, without the root: the chain that a server sends.
    pub(crate) fn certificate_chain(&self) -> Result<String, CertificateError> {
        std::iter::once(&self.leaf).chain(self.authorities.intermediates()).map(Certificate::pem).collect()
    }

    /// The leaf and all CAs in PEM, including the root if it is known.
    pub(crate) fn full_chain(&self) -> Result<String, CertificateError> {
        self.all_certificates().map(Certificate::pem).collect()
    }

    /// The private key in PEM.
    pub(crate) fn private_key(&self, form: KeyForm) -> Result<Secret, CertificateError> {
        self.key.pem(form)
    }

    /// [`Self::certificate_chain`] followed by the private key, in one text.
    pub(crate) fn bundle(&self, form: KeyForm) -> Result<Secret, CertificateError> {
        let key = self.key.pem(form)?;
        let mut text = self.certificate_chain()?.into_bytes();
        // Reserved in one step, so that no smaller buffer with a part of the key is freed without being wiped.
        text.reserve_exact(key.len());
        text.extend_from_slice(key.expose());
        Ok(Secret::from(text))
    }

    /// A keystore with one entry, `alias`: the private key with its full chain. The password must be printable ASCII and protects both.
    pub(crate) fn keystore(
        &self,
        form: StoreForm,
        alias: &Alias,
        password: &Secret,
    ) -> Result<Secret, CertificateError> {
        let chain = self.all_certificates().collect();
        keystore::write(form, &Contents::Identity { key: self.key.pkcs8(), chain }, alias, password)
    }

    /// The end of the leaf certificate, in Unix seconds.
    pub(crate) fn not_after(&self) -> i64 {
        self.leaf.not_after
    }

    fn all_certificates(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.leaf).chain(self.authorities.all())
    }
}
