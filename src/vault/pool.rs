//! One HTTP client per server and TLS setting, for the whole process.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect;
use tokio::time::Instant;
use url::{Host, Url};

use super::{AllowedAddress, ClassFiles, VaultError, policy, tls};
use crate::limits::Period;
use crate::mutex::Mutex;
use crate::spec::{Address, AuthMounts, ServerSpec, TlsSpec};
use crate::vault::mounts::Mounts;
use crate::vault::resolve::Resolver;
use crate::vault::server_warnings::ServerWarnings;
use crate::vault::tls::Fingerprint;
use crate::vault::upstream::Upstream;

/// The age of a client, and so of its connections, at which it is replaced: between this and twice this. So load reaches servers that were
/// added later, and a connection that a middlebox dropped does not stay.
const CLIENT_AGE: Duration = Duration::from_secs(300);
/// How often the certificate files of a client are checked for changes.
const FILE_CHECK_INTERVAL: Period = Period::of(Duration::from_secs(5));
/// The longest time to connect, with the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time between pings of an HTTP/2 connection that is in use, and time for the answer to a ping. Together they are less than a call waits for its
/// first byte, so that a dead connection is closed before the call is retried.
const PING_INTERVAL: Duration = Duration::from_secs(4);
/// The most clients. Classes choose servers and TLS settings, and must not fill the memory of the process.
const MAX_CLIENTS: usize = 128;

/// The default time for one call, retries included, as in the upstream providers' client library.
const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The default limit of concurrent calls to one server: enough for two mounts of the largest size.
const DEFAULT_CALLS: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// The process settings about connections to Vault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbound {
    /// `--allow-address`. If empty, a class may name any address outside the node.
    pub(crate) allowed: Vec<AllowedAddress>,
    /// A proxy for the process's own server address; other servers are called without it.
    pub(crate) proxy: Option<Url>,
    /// The most concurrent calls to one server; further calls wait.
    pub(crate) calls: Option<NonZeroUsize>,
    /// `--request-timeout`: the time for a call that its mount does not cut short.
    pub(crate) request_timeout: Option<Duration>,
    /// `--allow-auth-mount`.
    pub(crate) auth_mounts: AuthMounts,
    /// The certificate files that a class may name; `None` for commands that read no class, where the operator chose every file.
    pub(crate) class_files: Option<ClassFiles>,
}

impl Outbound {
    fn calls(&self) -> NonZeroUsize {
        self.calls.unwrap_or(DEFAULT_CALLS)
    }
}

/// The HTTP clients of all servers. Clones share them.
#[derive(Clone)]
pub(crate) struct Vaults {
    pub(crate) outbound: Arc<Outbound>,
    clients: Arc<Mutex<HashMap<ClientKey, PooledClient>>>,
    pub(crate) mounts: Arc<Mounts>,
    pub(crate) warnings: Arc<ServerWarnings>,
}

/// Mounts with equal keys share connections. Vault namespaces and tokens are not part of the key: they are in each call.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ClientKey {
    address: Address,
    configured: bool,
    tls: TlsSpec,
}

/// The client of one server.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) client: reqwest::Client,
    /// The base URL of the server, ending in `/`.
    pub(crate) base: Url,
    /// The state of the server; it outlives the client.
    pub(crate) upstream: Arc<Upstream>,
}

struct PooledClient {
    connection: Connection,
    /// The TLS setting in use, which may lack the client certificate of the spec.
    tls: TlsSpec,
    files: Fingerprint,
    /// When the files are checked next.
    check_at: Instant,
    ends: Instant,
}

impl Vaults {
    /// A pool without clients.
    pub(crate) fn new(outbound: Outbound) -> Self {
        Self {
            outbound: Arc::new(outbound),
            clients: Arc::default(),
            mounts: Arc::default(),
            warnings: Arc::default(),
        }
    }

