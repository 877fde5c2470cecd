//! PKCS #12 (RFC 7292) as OpenSSL since 1.1 and Java since 8u301 read it: AES-256-CBC with PBKDF2 and HMAC-SHA-256.
//!
//! The DER is written here because `p12-keystore` uses random salts and `pkcs12` has no stable release for the current `der`.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ring::hmac;
use rsa::pkcs8::EncryptedPrivateKeyInfoOwned;
use rsa::pkcs8::der::asn1::{Any, BmpString, Null, ObjectIdentifier, OctetString, SetOfVec};
use rsa::pkcs8::der::{Encode, EncodeValue, Tag, TagNumber, Tagged};
use rsa::pkcs8::pkcs5::EncryptionScheme;
use rsa::pkcs8::pkcs5::pbes2::{self, Kdf, Parameters, Pbkdf2Params};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Contents;
use crate::certificate::x509::Certificate;
use crate::secret::Secret;

/// Version of the PFX format.
const VERSION: u8 = 3;
/// Rounds of PBKDF2 and of the MAC's key: Java's default. Passwords come from Vault and are not chosen by people.
const ROUNDS: u16 = 10_000;

/// Unencrypted and encrypted content (RFC 5652).
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
/// Kinds of bags: an encrypted key, a certificate, and the kind X.509 of the certificate.
const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERTIFICATE_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const X509: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");
/// Attributes: the entry's name, and the id that connects a key with its certificate (RFC 2985).
const FRIENDLY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.20");
const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");
/// Oracle's attribute of a trusted certificate, without which Java finds no entry, and its value for any purpose (RFC 5280).
const TRUSTED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113894.746875.1.1");
const ANY_PURPOSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
/// SHA-256 (RFC 8017).
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// An encoder failed. Its error is dropped, because it may quote the encoded bytes.
pub(crate) struct NotEncoded;

impl<E: std::error::Error> From<E> for NotEncoded {
    fn from(_: E) -> Self {
        Self
    }
}

/// The keystore as a PFX (RFC 7292, section 4).
pub(crate) fn write(contents: &Contents<'_>, alias: &str, password: &str) -> Result<Secret, NotEncoded> {
    let name = attribute(FRIENDLY_NAME, &BmpString::from_utf8(alias)?)?;
    let safes = match contents {
        Contents::Identity { key, chain } => {
            let names = SetOfVec::try_from(vec![name, attribute(LOCAL_KEY_ID, &key_id(chain)?)?])?;
            let bags = chain
                .iter()
                .enumerate()
                .map(|(index, ca)| certificate_bag(ca, (index == 0).then_some(&names)));
            let certificates =
                encrypted(bags.collect::<Result<_, _>>()?, &parameters(contents, "certificates")?, password)?;
            let key = key_bag(key, &names, &parameters(contents, "key")?, password)?;
            vec![certificates, plain(&vec![key].to_der()?)?]
        }
        Contents::Trusted(ca) => {
            let attributes = SetOfVec::try_from(vec![name, attribute(TRUSTED_KEY_USAGE, &ANY_PURPOSE)?])?;
            vec![encrypted(
                vec![certificate_bag(ca, Some(&attributes))?],
                &parameters(contents, "certificates")?,
                password,
            )?]
        }
    };
    let safes = safes.to_der()?;
    let mac = mac(&safes, &contents.salt("vaultmount PKCS #12 MAC"), password)?;
    Ok(Secret::from(vec![any(&VERSION)?, plain(&safes)?, mac].to_der()?))
}

fn certificate_bag(certificate: &Certificate, attributes: Option<&SetOfVec<Any>>) -> Result<Any, NotEncoded> {
    let value = sequence(vec![any(&X509)?, explicit(&octets(certificate.der())?)?])?;
    bag(CERTIFICATE_BAG, &value, attributes)
}

fn key_bag(
    key: &[u8],
    names: &SetOfVec<Any>,
    parameters: &Parameters,
    password: &str,
) -> Result<Any, NotEncoded> {
    let encrypted_data = OctetString::new(parameters.encrypt(password, key)?)?;
    let encryption_algorithm = EncryptionScheme::from(parameters.clone());
    bag(KEY_BAG, &any(&EncryptedPrivateKeyInfoOwned { encryption_algorithm, encrypted_data })?, Some(names))
}

