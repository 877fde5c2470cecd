//! The leaf held against the names that were asked for.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};
use x509_parser::prelude::{GeneralName, X509Certificate};

use super::CertificateError;
use crate::spec::CertificateRequest;

/// The first name of `ask` that `leaf` does not carry, as an error. Names beyond those asked for are the role's affair.
pub(crate) fn check(ask: &CertificateRequest, leaf: &X509Certificate<'_>) -> Result<(), CertificateError> {
    let mut common_names = leaf.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    if !ask.common_name.is_empty() && !common_names.any(|name| same_name(&ask.common_name, name)) {
        return Err(CertificateError::OtherCommonName { name: ask.common_name.clone() });
    }
    let held = leaf.subject_alternative_name().ok().flatten();
    let held: &[GeneralName<'_>] = held.as_ref().map_or(&[], |names| &names.value.general_names);
    match missing(ask, held) {
        Some(name) => Err(CertificateError::NameMissing { name }),
        None => Ok(()),
    }
}

fn missing(ask: &CertificateRequest, held: &[GeneralName<'_>]) -> Option<String> {
    let lacks_name = |asked: &&String| !held.iter().any(|held| holds_name(asked, held));
    let lacks_address = |asked: &&IpAddr| !held.iter().any(|held| holds_address(asked, held));
    let lacks_uri = |asked: &&String| {
        !held.iter().any(|held| matches!(held, GeneralName::URI(uri) if same_uri(asked, uri)))
    };
    let name = ask.alt_names.iter().find(lacks_name).cloned();
    let address = || ask.ip_sans.iter().find(lacks_address).map(IpAddr::to_string);
    name.or_else(address).or_else(|| ask.uri_sans.iter().find(lacks_uri).cloned())
}

fn holds_name(asked: &str, held: &GeneralName<'_>) -> bool {
    match held {
        GeneralName::DNSName(name) => !asked.contains('@') && same_name(asked, name),
        GeneralName::RFC822Name(name) => asked.contains('@') && same_name(asked, name),
        _ => false,
    }
}

fn holds_address(asked: &IpAddr, held: &GeneralName<'_>) -> bool {
    let GeneralName::IPAddress(bytes) = held else { return false };
    let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| IpAddr::from(Ipv4Addr::from(bytes)));
    let v6 = <[u8; 16]>::try_from(*bytes).map(|bytes| IpAddr::from(Ipv6Addr::from(bytes)));
    // Go writes an IPv4 address that came as IPv6 in four bytes.
    v4.or(v6).is_ok_and(|held| held.to_canonical() == asked.to_canonical())
}

/// Names have no case, and Vault writes the international ones in ASCII.
fn same_name(asked: &str, held: &str) -> bool {
    asked.eq_ignore_ascii_case(held) || in_ascii(asked).eq_ignore_ascii_case(held)
}

/// Go normalises a URI when it parses it: its scheme, for one, becomes lowercase.
fn same_uri(asked: &str, held: &str) -> bool {
    asked == held || Url::parse(asked).is_ok_and(|asked| Url::parse(held) == Ok(asked))
}

/// An international DNS name in the letters of the DNS (RFC 5890); any other name as it is.
pub(crate) fn in_ascii(name: &str) -> Cow<'_, str> {
    match Host::parse(name) {
        Ok(Host::Domain(ascii)) if !name.is_ascii() => Cow::Owned(ascii),
        _ => Cow::Borrowed(name),
    }
}
