//! Flags over environment.

pub mod environment; // the peers' variables, and what becomes of each
pub mod flags; // every flag of `serve`: one table
pub mod lifetime; // what is kept between mounts, and how much work is taken at once
pub mod proxy; // which proxy serves the configured address
pub mod server; // the server that calls go to

pub use environment::Environment;
pub use flags::{Output, ServeArgs, TokenRequests};
pub use lifetime::{LifeArgs, LifeSettings, StateArgs, StateSettings, WorkLimits};
pub use server::ServerArgs;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tracing::level_filters::LevelFilter;
use url::Url;

use crate::class::{Audiences, Defaults, Flavor};
use crate::settings::environment::Use;
use crate::settings::proxy::proxy;
use crate::spec::AuthMounts;
use crate::spec::address::AddressError;
use crate::spec::auth_mount::InvalidAuthMount;
use crate::telemetry::logs::Format;

/// All that the process is told at its start, checked. Not `Debug`: a proxy's address may hold a password.
pub struct Settings {
    /// Sockets to listen on, as written.
    pub endpoints: Vec<String>,
    /// Least level of log lines.
    pub log_level: LevelFilter,
    /// How log lines look.
    pub log_format: Format,
    /// Where `/health/*` is served.
    pub health: SocketAddr,
    /// Where tokens may be sent, as written; empty lets a class choose.
    pub allow_addresses: Vec<String>,
    /// The directory of certificate files that a class may name.
    pub tls_dir: Option<PathBuf>,
    /// The proxy of the configured address.
    pub proxy: Option<Url>,
    /// Whether tokens are asked for from Kubernetes.
    pub token_requests: TokenRequests,
    /// Where the key of versions comes from.
    pub version_key: VersionKeySource,
    /// Uids that may call beside 0 and our own.
    pub allow_peer_uids: Vec<u32>,
    /// How long begun mounts may take at the end.
    pub shutdown_timeout: Duration,
    /// Directories that dead sockets of our names are removed from.
    pub also_clear_dirs: Vec<PathBuf>,
    /// What is kept between mounts.
    pub life: LifeSettings,
    /// How much is taken at once.
    pub limits: WorkLimits,
    /// What is set and changes nothing, or less than one may think: for the log, once.
    pub warnings: Vec<String>,
    vault: Defaults,
    openbao: Defaults,
}

/// Where the key of object versions comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionKeySource {
    /// A mounted file: equal versions on all nodes that have it.
    File(PathBuf),
    /// The peers' Secret, in our own namespace.
    Secret(String),
    /// Made at start: versions change with the process.
    Random,
}

/// Why the process does not start. Names flag or variable; shows no value, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each text says what its variant means")]
pub enum SettingsError {
    #[error("{source_name}: {source}")]
    Address { source_name: String, source: AddressError },
    #[error("{0}: must be true or false")]
    Bool(String),
    #[error("{given} needs {missing} beside it: a client certificate is a pair")]
    HalfCertificate { given: String, missing: String },
    #[error("{0} is not the URL of a proxy (http, https or socks5)")]
    Proxy(String),
    #[error("{name} is refused: {reason}")]
    Refused { name: String, reason: &'static str },
    #[error("{given} needs {missing} beside it")]
    Beside { given: &'static str, missing: &'static str },
    #[error("--vault-mount or --allow-auth-mount {text:?}: the name {source}")]
    AuthMount { text: String, source: InvalidAuthMount },
    #[error("--health-addr {text}: host:port is wanted, or :port for all addresses")]
    Health { text: String, source: io::Error },
}

impl Settings {
    /// Reads `flags` over `environment`; every address, pair and truth value in them is checked here, for both flavors.
    pub fn new(flags: ServeArgs, environment: &Environment) -> Result<Self, SettingsError> {
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
            limits: flags.life.limits(),
            life: flags.life.settings(flags.hmac_key_file.as_deref(), environment)?,
            version_key: version_key(flags.hmac_key_file, flags.hmac_secret_name),
            endpoints: flags.endpoint,
            log_format: flags.log_format,
            allow_addresses: flags.allow_address,
            tls_dir: flags.tls_dir.filter(|path| !path.as_os_str().is_empty()),
            token_requests: flags.token_requests,
            allow_peer_uids: flags.allow_peer_uid,
            shutdown_timeout: flags.shutdown_timeout,
            also_clear_dirs: flags.also_clear_dir,
            vault,
            openbao,
        })
    }

    /// What classes of `flavor` leave out.
    pub fn defaults(&self, flavor: Flavor) -> &Defaults {
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
        max_stale: flags.life.max_stale,
        written_by: flags.life.writer,
        clock: SystemTime::now,
    })
}

/// An empty flag is none, as in the peers, whose charts pass empty ones.
pub(crate) fn given(flag: Option<&str>) -> Option<&str> {
    flag.filter(|text| !text.is_empty())
}

/// `--log-level` counts before `--debug`; an unknown word is info, as in HashiCorp's provider.
fn log_level(word: Option<&str>, debug: bool) -> LevelFilter {
    match given(word).map(str::to_ascii_lowercase).as_deref() {
        None if debug => LevelFilter::DEBUG,
        Some("trace") => LevelFilter::TRACE,
        Some("debug") => LevelFilter::DEBUG,
        Some("warn") => LevelFilter::WARN,
        Some("error") => LevelFilter::ERROR,
        Some("off") => LevelFilter::OFF,
        _ => LevelFilter::INFO,
    }
}

/// `:8080` is every address of the machine, by IPv6 (which takes IPv4 too) where the kernel has it.
fn health(text: &str) -> Result<SocketAddr, SettingsError> {
    let all = if Path::new("/proc/net/if_inet6").exists() { "[::]" } else { "0.0.0.0" };
    let whole = if text.starts_with(':') { format!("{all}{text}") } else { text.to_owned() };
    let wrong = |source| SettingsError::Health { text: text.to_owned(), source };
    let first = whole.to_socket_addrs().map_err(wrong)?.next();
    first.ok_or_else(|| wrong(io::Error::from(io::ErrorKind::NotFound)))
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
