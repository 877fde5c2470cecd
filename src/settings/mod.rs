//! Flags and environment variables -> `Settings`.

pub(crate) mod environment; // every environment variable, and whether it has an effect
pub(crate) mod error; // why the process does not start
pub(crate) mod flags; // every flag of `serve`
pub(crate) mod proxy; // the proxy for the default server
pub(crate) mod server; // the default server
pub(crate) mod value_parsers; // parsers of flag values
pub(crate) mod volumes; // flags of volumes: state, writer, limits

pub(crate) use environment::Environment;
pub(crate) use error::SettingsError;
pub(crate) use flags::{Output, ServeArgs, TokenRequests};
pub(crate) use server::ServerArgs;
pub(crate) use volumes::VolumeArgs;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tracing::level_filters::LevelFilter;
use url::Url;

use crate::class::{Audiences, Defaults};
use crate::limits::AdmissionConfig;
use crate::renewal::Bounds;
use crate::settings::environment::Use;
use crate::settings::proxy::proxy;
use crate::settings::value_parsers::{non_empty, non_empty_path};
use crate::spec::{AuthMounts, Flavor};
use crate::state::StateConfig;
use crate::telemetry::logs::Format;

/// All settings of the process, checked. Not `Debug`: the address of a proxy may contain a password.
pub(crate) struct Settings {
    /// Paths of the sockets, as written.
    pub(crate) endpoints: Vec<String>,
    /// Lowest level of log lines.
    pub(crate) log_level: LevelFilter,
    /// Format of log lines.
    pub(crate) log_format: Format,
    /// Address of `/health/*`.
    pub(crate) health: SocketAddr,
    /// Addresses that tokens may be sent to, as written; if empty, a class may name any server.
    pub(crate) allow_addresses: Vec<String>,
    /// Directory of the certificate files that a class may name.
    pub(crate) tls_dir: Option<PathBuf>,
    /// Proxy for the default server.
    pub(crate) proxy: Option<Url>,
    /// Whether tokens are requested from Kubernetes.
    pub(crate) token_requests: TokenRequests,
    /// Where the key of object versions comes from.
    pub(crate) version_key: VersionKeySource,
    /// Uids that may connect to the socket, besides 0 and the own uid.
    pub(crate) allow_peer_uids: Vec<u32>,
    /// How long running mounts may take after SIGTERM.
    pub(crate) shutdown_timeout: Duration,
    /// Directories from which dead sockets with the name of an endpoint are removed.
    pub(crate) also_clear_dirs: Vec<PathBuf>,
    /// The state directory; `None` keeps all state in memory.
    pub(crate) state: Option<StateConfig>,
    /// The socket of operators' commands.
    pub(crate) control_socket: Option<PathBuf>,
    /// The kubelet's directory. Without it, and without `pod_watch`, vaultmount does not see when a volume ends.
    pub(crate) kubelet_dir: Option<PathBuf>,
    /// The node whose pods are watched.
    pub(crate) pod_watch: Option<String>,
    /// The node that reports changed files by events of its pods.
    pub(crate) pod_events: Option<String>,
    /// The ages at which a certificate is replaced.
    pub(crate) replace_after: Bounds,
    /// Whether reads at the default server log in with their own headers.
    pub(crate) inline_auth: bool,
    /// How often what was issued is looked up at the server, to find out whether it was revoked; zero for never.
    pub(crate) check_revoked: Duration,
    /// How many mounts run at the same time.
    pub(crate) admission: AdmissionConfig,
    /// How many requests to one server are in flight.
    pub(crate) max_calls: NonZeroUsize,
    /// The time for a request that creates something; `None` for the default.
    pub(crate) request_timeout: Option<Duration>,
    /// Settings without effect, and missing limits: for the log, once.
    pub(crate) warnings: Vec<String>,
    vault: Defaults,
    openbao: Defaults,
}

/// Where the key of object versions comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VersionKeySource {
    /// A mounted file: versions are equal on all nodes with the same file.
    File(PathBuf),
    /// The Secret of the upstream providers, in the own namespace.
    Secret(String),
    /// Random: versions change at every restart.
    Random,
}

