//! Names -> the addresses that the policy allows.

use std::io;
use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use crate::vault::policy::Reach;

/// Resolves names and hands on only addresses that may be connected to: what was checked is what is connected, so a
/// name that changes its address between check and connection gains nothing.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    /// Which addresses may be connected to.
    pub(crate) reach: Reach,
    /// The host to resolve in place of the one asked for: how a server is asked for by another name than its address.
    pub(crate) instead: Option<String>,
}

/// A name of which no address may be connected to.
#[derive(Clone, Copy, Debug, Error)]
#[error("no address of that name may be connected to")]
pub(crate) struct NoAddressAllowed;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let host = resolver.instead.as_deref().unwrap_or(name.as_str());
            let found = addresses(host).await?;
            let admitted: Vec<_> =
                found.into_iter().filter(|address| resolver.reach.admits(address.ip())).collect();
            if admitted.is_empty() {
                Err(NoAddressAllowed.into())
            } else {
                Ok(Box::new(admitted.into_iter()) as Addrs)
            }
        })
    }
}

async fn addresses(host: &str) -> io::Result<Vec<SocketAddr>> {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => Ok(vec![(address, 0).into()]),
        // Port 0 is replaced by the URL's.
        Err(_) => Ok(tokio::net::lookup_host((host, 0)).await?.collect()),
    }
}
