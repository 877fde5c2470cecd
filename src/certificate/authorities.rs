//! CA certificates in their order: the one that issues, then each one's own issuer.

use super::CertificateError;
use super::keystore;
use crate::certificate::keystore::Contents;
use crate::certificate::x509::Certificate;
use crate::secret::Secret;
use crate::spec::{Alias, StoreForm};

/// CA certificates that are looked at; more than a chain ever has, and few enough to check every signature among them.
const MOST: usize = 32;

/// The CAs above a leaf, or of a mount: at least one, each signed by the next.
pub struct Authorities {
    issuing: Certificate,
    above: Vec<Certificate>,
}

impl Authorities {
    /// The chain of a mount from `texts` (`GET <mount>/cert/ca_chain`), in any order and with repeats.
    ///
    /// It starts at the first one that issued none of the others, which is the CA that signs leaves.
    pub fn new(texts: &[&str]) -> Result<Self, CertificateError> {
        let mut known = KnownCa::default();
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

    /// The CAs above `leaf`, from `issuing_ca` and `ca_chain` of its answer; those that do not belong are left out.
    pub(crate) fn of(
        leaf: &Certificate,
        issuing_ca: &str,
        ca_chain: &[&str],
    ) -> Result<Self, CertificateError> {
        let mut known = KnownCa::default();
        known.add(issuing_ca, "issuing_ca")?;
        let named = known.0.first().cloned();
        for text in ca_chain {
            known.add(text, "ca_chain")?;
        }
        let issuing = known.take_issuer(leaf, named.as_ref()).ok_or(CertificateError::IssuerMissing)?;
        Ok(known.climb(issuing))
    }

    /// All of them in PEM, from the issuing one up.
    pub fn chain(&self) -> Result<String, CertificateError> {
        self.all().map(Certificate::pem).collect()
    }

    /// The one that signs leaves, in PEM.
    pub fn issuing_ca(&self) -> Result<String, CertificateError> {
        self.issuing.pem()
    }

    /// The topmost one that is known, in PEM: what clients trust.
    pub fn ca(&self) -> Result<String, CertificateError> {
        self.topmost().pem()
    }

    /// A keystore whose one entry, `alias`, trusts [`Self::ca`]. The password is printable ASCII.
    pub fn truststore(
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

    /// Those that a server sends after its leaf: all but the root.
    pub(crate) fn intermediates(&self) -> impl Iterator<Item = &Certificate> {
        self.all().filter(|ca| !ca.is_self_signed())
    }

    fn topmost(&self) -> &Certificate {
        self.above.last().unwrap_or(&self.issuing)
    }
}

/// CA certificates of an answer, each once, in no order that matters.
#[derive(Default)]
struct KnownCa(Vec<Certificate>);

impl KnownCa {
    fn add(&mut self, text: &str, field: &'static str) -> Result<(), CertificateError> {
        for certificate in Certificate::all(text, field)? {
            if !self.0.iter().any(|known| known.der() == certificate.der()) {
                self.0.push(certificate);
            }
        }
        if self.0.len() > MOST { Err(CertificateError::TooManyAuthorities { most: MOST }) } else { Ok(()) }
    }

    /// Each step takes a certificate out, so a circle of CAs that signed each other ends too.
    fn climb(mut self, issuing: Certificate) -> Authorities {
        let mut chain = Authorities { issuing, above: Vec::new() };
        while !chain.topmost().is_self_signed() {
            let Some(next) = self.take_issuer(chain.topmost(), None) else { break };
            chain.above.push(next);
        }
        chain
    }

    /// Takes out what signed `below`. Of cross-signed twins (one name, one key) the one that Vault `named`, else a root,
    /// else the one that lasts longest, whatever their order.
    fn take_issuer(&mut self, below: &Certificate, named: Option<&Certificate>) -> Option<Certificate> {
        let rank = |ca: &Certificate| {
            (named.is_some_and(|named| named.der() == ca.der()), ca.is_self_signed(), ca.not_after)
        };
        let signers = self.0.iter().enumerate().filter(|(_, ca)| ca.signed(below));
        let (place, _) =
            signers.max_by(|(_, a), (_, b)| rank(a).cmp(&rank(b)).then_with(|| a.der().cmp(b.der())))?;
        Some(self.0.swap_remove(place))
    }
}
