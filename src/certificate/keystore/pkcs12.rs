//! PKCS #12 (RFC 7292) as OpenSSL since 1.1 and Java since 8u301 read it: AES-256-CBC under PBKDF2 with HMAC-SHA-256.
//!
//! Put together from the types of `pkcs12`, since `p12-keystore` draws its salts at random.

use hmac::{Hmac, KeyInit, Mac};
use pkcs12::cms::cert::x509::attr::{Attribute, Attributes};
use pkcs12::cms::content_info::{CmsVersion, ContentInfo};
use pkcs12::cms::encrypted_data::EncryptedData;
use pkcs12::cms::enveloped_data::EncryptedContentInfo;
use pkcs12::kdf::{Pkcs12KeyType, derive_key_utf8};
use pkcs12::pfx::{Pfx, Version};
use pkcs12::safe_bag::SafeBag;
use pkcs12::{CertBag, DigestInfo, MacData};
use pkcs12::{PKCS_12_CERT_BAG_OID, PKCS_12_PKCS8_KEY_BAG_OID, PKCS_12_X509_CERT_OID};
use rsa::pkcs8::EncryptedPrivateKeyInfoOwned;
use rsa::pkcs8::der::asn1::{Any, BmpString, Null, ObjectIdentifier, OctetString, SetOfVec};
use rsa::pkcs8::der::{Encode, EncodeValue, Tagged};
use rsa::pkcs8::pkcs5::EncryptionScheme;
use rsa::pkcs8::pkcs5::pbes2::{self, Kdf, Parameters, Pbkdf2Params};
use rsa::pkcs8::spki::AlgorithmIdentifierOwned;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Contents;
use crate::certificate::x509::Certificate;
use crate::secret::Secret;

/// Rounds of PBKDF2 and of the MAC's key: Java's default. Passwords come from Vault, not from heads.
const ROUNDS: u16 = 10_000;

/// Contents that stand as they are, and encrypted ones (RFC 5652).
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
/// The entry's name, and what pairs a key with its certificate (RFC 2985).
const FRIENDLY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.20");
const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");
/// Oracle's mark of a trusted certificate, without which Java sees no entry, and its value for any purpose (RFC 5280).
const TRUSTED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113894.746875.1.1");
const ANY_PURPOSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
/// SHA-256 (RFC 8017).
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// An encoder refused. Its own error is not kept, for it may quote what it encodes.
pub(super) struct NotEncoded;

impl<E: std::error::Error> From<E> for NotEncoded {
    fn from(_: E) -> Self {
        Self
    }
}

pub(super) fn write(contents: &Contents<'_>, alias: &str, password: &str) -> Result<Secret, NotEncoded> {
    let safes = match contents {
        Contents::Identity { key, chain } => {
            let names = [attribute(FRIENDLY_NAME, &BmpString::from_utf8(alias)?)?, attribute(LOCAL_KEY_ID, &key_id(chain)?)?];
            let names = SetOfVec::try_from(names.to_vec())?;
            let bags = chain.iter().enumerate().map(|(place, ca)| certificate_bag(ca, (place == 0).then(|| names.clone())));
            let certificates = encrypted(&bags.collect::<Result<_, _>>()?, &parameters(contents, "certificates")?, password)?;
            vec![certificates, plain(&vec![key_bag(key, names, &parameters(contents, "key")?, password)?].to_der()?)?]
        }
        Contents::Trusted(ca) => {
            let marks = [attribute(FRIENDLY_NAME, &BmpString::from_utf8(alias)?)?, attribute(TRUSTED_KEY_USAGE, &ANY_PURPOSE)?];
            let bag = certificate_bag(ca, Some(SetOfVec::try_from(marks.to_vec())?))?;
            vec![encrypted(&vec![bag], &parameters(contents, "certificates")?, password)?]
        }
    };
    let safes = safes.to_der()?;
    let mac_data = Some(mac(&safes, &contents.salt("vaultmount PKCS #12 MAC"), password)?);
    Ok(Secret::from(Pfx { version: Version::V3, auth_safe: plain(&safes)?, mac_data }.to_der()?))
}

