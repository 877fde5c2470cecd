//! JKS, version 2, as `sun.security.provider.JavaKeyStore` reads it. Its protection is weak, a single SHA-1 over the password: use it only for
//! programs that read no other format.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use rsa::pkcs8::AlgorithmIdentifierRef;
use rsa::pkcs8::der::asn1::{Any, AnyRef, ObjectIdentifier};
use rsa::pkcs8::der::{Encode, Tag};
use zeroize::Zeroizing;

use super::Contents;
use crate::certificate::x509::Certificate;
use crate::secret::Secret;

const MAGIC: u32 = 0xFEED_FEED;
const KEY_ENTRY: u32 = 1;
const TRUSTED_ENTRY: u32 = 2;

/// Java's algorithm for keys in a JKS.
const KEY_PROTECTOR: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.42.2.17.1.1");

/// Constant that Java includes in the digest over the whole store.
const WHITENER: &[u8] = b"Mighty Aphrodite";

const SHA1_BYTES: usize = 20;

/// The keystore; `None` if a length does not fit into its field. Aliases are lowercase, because Java looks them up in lowercase.
pub(crate) fn write(contents: &Contents<'_>, alias: &str, password: &str) -> Option<Secret> {
    let password = utf16(password);
    let mut store = Store::default();
    // Version 2, one entry.
    [MAGIC, 2, 1].into_iter().for_each(|number| store.number(number));
    match contents {
        Contents::Identity { key, chain } => {
            store.start_entry(KEY_ENTRY, alias, chain.first()?)?;
            let salt = contents.salt("vaultmount JKS key");
            store.long(&protected(key, &password, salt.first_chunk()?)?)?;
            store.number(u32::try_from(chain.len()).ok()?);
            chain.iter().try_for_each(|certificate| store.certificate(certificate))?;
        }
        Contents::Trusted(ca) => {
            store.start_entry(TRUSTED_ENTRY, alias, ca)?;
            store.certificate(ca)?;
        }
    }
    let digest = sha1(&[&password, WHITENER, &store.0])?;
    store.0.extend_from_slice(&digest);
    Some(Secret::from(store.0))
}

/// The file so far; numbers are big-endian. It contains no unencrypted secret.
#[derive(Default)]
struct Store(Vec<u8>);

impl Store {
    /// Writes tag, alias and date (in milliseconds). The date is the start of the certificate's validity, because this module has no clock.
    fn start_entry(&mut self, tag: u32, alias: &str, dated: &Certificate) -> Option<()> {
        self.number(tag);
        self.short(alias.to_lowercase().as_bytes())?;
        self.0.extend_from_slice(&dated.not_before.saturating_mul(1000).to_be_bytes());
        Some(())
    }

    fn certificate(&mut self, certificate: &Certificate) -> Option<()> {
        self.short(b"X.509")?;
        self.long(certificate.der())
    }

    fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn short(&mut self, bytes: &[u8]) -> Option<()> {
        self.0.extend_from_slice(&u16::try_from(bytes.len()).ok()?.to_be_bytes());
        self.0.extend_from_slice(bytes);
        Some(())
    }

    fn long(&mut self, bytes: &[u8]) -> Option<()> {
        self.number(u32::try_from(bytes.len()).ok()?);
        self.0.extend_from_slice(bytes);
        Some(())
    }
}

/// EncryptedPrivateKeyInfo (RFC 5958) with Java's encryption: salt, then the key XORed with a chain of digests that starts with the salt,
/// then the digest of password and key.
fn protected(key: &[u8], password: &[u8], salt: &[u8; SHA1_BYTES]) -> Option<Vec<u8>> {
    let mut encrypted = salt.to_vec();
    let mut pad = Zeroizing::new(*salt);
    for block in key.chunks(SHA1_BYTES) {
        *pad = sha1(&[password, &*pad])?;
        encrypted.extend(block.iter().zip(&*pad).map(|(byte, pad)| byte ^ pad));
    }
    encrypted.extend_from_slice(&sha1(&[password, key])?);
    let algorithm = AlgorithmIdentifierRef { oid: KEY_PROTECTOR, parameters: Some(AnyRef::NULL) };
    vec![Any::encode_from(&algorithm).ok()?, Any::new(Tag::OctetString, encrypted).ok()?].to_der().ok()
}

fn sha1(parts: &[&[u8]]) -> Option<[u8; SHA1_BYTES]> {
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| digest.update(part));
    digest.finish().as_ref().first_chunk().copied()
}

fn utf16(password: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(password.encode_utf16().flat_map(u16::to_be_bytes).collect())
}
