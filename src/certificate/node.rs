//! Keys that are generated on the node, and their certificate requests (RFC 2986) for `sign`.

use rand::random;
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rsa::pkcs8::EncodePrivateKey;
use zeroize::Zeroizing;

use super::CertificateError;
use crate::certificate::key::PrivateKey;
use crate::certificate::names::in_ascii;
use crate::spec::{CertificateRequest, KeyType};

/// A private key that was generated on this node. It is only used in an [`Identity`](super::Identity) with its own certificate.
pub(crate) struct NodeKey(pub(crate) PrivateKey);

impl NodeKey {
    /// Generates a key. RSA with 4096 bits takes up to several seconds of one core, so call it where blocking is allowed.
    pub(crate) fn generate(kind: KeyType) -> Result<Self, CertificateError> {
        let key = match kind {
            KeyType::Rsa2048 => rsa(2048),
            KeyType::Rsa3072 => rsa(3072),
            KeyType::Rsa4096 => rsa(4096),
            KeyType::EcP256 => ec(&rcgen::PKCS_ECDSA_P256_SHA256),
            KeyType::EcP384 => ec(&rcgen::PKCS_ECDSA_P384_SHA384),
            KeyType::Ed25519 => PrivateKey::from_ed25519_seed(&Zeroizing::new(random())),
        };
        key.map(Self).ok_or(CertificateError::NotGenerated)
    }

    /// A key in PEM that was generated here before.
    pub(crate) fn from_pem(text: &str) -> Result<Self, CertificateError> {
        PrivateKey::from_pem(text).map(Self)
    }

    /// The certificate request in PEM, with all requested `names`: with a role's defaults (`use_csr_common_name`, `use_csr_sans`) Vault takes
    /// names only from the certificate request.
    pub(crate) fn csr(&self, names: &CertificateRequest) -> Result<String, CertificateError> {
        let mut request = CertificateParams::default();
        request.distinguished_name = DistinguishedName::new();
        if !names.common_name.is_empty() {
            request.distinguished_name.push(DnType::CommonName, names.common_name.as_str());
        }
        request.subject_alt_names = subject_alt_names(names)?;
        let signer = self.0.signer().ok_or(NOT_ENCODED)?;
        request.serialize_request(&*signer).and_then(|request| request.pem()).map_err(|_| NOT_ENCODED)
    }
}

const NOT_ENCODED: CertificateError = CertificateError::NotEncoded { what: "the certificate request" };

fn subject_alt_names(names: &CertificateRequest) -> Result<Vec<SanType>, CertificateError> {
    let alt_names = names.alt_names.iter().map(|name| {
        let text = ia5(&in_ascii(name), name)?;
        Ok(if name.contains('@') { SanType::Rfc822Name(text) } else { SanType::DnsName(text) })
    });
    // An IPv4-mapped IPv6 address (`::ffff:10.0.0.7`) is written in four bytes: Go refuses a request with sixteen.
    let addresses = names.ip_sans.iter().map(|address| Ok(SanType::IpAddress(address.to_canonical())));
    let uris = names.uri_sans.iter().map(|uri| Ok(SanType::URI(ia5(uri, uri)?)));
    alt_names.chain(addresses).chain(uris).collect()
}

fn ia5(text: &str, requested: &str) -> Result<Ia5String, CertificateError> {
    Ia5String::try_from(text).map_err(|_| CertificateError::NameUnusable { name: requested.to_owned() })
}

fn rsa(bits: usize) -> Option<PrivateKey> {
    let key = rsa::PrivateKey::new(&mut rand::rng(), bits).ok()?;
    PrivateKey::from_pkcs8(key.to_pkcs8_der().ok()?.as_bytes())
}

fn ec(curve: &'static rcgen::SignatureAlgorithm) -> Option<PrivateKey> {
    let key = Zeroizing::new(KeyPair::generate_for(curve).ok()?);
    PrivateKey::from_pkcs8(key.serialized_der())
}
