//! Which proxy serves the configured address.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Url;

use super::Environment;
use super::SettingsError;
use crate::class::Flavor;
use crate::spec::Address;

impl Environment {
    /// The proxy of an operator's own calls to `address`.
    pub fn proxy_to(&self, address: &Address) -> Result<Option<Url>, SettingsError> {
        proxy(self, Flavor::Vault, address).map_err(SettingsError::Proxy)
    }
}

/// The proxy for `address`: the peers' own variables count before the common ones, and those not for what `NO_PROXY` names.
///
/// The error is the name of the variable that is no URL; its value may hold a password.
pub(crate) fn proxy(
    environment: &Environment,
    flavor: Flavor,
    address: &Address,
) -> Result<Option<Url>, String> {
    let Address::Http(server) = address else { return Ok(None) };
    if let Some((name, text)) =
        environment.of(flavor, "PROXY_ADDR").or_else(|| environment.of(flavor, "HTTP_PROXY"))
    {
        return parse(text).map(Some).ok_or(name);
    }
    let name = if server.scheme() == "https" { "HTTPS_PROXY" } else { "HTTP_PROXY" };
    match environment.plain(name) {
        Some(text) if !excepted(server, environment.plain("NO_PROXY").unwrap_or_default()) => {
            parse(text).map(Some).ok_or(name.into())
        }
        _ => Ok(None),
    }
}

/// As Go reads it: a proxy without a scheme is one of http.
fn parse(text: &str) -> Option<Url> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    Url::parse(&whole)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") && url.has_host())
}

/// True when `list` names the server (`*`, a host, a domain with its subdomains, an address or network, each maybe with a
/// port), and for this machine itself, always.
fn excepted(server: &Url, list: &str) -> bool {
    let host = server.host_str().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    let ip = host.parse::<IpAddr>().ok();
    let listed = |entry: &str| {
        let (name, port) = split_port(entry);
        let port = port.is_none_or(|port| Some(port) == server.port_or_known_default());
        let name = name.trim_start_matches("*.").to_ascii_lowercase();
        let network = entry.parse::<IpNet>().is_ok_and(|network| ip.is_some_and(|ip| network.contains(&ip)));
        let domain = name.trim_start_matches('.');
        let below = !domain.is_empty() && host.strip_suffix(domain).is_some_and(|front| front.ends_with('.'));
        network || (port && (name == "*" || (host == name && !name.is_empty()) || (ip.is_none() && below)))
    };
    host == "localhost" || ip.is_some_and(|ip| ip.is_loopback()) || list.split(',').map(str::trim).any(listed)
}

/// `host:443` -> `host` and 443; an IPv6 address keeps its colons.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => (name.trim_matches(['[', ']']), Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_excepts_what_go_excepts() {
        let excepted = |server: &str, list: &str| excepted(&Url::parse(server).unwrap(), list);
        let cases = [
            ("https://vault.example.com:8200", "vault.example.com", true),
            ("https://vault.example.com:8200", "example.com", true),
            ("https://vault.example.com:8200", ".example.com", true),
            ("https://vault.example.com:8200", "other.org, VAULT.example.com:8200", true),
            ("https://vault.example.com:8200", "vault.example.com:8201", false),
            ("https://example.com", ".example.com", false),
            ("https://vaultexample.com", "example.com", false),
            ("https://anything", "*", true),
            ("https://10.1.2.3:8200", "10.0.0.0/8", true),
            ("https://11.1.2.3:8200", "10.0.0.0/8", false),
            ("https://[fd00::1]:8200", "fd00::/8", true),
            ("https://[fd00::1]:8200", "[fd00::1]:8200", true),
            ("https://127.0.0.1:8200", "", true),
            ("http://localhost", "", true),
            ("https://vault", "", false),
            ("https://vault", " , ", false),
        ];
        for (server, list, expected) in cases {
            assert_eq!(excepted(server, list), expected, "{server} {list:?}");
        }
    }

    #[test]
    fn the_peers_own_proxy_counts_before_the_common_one() {
        let address: Address = "https://vault:8200".parse().unwrap();
        let of = |environment: Environment| {
            proxy(&environment, Flavor::Vault, &address).map(|proxy| proxy.map(|url| url.to_string()))
        };
        assert_eq!(
            of([
                ("VAULT_PROXY_ADDR", "http://a:1"),
                ("VAULT_HTTP_PROXY", "http://b:1"),
                ("HTTPS_PROXY", "http://c:1")
            ]
            .into()),
            Ok(Some("http://a:1/".into()))
        );
        assert_eq!(of([("https_proxy", "c:3128")].into()), Ok(Some("http://c:3128/".into())));
        assert_eq!(of([("HTTP_PROXY", "http://c:1")].into()), Ok(None), "the server has https");
        assert_eq!(of([("HTTPS_PROXY", "http://c:1"), ("NO_PROXY", "vault")].into()), Ok(None));
        assert_eq!(of([("BAO_HTTP_PROXY", "ftp://user:canary@b")].into()), Err("BAO_HTTP_PROXY".into()));
        assert_eq!(
            proxy(&[("HTTPS_PROXY", "http://c:1")].into(), Flavor::Vault, &"unix:///a".parse().unwrap()),
            Ok(None)
        );
    }
}