impl Settings {
    /// The settings of `flags` and, below them, of `environment`.
    ///
    /// # Errors
    /// An address, a pair of files or a boolean is invalid, for either flavor.
    pub(crate) fn new(flags: ServeArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let vault = defaults(&flags, environment, Flavor::Vault)?;
        let openbao = defaults(&flags, environment, Flavor::OpenBao)?;
        let first =
            flags.endpoint.first().map_or(Flavor::Vault, |endpoint| Flavor::of_socket(Path::new(endpoint)));
        let address = if first == Flavor::OpenBao { &openbao.address } else { &vault.address };
        Ok(Self {
            proxy: proxy(environment, first, address).map_err(SettingsError::Proxy)?,
            warnings: warnings(&flags, environment),
            log_level: log_level(flags.log_level.as_deref(), flags.debug),
            health: health(&flags.health_addr)?,
            state: flags.volumes.state(flags.hmac_key_file.as_deref(), environment)?,
            control_socket: flags.volumes.control_socket(),
            kubelet_dir: flags.volumes.kubelet_dir()?,
            pod_watch: flags.volumes.watched_node(environment)?,
            pod_events: flags.volumes.events_node(environment)?,
            replace_after: flags.volumes.replace_after(),
            inline_auth: flags.volumes.inline_auth,
            check_revoked: flags.volumes.check_revoked,
            admission: flags.volumes.admission(),
            max_calls: flags.volumes.max_calls,
            request_timeout: flags.volumes.request_timeout(environment)?,
            version_key: version_key(flags.hmac_key_file, flags.hmac_secret_name),
            endpoints: flags.endpoint,
            log_format: flags.log_format,
            allow_addresses: flags.allow_address,
            tls_dir: non_empty_path(flags.tls_dir),
            token_requests: flags.token_requests,
            allow_peer_uids: flags.allow_peer_uid,
            shutdown_timeout: flags.shutdown_timeout,
            also_clear_dirs: flags.also_clear_dir,
            vault,
            openbao,
        })
    }

    /// The values that classes of `flavor` leave out.
    pub(crate) fn defaults(&self, flavor: Flavor) -> &Defaults {
        match flavor {
            Flavor::Vault => &self.vault,
            Flavor::OpenBao => &self.openbao,
        }
    }
}

fn defaults(flags: &ServeArgs, environment: &Environment, flavor: Flavor) -> Result<Defaults, SettingsError> {
    let server = flags.server.spec(environment, flavor)?;
    let auth_mounts = AuthMounts::new(&flags.vault_mount, &flags.allow_auth_mount)
        .map_err(|(text, source)| SettingsError::AuthMount { text: text.to_owned(), source })?;
    Ok(Defaults {
        flavor,
        address: server.address,
        auth_mounts,
        namespace: server.namespace,
        tls: server.tls,
        audiences: Audiences::listed(flags.allow_audience.clone()),
        unknown_fields: flags.unknown_fields,
        max_stale: flags.volumes.max_stale,
        refresh: flags.volumes.refresh,
        min_refresh: flags.volumes.min_refresh,
        written_by: flags.volumes.writer,
        clock: SystemTime::now,
    })
}

/// `--log-level` has priority over `--debug`; an unknown word means info, as in HashiCorp's provider.
fn log_level(word: Option<&str>, debug: bool) -> LevelFilter {
    match non_empty(word).map(str::to_ascii_lowercase).as_deref() {
        None if debug => LevelFilter::DEBUG,
        Some("trace") => LevelFilter::TRACE,
        Some("debug") => LevelFilter::DEBUG,
        Some("warn") => LevelFilter::WARN,
        Some("error") => LevelFilter::ERROR,
        Some("off") => LevelFilter::OFF,
        _ => LevelFilter::INFO,
    }
}

/// Parses `host:port`. `:8080` means all addresses of the machine: those of IPv6, which include IPv4, if the kernel has IPv6.
fn health(text: &str) -> Result<SocketAddr, SettingsError> {
    let all = if Path::new("/proc/net/if_inet6").exists() { "[::]" } else { "0.0.0.0" };
    let address = if text.starts_with(':') { format!("{all}{text}") } else { text.to_owned() };
    let error = |source| SettingsError::Health { text: text.to_owned(), source };
    let first = address.to_socket_addrs().map_err(error)?.next();
    first.ok_or_else(|| error(io::Error::from(io::ErrorKind::NotFound)))
}

fn version_key(file: Option<PathBuf>, secret: Option<String>) -> VersionKeySource {
    match (file, secret.filter(|secret| !secret.is_empty())) {
        (Some(file), _) => VersionKeySource::File(file),
        (None, Some(secret)) => VersionKeySource::Secret(secret),
        (None, None) => VersionKeySource::Random,
    }
}

fn warnings(flags: &ServeArgs, environment: &Environment) -> Vec<String> {
    let mut warnings: Vec<_> =
        environment.used(Use::Ignored).map(|(name, reason)| format!("{name} is ignored: {reason}")).collect();
    let agent = environment.used(Use::Honoured).find(|(name, _)| name.ends_with("_AGENT_ADDR"));
    warnings.extend(agent.map(|(name, reason)| format!("{name} is set: {reason}")));
    if flags.cache_size.is_some() {
        warnings.push("--cache-size is ignored: no logins are cached by count".into());
    }
    if flags.allow_address.is_empty() {
        warnings.push(
            "a class may send its pod's token to any server: name the servers with --allow-address".into(),
        );
    }
    if flags.allow_auth_mount.is_empty() {
        warnings.push(
            "a class may log in at any auth mount: name the auth mounts with --allow-auth-mount".into(),
        );
    }
    if flags.tls_dir.as_ref().is_none_or(|directory| directory.as_os_str().is_empty()) {
        let may = "a class may name any file of this container outside --kubelet-dir as its CA or client certificate";
        warnings.push(format!("{may}: name their directory with --tls-dir"));
    }
    warnings
}
