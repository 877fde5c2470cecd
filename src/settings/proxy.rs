//! The proxy for the default server.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Url;

use super::{Environment, SettingsError};
use crate::spec::{Address, Flavor};

impl Environment {
    /// The proxy for the requests of an operator's command to `address`.
    pub(crate) fn proxy_to(&self, address: &Address) -> Result<Option<Url>, SettingsError> {
        proxy(self, Flavor::Vault, address).map_err(SettingsError::Proxy)
    }
}

/// The proxy for `address`. The variables of the upstream providers have priority; the common variables do not apply to the hosts in `NO_PROXY`.
///
/// The error is the name of the variable that is not a URL. Its value may contain a password.
pub(crate) fn proxy(
    environment: &Environment,
    flavor: Flavor,
    address: &Address,
) -> Result<Option<Url>, String> {
    let Address::Http(server) = address else { return Ok(None) };
    if let Some((name, text)) =
        environment.prefixed(flavor, "PROXY_ADDR").or_else(|| environment.prefixed(flavor, "HTTP_PROXY"))
    {
        return parse(text).map(Some).ok_or(name);
    }
    let name = if server.scheme() == "https" { "HTTPS_PROXY" } else { "HTTP_PROXY" };
    match environment.plain(name) {
        Some(text) if !is_excluded(server, environment.plain("NO_PROXY").unwrap_or_default()) => {
            parse(text).map(Some).ok_or(name.into())
        }
        _ => Ok(None),
    }
}

/// Parses the URL of a proxy as Go does: without a scheme it is an http proxy.
fn parse(text: &str) -> Option<Url> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    Url::parse(&whole)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") && url.has_host())
}

/// True if `list` contains the server: `*`, a host, a domain with its subdomains, an address or a network, each with or without a port. Always true
/// for the machine itself.
fn is_excluded(server: &Url, list: &str) -> bool {
    let host = server.host_str().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    let ip = host.parse::<IpAddr>().ok();
    let listed = |entry: &str| {
        let (name, port) = split_port(entry);
        let port = port.is_none_or(|port| Some(port) == server.port_or_known_default());
        let name = name.trim_start_matches("*.").to_ascii_lowercase();
        let network = entry.parse::<IpNet>().is_ok_and(|network| ip.is_some_and(|ip| network.contains(&ip)));
        let domain = name.trim_start_matches('.');
        let below =
            !domain.is_empty() && host.strip_suffix(domain).is_some_and(|prefix| prefix.ends_with('.'));
        network || (port && (name == "*" || (host == name && !name.is_empty()) || (ip.is_none() && below)))
    };
    host == "localhost" || ip.is_some_and(|ip| ip.is_loopback()) || list.split(',').map(str::trim).any(listed)
}

/// `host:443` -> `host` and 443. An IPv6 address is not split at its colons.
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
    fn no_proxy_excludes_the_same_hosts_as_go() {
        let is_excluded = |server: &str, list: &str| is_excluded(&Url::parse(server).unwrap(), list);
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
            assert_eq!(is_excluded(server, list), expected, "{server} {list:?}");
        }
    }

    #[test]
    fn the_proxy_of_vaults_own_variables_has_priority() {
        let address: Address = "https://vault:8200".parse().unwrap();
        let proxy_of = |environment: Environment| {
            proxy(&environment, Flavor::Vault, &address).map(|proxy| proxy.map(|url| url.to_string()))
        };
        assert_eq!(
            proxy_of(
                [
                    ("VAULT_PROXY_ADDR", "http://a:1"),
                    ("VAULT_HTTP_PROXY", "http://b:1"),
                    ("HTTPS_PROXY", "http://c:1")
                ]
                .into()
            ),
            Ok(Some("http://a:1/".into()))
        );
        assert_eq!(proxy_of([("https_proxy", "c:3128")].into()), Ok(Some("http://c:3128/".into())));
        assert_eq!(proxy_of([("HTTP_PROXY", "http://c:1")].into()), Ok(None), "the server has https");
        assert_eq!(proxy_of([("HTTPS_PROXY", "http://c:1"), ("NO_PROXY", "vault")].into()), Ok(None));
        assert_eq!(
            proxy_of([("BAO_HTTP_PROXY", "ftp://user:canary@b")].into()),
            Err("BAO_HTTP_PROXY".into())
        );
        assert_eq!(
            proxy(&[("HTTPS_PROXY", "http://c:1")].into(), Flavor::Vault, &"unix:///a".parse().unwrap()),
            Ok(None)
        );
    }
}
