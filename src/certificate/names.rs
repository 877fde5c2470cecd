//! Compares a leaf certificate with the requested names.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};
use x509_parser::prelude::{GeneralName, X509Certificate};

use super::CertificateError;
use crate::spec::CertificateRequest;

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
        None => Ok(()),
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