fn certificate_bag(certificate: &Certificate, bag_attributes: Option<Attributes>) -> Result<SafeBag, NotEncoded> {
    let bag = CertBag { cert_id: PKCS_12_X509_CERT_OID, cert_value: OctetString::new(certificate.der())? };
    Ok(SafeBag { bag_id: PKCS_12_CERT_BAG_OID, bag_value: bag.to_der()?, bag_attributes })
}

fn key_bag(key: &[u8], names: Attributes, parameters: &Parameters, password: &str) -> Result<SafeBag, NotEncoded> {
    let encrypted_data = OctetString::new(parameters.encrypt(password, key)?)?;
    let encryption_algorithm = EncryptionScheme::from(parameters.clone());
    let bag = EncryptedPrivateKeyInfoOwned { encryption_algorithm, encrypted_data };
    Ok(SafeBag { bag_id: PKCS_12_PKCS8_KEY_BAG_OID, bag_value: bag.to_der()?, bag_attributes: Some(names) })
}

fn attribute(oid: ObjectIdentifier, value: &(impl EncodeValue + Tagged)) -> Result<Attribute, NotEncoded> {
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![Any::encode_from(value)?])? })
}

/// The same for the key and its certificate; OpenSSL, too, takes the digest of the certificate.
fn key_id(chain: &[&Certificate]) -> Result<OctetString, NotEncoded> {
    let leaf = chain.first().ok_or(NotEncoded)?;
    Ok(OctetString::new(Sha1::digest(leaf.der()).to_vec())?)
}

fn plain(content: &[u8]) -> Result<ContentInfo, NotEncoded> {
    Ok(ContentInfo { content_type: DATA, content: Any::encode_from(&OctetString::new(content)?)? })
}

fn encrypted(bags: &Vec<SafeBag>, parameters: &Parameters, password: &str) -> Result<ContentInfo, NotEncoded> {
    let enc_content_info = EncryptedContentInfo {
        content_type: DATA,
        content_enc_alg: AlgorithmIdentifierOwned { oid: pbes2::PBES2_OID, parameters: Some(Any::encode_from(parameters)?) },
        encrypted_content: Some(OctetString::new(parameters.encrypt(password, &bags.to_der()?)?)?),
    };
    let data = EncryptedData { version: CmsVersion::V0, enc_content_info, unprotected_attrs: None };
    Ok(ContentInfo { content_type: ENCRYPTED_DATA, content: Any::encode_from(&data)? })
}

/// Salt and IV of their own for each of the safes.
fn parameters(contents: &Contents<'_>, safe: &str) -> Result<Parameters, NotEncoded> {
    let salt = contents.salt(&format!("vaultmount PKCS #12 {safe} salt"));
    let iv = contents.salt(&format!("vaultmount PKCS #12 {safe} IV"));
    Ok(Parameters {
        kdf: Kdf::Pbkdf2(Pbkdf2Params::hmac_sha256(ROUNDS.into(), &salt)?),
        encryption: pbes2::EncryptionScheme::Aes256Cbc { iv: *iv.first_chunk().ok_or(NotEncoded)? },
    })
}

/// With the key derivation of RFC 7292, appendix B: Java 17 and OpenSSL 3.0 know no other for a MAC.
fn mac(safes: &[u8], salt: &[u8], password: &str) -> Result<MacData, NotEncoded> {
    let key = Zeroizing::new(derive_key_utf8::<Sha256>(password, salt, Pkcs12KeyType::Mac, ROUNDS.into(), 32)?);
    let mut mac = Hmac::<Sha256>::new_from_slice(&key)?;
    mac.update(safes);
    let algorithm = AlgorithmIdentifierOwned { oid: SHA256, parameters: Some(Any::encode_from(&Null)?) };
    let digest = OctetString::new(mac.finalize().into_bytes().to_vec())?;
    Ok(MacData { mac: DigestInfo { algorithm, digest }, mac_salt: OctetString::new(salt)?, iterations: ROUNDS.into() })
}
