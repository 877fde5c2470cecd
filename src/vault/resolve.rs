//! Resolves host names, and returns only addresses that the policy allows.

use std::io;
use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use crate::vault::policy::Reach;

/// A resolver that returns only allowed addresses. The addresses that are checked are those that are connected to, so a name that changes its
/// address between check and connection cannot bypass the policy.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    /// The addresses that are allowed.
    pub(crate) reach: Reach,
    /// The host to resolve in place of the URL's, for a server with a TLS server name.
    pub(crate) host: Option<String>,
}

/// A host name without an allowed address.
#[derive(Clone, Copy, Debug, Error)]
#[error("none of the addresses of the host name may be connected to; see --allow-address")]
pub(crate) struct NoAddressAllowed;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let host = resolver.host.as_deref().unwrap_or(name.as_str());
            let resolved = addresses(host).await?;
            let allowed: Vec<_> =
                resolved.into_iter().filter(|address| resolver.reach.allows(address.ip())).collect();
            if allowed.is_empty() {
                Err(NoAddressAllowed.into())
            } else {
                Ok(Box::new(allowed.into_iter()) as Addrs)
            }
        })
    }
}

async fn addresses(host: &str) -> io::Result<Vec<SocketAddr>> {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => Ok(vec![(address, 0).into()]),
        // reqwest replaces port 0 by the URL's.
        Err(_) => Ok(tokio::net::lookup_host((host, 0)).await?.collect()),
    }
}
