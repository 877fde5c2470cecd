//! The address policy: the servers that tokens may be sent to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use thiserror::Error;
use url::{Host, Url};

use super::VaultError;
use crate::spec::{Address, ServerSpec};

/// One `--allow-address`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AllowedAddress {
    /// Scheme, host and port: `https://vault.example:8200`.
    Origin(Url),
    /// A host at any port: `vault.example`.
    Host(String),
    /// Hosts whose addresses all lie in a network: `10.1.0.0/16`, `10.1.2.3`.
    Network(IpNet),
    /// A unix socket: `unix:///run/agent.sock`.
    Socket(PathBuf),
}

/// A text that is not an address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not an address: use an origin (https://vault.example:8200), a host, a network (10.1.0.0/16) or unix:///path"
)]
pub(crate) struct NotAnAddress(String);

impl FromStr for AllowedAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let wrong = || NotAnAddress(text.to_owned());
        if let Some(path) = text.strip_prefix("unix://") {
            return Ok(Self::Socket(path.into()));
        }
        if text.contains("://") {
            let url = Url::parse(text).map_err(|_| wrong())?;
            return if matches!(url.scheme(), "http" | "https") && url.has_host() {
                Ok(Self::Origin(url))
            } else {
                Err(wrong())
            };
        }
        if let Ok(network) = text.parse() {
            return Ok(Self::Network(network));
        }
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        match Host::parse(text) {
            Ok(Host::Domain(name)) => Ok(Self::Host(name)),
            _ => Err(wrong()),
        }
    }
}

/// The IP addresses of a server that may be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All: the operator listed this server.
    Anywhere,
    /// The addresses in one of the listed networks.
    Within(Vec<IpNet>),
    /// All addresses except those that no class may name.
    Outside,
}

impl Reach {
    /// True if `address` may be connected to.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Within(networks) => networks.iter().any(|network| network.contains(&address)),
            Self::Outside => !is_forbidden(address),
        }
    }
}

/// The addresses of `server` that tokens may be sent to. If `allowed` is empty, a class may name any server outside the node.
///
/// # Errors
/// If tokens may not be sent to `server` at all.
pub(crate) fn reach(server: &ServerSpec, allowed: &[AllowedAddress]) -> Result<Reach, VaultError> {
    if is_trusted(server, allowed) {
        return Ok(Reach::Anywhere);
    }
    let refused =
        |why: &str| VaultError::AddressRefused(format!("address {} is refused: {why}", server.address));
    let Address::Http(url) = &server.address else {
        return Err(refused("a unix socket must be listed in --allow-address"));
    };
    let networks: Vec<_> = allowed.iter().filter_map(network).collect();
    let (reach, why) = match (allowed.is_empty(), networks.is_empty()) {
        (true, _) => {
            (Reach::Outside, "no class may name a loopback, link-local, multicast or metadata address")
        }
        (false, true) => return Err(refused("it is not listed in --allow-address")),
        (false, false) => (Reach::Within(networks), "it is not listed in --allow-address"),
    };
    match literal(url) {
        Some(address) if !reach.allows(address) => Err(refused(why)),
        _ => Ok(reach),
    }
}

/// True if the operator listed this server: as the process's own address, or in the list by origin, host, single IP address or socket.
pub(crate) fn is_trusted(server: &ServerSpec, allowed: &[AllowedAddress]) -> bool {
    server.configured || allowed.iter().any(|entry| names(entry, &server.address))
}

fn names(entry: &AllowedAddress, address: &Address) -> bool {
    match (entry, address) {
        (AllowedAddress::Origin(origin), Address::Http(url)) => origin.origin() == url.origin(),
        (AllowedAddress::Host(name), Address::Http(url)) => url.host_str() == Some(name),
        (AllowedAddress::Network(network), Address::Http(url)) => literal(url).is_some_and(|address| {
            network.prefix_len() == network.max_prefix_len() && network.contains(&address)
        }),
        (AllowedAddress::Socket(path), Address::Unix(socket)) => path == socket,
        _ => false,
    }
}

fn network(entry: &AllowedAddress) -> Option<IpNet> {
    if let AllowedAddress::Network(network) = entry { Some(*network) } else { None }
}

/// The IP address in `url`, if it has one instead of a host name. The client does not resolve it.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// True for addresses of the node itself, of its local link, and of the metadata services of clouds: a class must not reach them through a process
/// on the node.
fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_forbidden_v4(address),
        IpAddr::V6(address) => embedded_v4(address).map_or_else(|| is_forbidden_v6(address), is_forbidden_v4),
    }
}

