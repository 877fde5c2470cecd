//! A certificate with its chain and key: of one issue, checked before any file is made of it.

use super::Authorities;
use super::keystore;
use super::{CertificateError, NodeKey, names};
use crate::certificate::key::PrivateKey;
use crate::certificate::keystore::Contents;
use crate::certificate::x509::Certificate;
use crate::secret::Secret;
use crate::spec::{Alias, CertificateRequest, KeyForm, StoreForm};

/// What `issue` or `sign` answered, in PEM, by the names that Vault gives it.
pub struct Issued<'a> {
    /// The leaf.
    pub certificate: &'a str,
    /// The CA that signed it.
    pub issuing_ca: &'a str,
    /// CAs in Vault's order; repeats, gaps and strangers are expected.
    pub ca_chain: Vec<&'a str>,
    /// The key, from `issue` alone.
    pub private_key: Option<&'a str>,
}

/// A certificate, its CAs and its private key. There is no way to one but [`Identity::new`], and no way to exchange a part
/// of it, so a key never stands beside the certificate of another issue.
///
/// ```compile_fail
/// # use vaultmount::certificate::Identity;
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
    /// Holds the answer against the question: the leaf carries every name of `ask`, one of the CAs signed it, and the key
    /// (`node`'s, else the answer's) is its own.
    pub fn new(
        ask: &CertificateRequest,
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
        names::check(ask, &leaf.parsed()?)?;
        let authorities = Authorities::of(&leaf, issued.issuing_ca, &issued.ca_chain)?;
        Ok(Self { leaf, authorities, key })
    }

    /// The CAs above the leaf: `chain`, `ca`, `issuingCa`, `truststore`.
    pub fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// The leaf in PEM.
    pub fn certificate(&self) -> Result<String, CertificateError> {
        self.leaf.pem()
    }

    /// The leaf and the intermediates in PEM, without the root: what a server sends.
    pub fn certificate_chain(&self) -> Result<String, CertificateError> {
        std::iter::once(&self.leaf).chain(self.authorities.intermediates()).map(Certificate::pem).collect()
    }

    /// The leaf and all CAs in PEM, with the root when it is known.
    pub fn full_chain(&self) -> Result<String, CertificateError> {
        self.everything().map(Certificate::pem).collect()
    }

    /// The key in PEM.
    pub fn private_key(&self, form: KeyForm) -> Result<Secret, CertificateError> {
        self.key.pem(form)
    }

    /// [`Self::certificate_chain`] followed by the key, in one text.
    pub fn bundle(&self, form: KeyForm) -> Result<Secret, CertificateError> {
        let key = self.key.pem(form)?;
        let mut text = self.certificate_chain()?.into_bytes();
        // In one step, so that no half-filled buffer with the key in it is left behind by growth.
        text.reserve_exact(key.len());
        text.extend_from_slice(key.expose());
        Ok(Secret::from(text))
    }

    /// A keystore whose one entry, `alias`, is the key with its full chain. The password, printable ASCII, opens both.
    pub fn keystore(
        &self,
        form: StoreForm,
        alias: &Alias,
        password: &Secret,
    ) -> Result<Secret, CertificateError> {
        let chain = self.everything().collect();
        keystore::write(form, &Contents::Identity { key: self.key.pkcs8(), chain }, alias, password)
    }

    /// The end of its life, in Unix seconds.
    pub fn not_after(&self) -> i64 {
        self.leaf.not_after
    }

    fn everything(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.leaf).chain(self.authorities.all())
    }
}
