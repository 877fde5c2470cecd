//! One HTTP client per server and TLS setting, for the whole process.

use crate::mutex::Mutex;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect;
use tokio::time::Instant;
use url::{Host, Url};

use super::ClassFiles;
use super::Server;
use super::VaultError;
use super::tls;
use super::{AllowedAddress, policy};
use crate::spec::TlsSpec;
use crate::spec::{Address, AuthMounts, ServerSpec};
use crate::vault::kv_hint::Mounts;
use crate::vault::resolve::Resolver;
use crate::vault::tls::Fingerprint;
use crate::vault::upstream::Upstream;

/// Life of a client's connections: a client is replaced after this and up to twice this, so that load spreads over
/// servers that came after it, and a connection that a middlebox forgot does not stay.
const LIFE: Duration = Duration::from_secs(300);
/// How long files are trusted to be unchanged before they are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Time to connect, TLS included.
const CONNECT: Duration = Duration::from_secs(3);
/// Time between pings of an HTTP/2 connection with calls on it, and for their answer: together less than a call waits for
/// its first byte, so that a dead connection is gone when the call is tried again.
const PING: Duration = Duration::from_secs(4);
/// Servers and TLS settings held at a time: classes choose both, and must not fill the process.
const CLIENTS: usize = 128;

/// Calls on their way to one server where the process does not say: two mounts of the largest kind.
const CALLS: usize = 64;

/// What the process allows of connections.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    /// `--allow-address`; empty lets a class choose.
    pub allowed: Vec<AllowedAddress>,
    /// A proxy for the process's own address, and for no other.
    pub proxy: Option<Url>,
    /// Calls on their way to one server at a time; further ones wait.
    pub calls: Option<NonZeroUsize>,
    /// The auth mounts that the operator named.
    pub auth_mounts: AuthMounts,
    /// Which certificate files a class may name; `None` where no class is read and every file is the operator's choice.
    pub class_files: Option<ClassFiles>,
}

impl Outbound {
    fn calls(&self) -> usize {
        self.calls.map_or(CALLS, NonZeroUsize::get)
    }
}

/// All servers of the process; clones share them.
#[derive(Clone)]
pub struct Vaults {
    pub(crate) outbound: Arc<Outbound>,
    clients: Arc<Mutex<HashMap<Key, Pooled>>>,
    pub(crate) mounts: Arc<Mounts>,
}

/// What connections of two mounts have in common; namespaces and identities are no part of it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    address: Address,
    configured: bool,
    tls: TlsSpec,
}

/// How one server is reached.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) client: reqwest::Client,
    /// The URL below which its API lies, ending in `/`.
    pub(crate) base: Url,
    /// What outlives the connections.
    pub(crate) place: Arc<Upstream>,
}