fn is_forbidden_v4(address: Ipv4Addr) -> bool {
    /// Alibaba's and Oracle's metadata services, which are not link-local.
    const METADATA: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
    let this_host = address.octets()[0] == 0;
    this_host
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || METADATA.contains(&address)
}

fn is_forbidden_v6(address: Ipv6Addr) -> bool {
    /// Amazon's metadata service.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    address.is_unspecified()
        || address.is_loopback()
        || address.is_unicast_link_local()
        || address.is_multicast()
        || address == METADATA
}

/// The IPv4 address that is embedded in an IPv6 address: mapped (`::ffff:a.b.c.d`), compatible (`::a.b.c.d`) or by NAT64 (`64:ff9b::a.b.c.d`, RFC 6052).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [head @ .., high, low] = address.segments();
    let embeds =
        matches!(head, [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0]) || (head == [0; 6] && high != 0);
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    embeds.then(|| Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::TlsSpec;

    fn reaches(address: &str, configured: bool, allowed: &[&str]) -> Result<Reach, VaultError> {
        let address = address
            .strip_prefix("unix://")
            .map_or_else(|| Address::Http(address.parse().unwrap()), |path| Address::Unix(path.into()));
        let server = ServerSpec { address, configured, namespace: None, tls: TlsSpec::default() };
        let allowed: Vec<_> = allowed.iter().map(|entry| entry.parse().unwrap()).collect();
        reach(&server, &allowed)
    }

    #[test]
    fn a_class_never_reaches_the_node_its_link_or_a_metadata_service() {
        let never = [
            "http://127.0.0.1:8200",
            "http://0x7f.1",
            "http://2130706433",
            "http://[::1]:8200",
            "http://169.254.169.254",
            "http://[fe80::1]",
            "http://[::ffff:127.0.0.1]",
            "http://[64:ff9b::a9fe:a9fe]",
            "http://[::7f00:1]",
            "http://0.0.0.0",
            "http://[::]",
            "http://224.0.0.1",
            "http://100.100.100.200",
            "http://192.0.0.192",
            "http://[fd00:ec2::254]",
            "http://255.255.255.255",
            "unix:///run/containerd.sock",
        ];
        for address in never {
            assert_eq!(
                reaches(address, false, &[]).unwrap_err().reason(),
                crate::error::Reason::AddressRefused,
                "{address}"
            );
        }
        assert_eq!(reaches("http://127.0.0.1:8200", true, &[]), Ok(Reach::Anywhere), "the process's own");
        assert_eq!(reaches("http://10.1.2.3:8200", false, &[]), Ok(Reach::Outside));
    }

    #[test]
    fn with_a_list_only_what_it_names_is_reached() {
        let allowed = ["https://vault.example:8200", "agent", "10.1.0.0/16", "unix:///run/agent.sock"];
        for address in ["https://vault.example:8200", "http://agent:1", "unix:///run/agent.sock"] {
            assert_eq!(reaches(address, false, &allowed), Ok(Reach::Anywhere), "{address}");
        }
        assert!(matches!(reaches("http://10.1.2.3", false, &allowed), Ok(Reach::Within(_))));
        assert!(
            matches!(reaches("https://elsewhere", false, &allowed), Ok(Reach::Within(_))),
            "decided when its addresses are known"
        );
        for address in ["http://10.2.0.1", "http://127.0.0.1", "unix:///run/other.sock"] {
            assert!(reaches(address, false, &allowed).is_err(), "{address}");
        }
        assert!(
            reaches("http://vault.example:8200", false, &["https://vault.example:8200"]).is_err(),
            "another scheme"
        );
    }

    #[test]
    fn a_host_name_is_allowed_by_its_addresses() {
        assert!(
            !Reach::Outside.allows("169.254.169.254".parse().unwrap())
                && Reach::Outside.allows("10.0.0.1".parse().unwrap())
        );
        let within = Reach::Within(vec!["10.1.0.0/16".parse().unwrap()]);
        assert!(within.allows("10.1.9.9".parse().unwrap()) && !within.allows("10.2.0.1".parse().unwrap()));
    }

    #[test]
    fn a_text_that_is_not_an_address_is_refused() {
        for text in ["", "ftp://x", "https://", "a b", "10.0.0.0/40"] {
            assert!(text.parse::<AllowedAddress>().is_err(), "{text:?}");
        }
    }
}
