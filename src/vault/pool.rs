//! One HTTP client per server and TLS setting, for the whole process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect;
use tokio::time::Instant;
use url::Url;

use super::error::VaultError;
use super::kv_hint::Mounts;
use super::login::Server;
use super::policy::{self, AllowedAddress};
use super::resolve::Resolver;
use super::tls::{self, Fingerprint};
use crate::config::spec::TlsSpec;
use crate::config::{Address, ServerSpec};

/// Life of a client's connections: a client is replaced after this and up to twice this, so that load spreads over
/// servers that came after it, and a connection that a middlebox forgot does not stay.
const LIFE: Duration = Duration::from_secs(300);
/// How long files are trusted to be unchanged before they are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Time to connect, TLS included.
const CONNECT: Duration = Duration::from_secs(3);
/// Servers and TLS settings held at a time: classes choose both, and must not fill the process.
const CLIENTS: usize = 128;

/// What the process allows of connections.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    /// `--allow-address`; empty lets a class choose.
    pub allowed: Vec<AllowedAddress>,
    /// A proxy for the process's own address, and for no other.
    pub proxy: Option<Url>,
}

/// All servers of the process; clones share them.
#[derive(Clone)]
pub struct Vaults {
    outbound: Arc<Outbound>,
    clients: Arc<Mutex<HashMap<Key, Pooled>>>,
    pub(super) mounts: Arc<Mounts>,
}

/// What connections of two mounts have in common; namespaces and identities are no part of it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    address: Address,
    configured: bool,
    tls: TlsSpec,
}

struct Pooled {
    client: reqwest::Client,
    files: Fingerprint,
    looked: Instant,
    ends: Instant,
}

impl Vaults {
    /// No connection yet.
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound: Arc::new(outbound), clients: Arc::default(), mounts: Arc::default() }
    }

    /// The server that `spec` asks for, when tokens may be sent there; connects when it is first called.
    pub fn server(&self, spec: &ServerSpec) -> Result<Server, VaultError> {
        let client = self.client(spec)?;
        Ok(Server { vaults: self.clone(), spec: spec.clone(), client })
    }

    /// The server at `origin`, to which `from` redirects: only one that the operator named.
    pub(super) fn redirected(&self, from: &ServerSpec, origin: &Url) -> Option<reqwest::Client> {
        let to = ServerSpec { address: Address::Http(origin.clone()), configured: false, ..from.clone() };
        policy::is_trusted(&to, &self.outbound.allowed).then(|| self.client(&to).ok())?
    }

    fn client(&self, spec: &ServerSpec) -> Result<reqwest::Client, VaultError> {
        let key = Key { address: spec.address.clone(), configured: spec.configured, tls: spec.tls.clone() };
        let now = Instant::now();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pooled) = clients.get_mut(&key)
            && pooled.is_current(&key.tls, now)
        {
            return Ok(pooled.client.clone());
        }
        let pooled = self.connect(spec, now)?;
        let client = pooled.client.clone();
        if clients.len() >= CLIENTS {
            clients.retain(|_, pooled| pooled.ends > now);
        }
        if clients.len() < CLIENTS || clients.contains_key(&key) {
            clients.insert(key, pooled);
        }
        Ok(client)
    }

    fn connect(&self, spec: &ServerSpec, now: Instant) -> Result<Pooled, VaultError> {
        let reach = policy::reach(spec, &self.outbound.allowed)?;
        self.check_client_certificate(spec)?;
        // Read before the files, so that a change in between is seen.
        let files = tls::fingerprint(&spec.tls);
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(concat!("vaultmount/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .tls_backend_preconfigured(tls::setting(&spec.tls)?)
            .dns_resolver(Resolver { reach, instead: instead(spec) });
        if let Address::Unix(socket) = &spec.address {
            builder = builder.unix_socket(socket.clone());
        }
        if let Some(proxy) = self.outbound.proxy.as_ref().filter(|_| spec.configured) {
            builder =
                builder.proxy(reqwest::Proxy::all(proxy.clone()).map_err(|_| VaultError::TlsSetting("the proxy cannot be used".into()))?);
        }
        let client = builder.build().map_err(|_| VaultError::TlsSetting("the HTTP client cannot be built".into()))?;
        Ok(Pooled { client, files, looked: now, ends: now + LIFE + LIFE.mul_f64(rand::random()) })
    }

    /// A client certificate is an identity of the node: it serves the servers that the operator named.
    fn check_client_certificate(&self, spec: &ServerSpec) -> Result<(), VaultError> {
        if spec.tls.client.is_none() || policy::is_trusted(spec, &self.outbound.allowed) {
            return Ok(());
        }
        Err(VaultError::AddressRefused(format!(
            "a client certificate is not shown to {}, which is not listed in --allow-address",
            spec.address
        )))
    }
}

impl Pooled {
    /// True while it may serve: young enough, and its files are the same.
    fn is_current(&mut self, tls: &TlsSpec, now: Instant) -> bool {
        if now >= self.ends {
            return false;
        }
        if now >= self.looked + LOOK_AGAIN {
            self.looked = now;
            return self.files == tls::fingerprint(tls);
        }
        true
    }
}

/// Where to look for a server that is asked for by another name: rustls takes the name to send and to check from the
/// URL, so the URL holds that name and the resolver looks the address's host up in its place.
fn instead(spec: &ServerSpec) -> Option<String> {
    match (&spec.address, &spec.tls.server_name) {
        (Address::Http(url), Some(_)) => url.host_str().map(str::to_owned),
        _ => None,
    }
}

/// The URL below which `spec`'s API lies, ending in `/`.
pub(super) fn base(spec: &ServerSpec) -> Result<Url, VaultError> {
    let wrong = || VaultError::TlsSetting(format!("{} cannot be asked under that server name", spec.address));
    let mut url = match &spec.address {
        Address::Http(url) => url.clone(),
        Address::Unix(_) => Url::parse("http://localhost/").map_err(|_| wrong())?,
    };
    if let (Address::Http(_), Some(name)) = (&spec.address, &spec.tls.server_name) {
        url.set_host(Some(name)).map_err(|_| wrong())?;
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}
