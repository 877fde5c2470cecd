//! Compares a leaf certificate with the requested names.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};
use x509_parser::prelude::{GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::CertificateError;
use crate::spec::{CertificateRequest, KeyAlgorithm, KeyType};

/// Fails with the first requested name that `leaf` does not have. Further names in `leaf` are allowed: they are up to the role.
pub(crate) fn check(
    request: &CertificateRequest,
    leaf: &X509Certificate<'_>,
) -> Result<(), CertificateError> {
    let mut common_names = leaf.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    if !request.common_name.is_empty() && !common_names.any(|name| same_name(&request.common_name, name)) {
        return Err(CertificateError::OtherCommonName { name: request.common_name.clone() });
    }
    let found = leaf.subject_alternative_name().ok().flatten();
    let found: &[GeneralName<'_>] = found.as_ref().map_or(&[], |names| &names.value.general_names);
    match missing(request, found) {
        Some(name) => Err(CertificateError::NameMissing { name }),
        None => check_options(request, leaf, found),
    }
}

/// The OIDs of the subject's `serialNumber` and `uid`.
const SERIAL_NUMBER: &str = "2.5.4.5";
const USER_ID: &str = "0.9.2342.19200300.100.1.1";

/// Fails with the first option of the request that `leaf`, whose SANs are `found`, does not have.
fn check_options(
    request: &CertificateRequest,
    leaf: &X509Certificate<'_>,
    found: &[GeneralName<'_>],
) -> Result<(), CertificateError> {
    let options = &request.options;
    let has = |oid: &str, text: &str| {
        let mut attributes = leaf.subject().iter_attributes();
        attributes
            .any(|attribute| attribute.attr_type().to_id_string() == oid && attribute.as_str() == Ok(text))
    };
    let serial = options.serial_number.iter().find(|number| !has(SERIAL_NUMBER, number));
    let user_id = || options.user_ids.iter().find(|id| !has(USER_ID, id));
    let other = || options.other_sans.iter().find(|name| !found.iter().any(|found| has_other(name, found)));
    if let Some(name) = serial.or_else(user_id).or_else(other) {
        return Err(CertificateError::NameMissing { name: name.clone() });
    }
    let name = &request.common_name;
    let is_requested = request.alt_names.iter().any(|alt_name| same_name(alt_name, name));
    if options.exclude_cn && !is_requested && found.iter().any(|found| has_name(name, found)) {
        return Err(CertificateError::NameNotExcluded { name: name.clone() });
    }
    match options.key_type {
        Some(kind) if !is_of_type(leaf, kind) => Err(CertificateError::OtherKeyType),
        _ => Ok(()),
    }
}

/// True if `found` is the name `<oid>;UTF8:<text>`.
fn has_other(requested: &str, found: &GeneralName<'_>) -> bool {
    let GeneralName::OtherName(oid, bytes) = found else { return false };
    let Some((requested_oid, value)) = requested.split_once(';') else { return false };
    let text = value.split_once(':').map_or(value, |(_, text)| text);
    oid.to_id_string() == requested_oid && bytes.ends_with(text.as_bytes())
}

/// True if the key of `leaf` has the type `kind`.
fn is_of_type(leaf: &X509Certificate<'_>, kind: KeyType) -> bool {
    let bits = usize::try_from(kind.bits()).ok();
    match (kind.algorithm(), leaf.public_key().parsed()) {
        (KeyAlgorithm::Rsa, Ok(PublicKey::RSA(key))) => Some(key.key_size()) == bits,
        (KeyAlgorithm::Ec, Ok(PublicKey::EC(point))) => Some(point.key_size()) == bits,
        (KeyAlgorithm::Ed25519, _) => leaf.public_key().algorithm.algorithm.to_id_string() == "1.3.101.112",
        _ => false,
    }
}

fn missing(request: &CertificateRequest, found: &[GeneralName<'_>]) -> Option<String> {
    let lacks_name = |requested: &&String| !found.iter().any(|found| has_name(requested, found));
    let lacks_address = |requested: &&IpAddr| !found.iter().any(|found| has_address(requested, found));
    let lacks_uri = |requested: &&String| {
        !found.iter().any(|found| matches!(found, GeneralName::URI(uri) if same_uri(requested, uri)))
    };
    let name = request.alt_names.iter().find(lacks_name).cloned();
    let address = || request.ip_sans.iter().find(lacks_address).map(IpAddr::to_string);
    name.or_else(address).or_else(|| request.uri_sans.iter().find(lacks_uri).cloned())
}

fn has_name(requested: &str, found: &GeneralName<'_>) -> bool {
    match found {
        GeneralName::DNSName(name) => !requested.contains('@') && same_name(requested, name),
        GeneralName::RFC822Name(name) => requested.contains('@') && same_name(requested, name),
        _ => false,
    }
}

fn has_address(requested: &IpAddr, found: &GeneralName<'_>) -> bool {
    let GeneralName::IPAddress(bytes) = found else { return false };
    let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| IpAddr::from(Ipv4Addr::from(bytes)));
    let v6 = <[u8; 16]>::try_from(*bytes).map(|bytes| IpAddr::from(Ipv6Addr::from(bytes)));
    // Go writes an IPv4-mapped IPv6 address in four bytes.
    v4.or(v6).is_ok_and(|found| found.to_canonical() == requested.to_canonical())
}

/// Names are compared without case, and Vault writes international names in ASCII.
fn same_name(requested: &str, found: &str) -> bool {
    requested.eq_ignore_ascii_case(found) || in_ascii(requested).eq_ignore_ascii_case(found)
}

/// Go normalises a URI when it parses it; for example its scheme becomes lowercase.
fn same_uri(requested: &str, found: &str) -> bool {
    requested == found || Url::parse(requested).is_ok_and(|requested| Url::parse(found) == Ok(requested))
}

/// An international DNS name in its ASCII form (RFC 5890); any other name unchanged.
pub(crate) fn in_ascii(name: &str) -> Cow<'_, str> {
    match Host::parse(name) {
        Ok(Host::Domain(ascii)) if !name.is_ascii() => Cow::Owned(ascii),
        _ => Cow::Borrowed(name),
    }
}