    /// The time for a call that its mount does not cut short.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.outbound.request_timeout.unwrap_or(DEFAULT_REQUEST_TIMEOUT)
    }

    /// A client for `url`, to which `from` redirects; `None` unless the operator listed that server. Without a list there is never a client: a
    /// server that a class chose could otherwise choose the next one.
    pub(crate) fn redirect_client(&self, from: &ServerSpec, url: &Url) -> Option<reqwest::Client> {
        let allowed = &self.outbound.allowed;
        // Only the origin, so that all paths share a client.
        let origin = url.origin().ascii_serialization().parse().ok()?;
        let to = ServerSpec { address: Address::Http(origin), configured: false, ..from.clone() };
        if allowed.is_empty() || policy::reach(&to, allowed).is_err() {
            return None;
        }
        // The other nodes of the process's own server may use its settings if the operator listed them.
        let configured = from.configured && policy::is_trusted(&to, allowed);
        self.connection(&ServerSpec { configured, ..to }).ok().map(|connection| connection.client)
    }

    /// The client for `spec`, if its calls still use `upstream`.
    pub(crate) fn connection_of(&self, spec: &ServerSpec, upstream: &Arc<Upstream>) -> Option<Connection> {
        let is_same = |connection: &Connection| Arc::ptr_eq(&connection.upstream, upstream);
        let is_known =
            self.clients.lock().get(&ClientKey::new(spec)).is_some_and(|pooled| is_same(&pooled.connection));
        // Otherwise a server that has been evicted would take the place of another one.
        is_known.then(|| self.connection(spec).ok().filter(is_same)).flatten()
    }

    /// The client for `spec`. Replaces a client that is too old, or whose certificate files changed.
    ///
    /// # Errors
    /// If tokens may not be sent to `spec`, or its TLS setting cannot be used.
    pub(crate) fn connection(&self, spec: &ServerSpec) -> Result<Connection, VaultError> {
        let key = ClientKey::new(spec);
        let now = Instant::now();
        let mut clients = self.clients.lock();
        if let Some(pooled) = clients.get_mut(&key)
            && pooled.is_current(now, self.outbound.class_files.as_ref())
        {
            return Ok(pooled.connection.clone());
        }
        let upstream = clients.get(&key).map(|pooled| Arc::clone(&pooled.connection.upstream));
        let upstream = upstream
            .unwrap_or_else(|| Arc::new(Upstream::new(spec.address.to_string(), self.outbound.calls())));
        let pooled = self.connect(spec, upstream, now)?;
        let connection = pooled.connection.clone();
        if clients.len() >= MAX_CLIENTS && !clients.contains_key(&key) {
            evict_one(&mut clients);
        }
        clients.insert(key, pooled);
        Ok(connection)
    }

    fn connect(
        &self,
        spec: &ServerSpec,
        upstream: Arc<Upstream>,
        now: Instant,
    ) -> Result<PooledClient, VaultError> {
        let reach = policy::reach(spec, &self.outbound.allowed)?;
        let base = base(spec)?;
        let tls = self.allowed_tls(spec)?;
        // Taken before the files are read, so that a change in between is noticed.
        let class_files = self.outbound.class_files.as_ref();
        let files = tls::fingerprint(&tls, class_files);
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(concat!("vaultmount/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_INTERVAL)
            .tls_backend_preconfigured(tls::client_config(&tls, class_files)?)
            .dns_resolver(Resolver { reach, host: host_to_resolve(spec) });
        if let Address::Unix(socket) = &spec.address {
            builder = builder.unix_socket(socket.clone());
        }
        if let Some(proxy) = self.outbound.proxy.as_ref().filter(|_| spec.configured) {
            builder = builder.proxy(
                reqwest::Proxy::all(proxy.clone())
                    .map_err(|_| VaultError::TlsSetting("the proxy URL cannot be used".into()))?,
            );
        }
        let client =
            builder.build().map_err(|_| VaultError::TlsSetting("the HTTP client cannot be built".into()))?;
        Ok(PooledClient {
            connection: Connection { client, base, upstream },
            tls,
            files,
            check_at: now + FILE_CHECK_INTERVAL.pause(rand::random()),
            ends: now + CLIENT_AGE + CLIENT_AGE.mul_f64(rand::random()),
        })
    }

    /// The part of the TLS setting that `spec` may use. The process's own client certificate identifies the node: it is used only with the
    /// process's own server. A client certificate that a class names may be any file of the node: it is used only with servers that the operator
    /// listed.
    fn allowed_tls(&self, spec: &ServerSpec) -> Result<TlsSpec, VaultError> {
        let tls = spec.tls.clone();
        match &tls.client {
            Some(client) if client.configured && !spec.configured => Ok(TlsSpec { client: None, ..tls }),
            Some(client) if !client.configured && !policy::is_trusted(spec, &self.outbound.allowed) => {
                let why = "a client certificate that a class names is only used with servers listed in --allow-address";
                Err(VaultError::AddressRefused(format!("address {} is refused: {why}", spec.address)))
            }
            _ => Ok(tls),
        }
    }
}

impl ClientKey {
    fn new(spec: &ServerSpec) -> Self {
        Self { address: spec.address.clone(), configured: spec.configured, tls: spec.tls.clone() }
    }
}

impl PooledClient {
    /// True if the client is not too old and its files have not changed.
    fn is_current(&mut self, now: Instant, class_files: Option<&ClassFiles>) -> bool {
        if now >= self.ends {
            return false;
        }
        if now >= self.check_at {
            self.check_at = now + FILE_CHECK_INTERVAL.pause(rand::random());
            return self.files == tls::fingerprint(&self.tls, class_files);
        }
        true
    }
}

/// Drops the client that would be replaced first. Clients of servers that classes chose go before those of the process's own server.
fn evict_one(clients: &mut HashMap<ClientKey, PooledClient>) {
    let first =
        clients.iter().min_by_key(|(key, pooled)| (key.configured, pooled.ends)).map(|(key, _)| key.clone());
    if let Some(key) = first {
        clients.remove(&key);
    }
}

/// The host to resolve in place of the URL's, for a server with a TLS server name: rustls takes the name that it sends and checks from the URL,
/// so the URL has that name, and the resolver resolves the host of the address.
fn host_to_resolve(spec: &ServerSpec) -> Option<String> {
    let (url, _) = server_name(spec)?;
    url.host_str().map(str::to_owned)
}

/// The address and its TLS server name, if it has one. Without TLS there is no such name.
fn server_name(spec: &ServerSpec) -> Option<(&Url, &str)> {
    match &spec.address {
        Address::Http(url) if url.scheme() == "https" => {
            spec.tls.server_name.as_deref().map(|name| (url, name))
        }
        _ => None,
    }
}

/// The base URL of `spec`, ending in `/`.
fn base(spec: &ServerSpec) -> Result<Url, VaultError> {
    let wrong =
        || VaultError::TlsSetting(format!("the TLS server name for {} is not a DNS name", spec.address));
    let mut url = match &spec.address {
        Address::Http(url) => url.clone(),
        Address::Unix(_) => Url::parse("http://localhost/").map_err(|_| wrong())?,
    };
    if let Some((_, name)) = server_name(spec) {
        // An IP address would be connected to without the resolver, and so without the address policy.
        let Ok(Host::Domain(name)) = Host::parse(name) else { return Err(wrong()) };
        url.set_host(Some(&name)).map_err(|_| wrong())?;
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}
