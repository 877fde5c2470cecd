//! Keys made on the node, and the requests (RFC 2986) that carry their public halves to `sign`.

use rand::random;
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rsa::pkcs8::EncodePrivateKey;
use zeroize::Zeroizing;

use super::CertificateError;
use crate::certificate::key::PrivateKey;
use crate::certificate::names::in_ascii;
use crate::spec::{CertificateRequest, KeyType};

/// A private key made on this node; it leaves only by an [`Identity`](super::Identity) whose certificate is its own.
pub struct NodeKey(pub(crate) PrivateKey);

impl NodeKey {
    /// A new key. RSA takes up to seconds of one core (4096 bits), so call it where blocking is allowed.
    pub fn generate(kind: KeyType) -> Result<Self, CertificateError> {
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

    /// A key that was made here before, in PEM.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        PrivateKey::from_pem(text).map(Self)
    }

    /// The request in PEM, with every name that `ask` has: the default roles (`use_csr_common_name`, `use_csr_sans`) take
    /// names from here alone.
    pub fn csr(&self, ask: &CertificateRequest) -> Result<String, CertificateError> {
        let mut request = CertificateParams::default();
        request.distinguished_name = DistinguishedName::new();
        if !ask.common_name.is_empty() {
            request.distinguished_name.push(DnType::CommonName, ask.common_name.as_str());
        }
        request.subject_alt_names = subject_alt_names(ask)?;
        let signer = self.0.signer().ok_or(NOT_WRITTEN)?;
        request.serialize_request(&*signer).and_then(|request| request.pem()).map_err(|_| NOT_WRITTEN)
    }
}

const NOT_WRITTEN: CertificateError = CertificateError::NotWritten { what: "the certificate request" };

fn subject_alt_names(ask: &CertificateRequest) -> Result<Vec<SanType>, CertificateError> {
    let alt_names = ask.alt_names.iter().map(|name| {
        let text = ia5(&in_ascii(name), name)?;
        Ok(if name.contains('@') { SanType::Rfc822Name(text) } else { SanType::DnsName(text) })
    });
    // An IPv4 address in IPv6 (`::ffff:10.0.0.7`) takes four bytes: Go reads no request with sixteen.
    let addresses = ask.ip_sans.iter().map(|address| Ok(SanType::IpAddress(address.to_canonical())));
    let uris = ask.uri_sans.iter().map(|uri| Ok(SanType::URI(ia5(uri, uri)?)));
    alt_names.chain(addresses).chain(uris).collect()
}

fn ia5(text: &str, asked: &str) -> Result<Ia5String, CertificateError> {
    Ia5String::try_from(text).map_err(|_| CertificateError::NameUnusable { name: asked.to_owned() })
}

fn rsa(bits: usize) -> Option<PrivateKey> {
    let key = rsa::PrivateKey::new(&mut rand::rng(), bits).ok()?;
    PrivateKey::from_pkcs8(key.to_pkcs8_der().ok()?.as_bytes())
}

fn ec(curve: &'static rcgen::SignatureAlgorithm) -> Option<PrivateKey> {
    let key = Zeroizing::new(KeyPair::generate_for(curve).ok()?);
    PrivateKey::from_pkcs8(key.serialized_der())
}
