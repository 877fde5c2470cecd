//! Authorities and leaves, as a PKI engine would sign them.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};

use crate::spec::{CertificateRequest, KeyPlace};

/// A CA whose certificate may be one of several for its name and key.
pub(crate) struct Ca {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

pub(crate) fn ca(name: &str, key: &KeyPair, signer: Option<&Ca>) -> Ca {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.use_authority_key_identifier_extension = true;
    let certificate = match signer {
        Some(signer) => params.signed_by(key, &signer.issuer).unwrap(),
        None => params.self_signed(key).unwrap(),
    };
    let key = KeyPair::try_from(key.serialized_der()).unwrap();
    Ca { pem: certificate.pem(), issuer: Issuer::new(params, key) }
}

pub(crate) fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

pub(crate) fn new_ca(name: &str, signer: Option<&Ca>) -> Ca {
    ca(name, &key(), signer)
}

pub(crate) fn leaf(key: &KeyPair, signer: &Ca) -> String {
    let mut params =
        CertificateParams::new(["web.example".to_owned(), "xn--bcher-kva.example".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Web.example");
    params.subject_alt_names.push(SanType::IpAddress([10, 0, 0, 7].into()));
    params.subject_alt_names.push(SanType::Rfc822Name("ops@example".try_into().unwrap()));
    params.subject_alt_names.push(SanType::URI("spiffe://example/web".try_into().unwrap()));
    params.use_authority_key_identifier_extension = true;
    params.signed_by(key, &signer.issuer).unwrap().pem()
}

pub(crate) fn ask() -> CertificateRequest {
    CertificateRequest {
        mount: "pki".to_owned(),
        role: "web".to_owned(),
        common_name: "web.example".to_owned(),
        alt_names: vec!["WEB.example".to_owned(), "bücher.example".to_owned(), "ops@example".to_owned()],
        ip_sans: vec!["::ffff:10.0.0.7".parse().unwrap()],
        uri_sans: vec!["SPIFFE://example/web".to_owned()],
        ttl: None,
        key: KeyPlace::Vault,
        options: Default::default(),
    }
}

pub(crate) fn bare() -> CertificateRequest {
    CertificateRequest {
        common_name: String::new(),
        alt_names: vec![],
        ip_sans: vec![],
        uri_sans: vec![],
        ..ask()
    }
}
