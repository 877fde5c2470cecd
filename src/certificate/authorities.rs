//! CA certificates in order: the issuing CA, then the issuer of each.

use super::{CertificateError, keystore};
use crate::certificate::keystore::Contents;
use crate::certificate::x509::Certificate;
use crate::secret::Secret;
use crate::spec::{Alias, StoreForm};

/// Limit of CA certificates of a response: more than a chain ever has, and few enough to check every signature among them.
const LIMIT: usize = 32;

/// The CA chain above a leaf certificate, or of a PKI mount: at least one, each signed by the next.
pub(crate) struct Authorities {
    issuing: Certificate,
    above: Vec<Certificate>,
}

impl Authorities {
    /// The chain of a PKI mount from `texts` (`GET <mount>/cert/ca_chain`), which may have any order and repetitions.
    ///
    /// The chain starts with the first CA that issued none of the others: that CA signs leaf certificates.
    pub(crate) fn new(texts: &[&str]) -> Result<Self, CertificateError> {
        let mut known = KnownCas::default();
        for text in texts {
            known.add(text, "certificate")?;
        }
        let lowest =
            |ca: &Certificate| !known.0.iter().any(|other| other.der() != ca.der() && ca.signed(other));
        let start = known.0.iter().position(lowest).unwrap_or_default();
        let missing = CertificateError::NotCertificate { field: "certificate" };
        let issuing = (start < known.0.len()).then(|| known.0.remove(start)).ok_or(missing)?;
        Ok(known.climb(issuing))
    }

    /// The chain above `leaf`, from `issuing_ca` and `ca_chain` of its response; CAs that are not in the chain are left out.
    pub(crate) fn of_leaf(
        leaf: &Certificate,
        issuing_ca: &str,
        ca_chain: &[&str],
    ) -> Result<Self, CertificateError> {
        let mut known = KnownCas::default();
        known.add(issuing_ca, "issuing_ca")?;
        let named = known.0.first().cloned();
        for text in ca_chain {
            known.add(text, "ca_chain")?;
        }
        let issuing = known.take_issuer(leaf, named.as_ref()).ok_or(CertificateError::IssuerMissing)?;
        Ok(known.climb(issuing))
    }

    /// The chain in PEM, from the issuing CA upwards.
    pub(crate) fn chain(&self) -> Result<String, CertificateError> {
        self.all().map(Certificate::pem).collect()
    }

    /// The CA that signs leaf certificates, in PEM.
    pub(crate) fn issuing_ca(&self) -> Result<String, CertificateError> {
        self.issuing.pem()
    }

    /// The topmost known CA, in PEM: the one that clients trust.
    pub(crate) fn ca(&self) -> Result<String, CertificateError> {
        self.topmost().pem()
    }

    /// A keystore with one entry, `alias`, that trusts [`Self::ca`]. The password must be printable ASCII.
    pub(crate) fn truststore(
        &self,
        form: StoreForm,
        alias: &Alias,
        password: &Secret,
    ) -> Result<Secret, CertificateError> {
        keystore::write(form, &Contents::Trusted(self.topmost()), alias, password)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.issuing).chain(&self.above)
    }

    /// The CAs that a server sends after its leaf certificate: all except the root.
    pub(crate) fn intermediates(&self) -> impl Iterator<Item = &Certificate> {
        self.all().filter(|ca| !ca.is_self_signed())
    }

    fn topmost(&self) -> &Certificate {
        self.above.last().unwrap_or(&self.issuing)
    }
}

/// The CA certificates of a response, without repetitions; their order has no meaning.
#[derive(Default)]
struct KnownCas(Vec<Certificate>);

impl KnownCas {
    fn add(&mut self, text: &str, field: &'static str) -> Result<(), CertificateError> {
        for certificate in Certificate::all(text, field)? {
            if !self.0.iter().any(|known| known.der() == certificate.der()) {
                self.0.push(certificate);
            }
        }
        if self.0.len() > LIMIT { Err(CertificateError::TooManyAuthorities { limit: LIMIT }) } else { Ok(()) }
    }

    /// The chain from `issuing` upwards. Each step removes a certificate, so the loop ends even if CAs have signed each other.
    fn climb(mut self, issuing: Certificate) -> Authorities {
        let mut chain = Authorities { issuing, above: Vec::new() };
        while !chain.topmost().is_self_signed() {
            let Some(next) = self.take_issuer(chain.topmost(), None) else { break };
            chain.above.push(next);
        }
        chain
    }

    /// Removes and returns the CA that signed `below`. Of cross-signed CAs (same name and key) it is the one that Vault `named`, else a root,
    /// else the one that expires last; independent of their order.
    fn take_issuer(&mut self, below: &Certificate, named: Option<&Certificate>) -> Option<Certificate> {
        let rank = |ca: &Certificate| {
            (named.is_some_and(|named| named.der() == ca.der()), ca.is_self_signed(), ca.not_after)
        };
        let signers = self.0.iter().enumerate().filter(|(_, ca)| ca.signed(below));
        let (index, _) =
            signers.max_by(|(_, a), (_, b)| rank(a).cmp(&rank(b)).then_with(|| a.der().cmp(b.der())))?;
        Some(self.0.swap_remove(index))
    }
}