struct Pooled {
    link: Link,
    /// As used, which is not always as asked for.
    tls: TlsSpec,
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
        self.link(spec)?;
        Ok(Server { vaults: self.clone(), spec: Arc::new(spec.clone()) })
    }

    /// A client for the server of `url`, to which `from` redirects: only one that the operator listed. Without a list there
    /// is none, for then a server that a class chose would choose the next one.
    pub(crate) fn redirected(&self, from: &ServerSpec, url: &Url) -> Option<reqwest::Client> {
        let allowed = &self.outbound.allowed;
        // The origin alone: a pool for every path would be none.
        let origin = url.origin().ascii_serialization().parse().ok()?;
        let to = ServerSpec { address: Address::Http(origin), configured: false, ..from.clone() };
        if allowed.is_empty() || policy::reach(&to, allowed).is_err() {
            return None;
        }
        // What the process's own server may use, its other nodes may when the operator named them.
        let configured = from.configured && policy::is_trusted(&to, allowed);
        self.link(&ServerSpec { configured, ..to }).ok().map(|link| link.client)
    }

    /// The connections to `spec`, of now: they are made anew when they grow old, or their files change.
    pub(crate) fn link(&self, spec: &ServerSpec) -> Result<Link, VaultError> {
        let key = Key { address: spec.address.clone(), configured: spec.configured, tls: spec.tls.clone() };
        let now = Instant::now();
        let mut clients = self.clients.lock();
        if let Some(pooled) = clients.get_mut(&key)
            && pooled.is_current(now, self.outbound.class_files.as_ref())
        {
            return Ok(pooled.link.clone());
        }
        let place = clients.get(&key).map(|pooled| Arc::clone(&pooled.link.place));
        let place =
            place.unwrap_or_else(|| Arc::new(Upstream::new(spec.address.to_string(), self.outbound.calls())));
        let pooled = self.connect(spec, place, now)?;
        let link = pooled.link.clone();
        if clients.len() >= CLIENTS && !clients.contains_key(&key) {
            make_room(&mut clients);
        }
        clients.insert(key, pooled);
        Ok(link)
    }

    fn connect(&self, spec: &ServerSpec, place: Arc<Upstream>, now: Instant) -> Result<Pooled, VaultError> {
        let reach = policy::reach(spec, &self.outbound.allowed)?;
        let base = base(spec)?;
        let tls = self.allowed_tls(spec)?;
        // Read before the files, so that a change in between is seen.
        let class_files = self.outbound.class_files.as_ref();
        let files = tls::fingerprint(&tls, class_files);
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(concat!("vaultmount/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PING)
            .tls_backend_preconfigured(tls::setting(&tls, class_files)?)
            .dns_resolver(Resolver { reach, instead: instead(spec) });
        if let Address::Unix(socket) = &spec.address {
            builder = builder.unix_socket(socket.clone());
        }
        if let Some(proxy) = self.outbound.proxy.as_ref().filter(|_| spec.configured) {
            builder = builder.proxy(
                reqwest::Proxy::all(proxy.clone())
                    .map_err(|_| VaultError::TlsSetting("the proxy cannot be used".into()))?,
            );
        }
        let client =
            builder.build().map_err(|_| VaultError::TlsSetting("the HTTP client cannot be built".into()))?;
        Ok(Pooled {
            link: Link { client, base, place },
            tls,
            files,
            looked: now,
            ends: now + LIFE + LIFE.mul_f64(rand::random()),
        })
    }

    /// What `spec` may use of its TLS setting. The process's own client certificate is an identity of the node: it serves
    /// the process's own server, and is left out elsewhere. One that a class names may be anybody's file: it serves servers
    /// that the operator named.
    fn allowed_tls(&self, spec: &ServerSpec) -> Result<TlsSpec, VaultError> {
        let tls = spec.tls.clone();
        match &tls.client {
            Some(client) if client.configured && !spec.configured => Ok(TlsSpec { client: None, ..tls }),
            Some(client) if !client.configured && !policy::is_trusted(spec, &self.outbound.allowed) => {
                let why =
                    "a client certificate of a class is shown only to servers listed in --allow-address";
                Err(VaultError::AddressRefused(format!("address {} is refused: {why}", spec.address)))
            }
            _ => Ok(tls),
        }
    }
}

impl Pooled {
    /// True while it may serve: young enough, and its files are the same.
    fn is_current(&mut self, now: Instant, class_files: Option<&ClassFiles>) -> bool {
        if now >= self.ends {
            return false;
        }
        if now >= self.looked + LOOK_AGAIN {
            self.looked = now;
            return self.files == tls::fingerprint(&self.tls, class_files);
        }
        true
    }
}

/// Drops the client that ends first, one that a class chose before one of the process's own.
fn make_room(clients: &mut HashMap<Key, Pooled>) {
    let first =
        clients.iter().min_by_key(|(key, pooled)| (key.configured, pooled.ends)).map(|(key, _)| key.clone());
    if let Some(key) = first {
        clients.remove(&key);
    }
}

/// Where to look for a server that is asked for by another name: rustls takes the name to send and to check from the
/// URL, so the URL holds that name and the resolver looks the address's host up in its place.
fn instead(spec: &ServerSpec) -> Option<String> {
    let (url, _) = renamed(spec)?;
    url.host_str().map(str::to_owned)
}

/// The address and the name to ask for it by, when that is another; without TLS there is no such name.
fn renamed(spec: &ServerSpec) -> Option<(&Url, &str)> {
    match &spec.address {
        Address::Http(url) if url.scheme() == "https" => {
            spec.tls.server_name.as_deref().map(|name| (url, name))
        }
        _ => None,
    }
}

/// The URL below which `spec`'s API lies, ending in `/`.
fn base(spec: &ServerSpec) -> Result<Url, VaultError> {
    let wrong = || VaultError::TlsSetting(format!("the server name for {} is no DNS name", spec.address));
    let mut url = match &spec.address {
        Address::Http(url) => url.clone(),
        Address::Unix(_) => Url::parse("http://localhost/").map_err(|_| wrong())?,
    };
    if let Some((_, name)) = renamed(spec) {
        // An IP address would be connected to as it stands, past resolver and policy.
        let Ok(Host::Domain(name)) = Host::parse(name) else { return Err(wrong()) };
        url.set_host(Some(&name)).map_err(|_| wrong())?;
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}