/// A SafeBag (RFC 7292, section 4.2).
fn bag(kind: ObjectIdentifier, value: &Any, attributes: Option<&SetOfVec<Any>>) -> Result<Any, NotEncoded> {
    let mut parts = vec![any(&kind)?, explicit(value)?];
    parts.extend(attributes.map(any).transpose()?);
    sequence(parts)
}

fn attribute(oid: ObjectIdentifier, value: &(impl EncodeValue + Tagged)) -> Result<Any, NotEncoded> {
    sequence(vec![any(&oid)?, any(&SetOfVec::try_from(vec![any(value)?])?)?])
}

/// The id of the key and its certificate: the digest of the certificate, as in OpenSSL.
fn key_id(chain: &[&Certificate]) -> Result<OctetString, NotEncoded> {
    let leaf = chain.first().ok_or(NotEncoded)?;
    Ok(OctetString::new(digest(&SHA1_FOR_LEGACY_USE_ONLY, leaf.der()).as_ref())?)
}

fn plain(content: &[u8]) -> Result<Any, NotEncoded> {
    content_info(DATA, &octets(content)?)
}

fn encrypted(bags: Vec<Any>, parameters: &Parameters, password: &str) -> Result<Any, NotEncoded> {
    let algorithm = sequence(vec![any(&pbes2::PBES2_OID)?, any(parameters)?])?;
    let encrypted = Any::new(context_specific(false), parameters.encrypt(password, &bags.to_der()?)?)?;
    let content = sequence(vec![any(&DATA)?, algorithm, encrypted])?;
    content_info(ENCRYPTED_DATA, &sequence(vec![any(&0_u8)?, content])?)
}

/// A ContentInfo (RFC 5652).
fn content_info(kind: ObjectIdentifier, content: &Any) -> Result<Any, NotEncoded> {
    sequence(vec![any(&kind)?, explicit(content)?])
}

/// Encryption parameters of the safe `safe`, with its own salt and IV.
fn parameters(contents: &Contents<'_>, safe: &str) -> Result<Parameters, NotEncoded> {
    let salt = contents.salt(&format!("vaultmount PKCS #12 {safe} salt"));
    let iv = contents.salt(&format!("vaultmount PKCS #12 {safe} IV"));
    Ok(Parameters {
        kdf: Kdf::Pbkdf2(Pbkdf2Params::hmac_sha256(ROUNDS.into(), &salt)?),
        encryption: pbes2::EncryptionScheme::Aes256Cbc { iv: *iv.first_chunk().ok_or(NotEncoded)? },
    })
}

/// MacData (RFC 7292, section 4).
fn mac(safes: &[u8], salt: &[u8], password: &str) -> Result<Any, NotEncoded> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &*mac_key(salt, password));
    let algorithm = sequence(vec![any(&SHA256)?, any(&Null)?])?;
    let digest = sequence(vec![algorithm, octets(hmac::sign(&key, safes).as_ref())?])?;
    sequence(vec![digest, octets(salt)?, any(&ROUNDS)?])
}

/// Key derivation of RFC 7292, appendix B.2: Java 17 and OpenSSL 3.0 support no other for a MAC. The key has the length of one digest, so one
/// block is enough.
fn mac_key(salt: &[u8], password: &str) -> Zeroizing<[u8; 32]> {
    /// Purpose of the derived bytes: a MAC.
    const ID: u8 = 3;
    /// Block length of SHA-256 in bytes.
    const BLOCK: usize = 64;
    let password: Zeroizing<Vec<u8>> =
        Zeroizing::new(password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect());
    let mut text = Zeroizing::new(vec![ID; BLOCK]);
    for part in [salt, &password] {
        text.extend(part.iter().cycle().take(part.len().next_multiple_of(BLOCK)));
    }
    let mut key: Zeroizing<[u8; 32]> = Zeroizing::new(Sha256::digest(&text).into());
    for _ in 1..ROUNDS {
        *key = Sha256::digest(key.as_slice()).into();
    }
    key
}

fn any(value: &(impl EncodeValue + Tagged)) -> Result<Any, NotEncoded> {
    Ok(Any::encode_from(value)?)
}

fn sequence(parts: Vec<Any>) -> Result<Any, NotEncoded> {
    any(&parts)
}

fn octets(bytes: &[u8]) -> Result<Any, NotEncoded> {
    any(&OctetString::new(bytes)?)
}

fn explicit(value: &Any) -> Result<Any, NotEncoded> {
    Ok(Any::new(context_specific(true), value.to_der()?)?)
}

fn context_specific(constructed: bool) -> Tag {
    Tag::ContextSpecific { constructed, number: TagNumber(0) }
}
