//! `vaultmount serve`: builds all services from the settings, and serves until a signal.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ::metrics::gauge;
use futures::future::FutureExt;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::mount_command;
use crate::class::Flavor;
use crate::control::ControlSocket;
use crate::kube::Kubernetes;
use crate::kube::events::PodEvents;
use crate::kube::pods::NodePods;
use crate::mount::{PodTokenSource, Poller, Provider, Services};
use crate::payload::VersionKey;
use crate::provider_api::csi_driver_provider_server::CsiDriverProviderServer;
use crate::secret::Secret;
use crate::server;
use crate::server::{Endpoint, Readiness, ServerError, Sockets};
use crate::settings::{Settings, TokenRequests, VersionKeySource};
use crate::state::{KeyRefused, StateError, StateKey, Store};
use crate::supervise::supervise;
use crate::telemetry::{health, metrics};
use crate::vault::{ClassFiles, Outbound, Vaults, unusable_files};
use crate::volume::{VolumeConfig, Volumes};

/// Largest request, in bytes: a class, its tokens and 512 KiB of attributes fit many times.
const REQUEST_BYTES: usize = 4 * 1024 * 1024;
/// Requests to the API server for the upstream providers' version key before a random key is used.
const KEY_ATTEMPTS: u32 = 5;

/// Time between two attempts.
const KEY_PAUSE: Duration = Duration::from_secs(1);
/// Time for revoking tokens once the last mount is answered, in addition to the shutdown timeout; at most as long as that timeout.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for an earlier process to end and release the state directory.
const PREDECESSOR_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for our own socket to respond to the readiness check.
const SELF_CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// Why serving could not start.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    /// The value of a flag is wrong. Only for flags that the module parses which uses them.
    #[error("{0}")]
    Flag(String),
    /// The sockets cannot be served.
    #[error(transparent)]
    Sockets(#[from] ServerError),
    /// The file of the version key cannot be used.
    #[error("--hmac-key-file {path}: {why}", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with the file.
        why: String,
    },
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The key of the state directory cannot be used.
    #[error("--state-key-file: {0}")]
    StateKey(#[from] KeyRefused),
    /// The socket of operators' commands cannot be opened.
    #[error("--control-socket {path}: {source}", path = path.display())]
    Control {
        /// The socket.
        path: PathBuf,
        /// Why listening failed.
        source: io::Error,
    },
    /// The health port cannot be opened.
    #[error("--health-addr {address}: {source}")]
    Health {
        /// The address to listen on.
        address: SocketAddr,
        /// Why listening failed.
        source: io::Error,
    },
    /// The recorder of metrics cannot be installed.
    #[error("the recorder of metrics cannot be installed: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// No signal handler: without it the process would never be drained.
    #[error("handlers for SIGTERM and SIGINT cannot be installed: {0}")]
    Signals(#[source] io::Error),
}

/// Serves until SIGTERM or SIGINT, then responds to open requests within the shutdown timeout and revokes tokens.
pub(crate) async fn serve(settings: Settings) -> Result<(), ServeError> {
    warn_of_tls_files(&settings);
    let outbound = outbound(&settings)?;
    let sockets = sockets(&settings)?;
    let version_key = version_key(&settings.version_key).await?;
    let volumes = volume_config(&settings).await?;
    let services = Arc::new(Services::new(
        Vaults::new(outbound),
        pod_token_source(settings.token_requests),
        version_key,
        settings.admission,
        volumes,
    ));
    services.volumes.resume();
    tokio::spawn(Arc::clone(&services.volumes).watch());

    serve_control(settings.control_socket.as_deref(), &services.volumes)?;
    let readiness = Readiness::default();
    serve_health(settings.health, &sockets, &readiness).await?;
    let mut signals = Signals::listen().map_err(ServeError::Signals)?;

    let defaults = |flavor| Arc::new(settings.defaults(flavor).clone());
    let poller = Poller::new(Arc::clone(&services), [Flavor::Vault, Flavor::OpenBao].map(defaults).to_vec());
    tokio::spawn(supervise("poll", poller, |poller| poller.clone().run().boxed()));

    let service_for = |endpoint: &Endpoint| {
        let provider = Provider::new(Arc::clone(&services), defaults(Flavor::of_socket(endpoint.path())));
        CsiDriverProviderServer::new(provider).max_decoding_message_size(REQUEST_BYTES)
    };
    server::serve(sockets, service_for, readiness, signals.next()).await?;

    // All mounts are answered now.
    let revoke_timeout = REVOKE_TIMEOUT.min(settings.shutdown_timeout);
    if timeout(revoke_timeout, services.drain()).await.is_err() {
        warn!("stopped before all tokens were revoked; the others end with their TTL");
    }
    Ok(())
}

/// Opens the socket of operators' commands, and serves it in a task. Pods do not depend on it.
fn serve_control(path: Option<&Path>, volumes: &Arc<Volumes>) -> Result<(), ServeError> {
    let Some(path) = path else { return Ok(()) };
    let opened = ControlSocket::open(path, Arc::clone(volumes));
    let socket = opened.map_err(|source| ServeError::Control { path: path.to_owned(), source })?;
    tokio::spawn(supervise("control", socket, |socket| socket.run().boxed()));
    Ok(())
}

/// Opens the health port, and serves it in a task.
async fn serve_health(
    address: SocketAddr,
    sockets: &Sockets,
    readiness: &Readiness,
) -> Result<(), ServeError> {
    let listener = health::listen(address).await.map_err(|source| ServeError::Health { address, source })?;
    let probe = Probe { endpoints: sockets.endpoints.clone(), readiness: readiness.clone() };
    let metrics = metrics::start()?;
    gauge!("vaultmount_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    tokio::spawn(health::serve(listener, Arc::new(probe), metrics));
    Ok(())
}

/// Warns about every certificate file of the process that cannot be used. The process starts anyway: the file may come later.
fn warn_of_tls_files(settings: &Settings) {
    let own = [Flavor::Vault, Flavor::OpenBao].map(|flavor| &settings.defaults(flavor).tls);
    let mut errors: Vec<_> =
        own.into_iter().flat_map(unusable_files).map(|error| error.to_string()).collect();
    // Both sockets often have the same setting.
    errors.sort_unstable();
    errors.dedup();
    for error in errors {
        warn!("{error}; until this is corrected, calls to the server fail; the files are read again later");
    }
}

fn outbound(settings: &Settings) -> Result<Outbound, ServeError> {
    let own = [Flavor::Vault, Flavor::OpenBao].map(|flavor| settings.defaults(flavor).tls.clone());
    let class_files = ClassFiles {
        own: own.into(),
        directory: settings.tls_dir.clone(),
        kubelet: settings.kubelet_dir.clone(),
    };
    Ok(Outbound {
        allowed: parsed("--allow-address", &settings.allow_addresses)?,
        proxy: settings.proxy.clone(),
        calls: Some(settings.max_calls),
        request_timeout: settings.request_timeout,
        auth_mounts: settings.defaults(Flavor::Vault).auth_mounts.clone(),
        class_files: Some(class_files),
    })
}

/// The settings of volumes, with the open state directory if there is one. Waits up to [`PREDECESSOR_TIMEOUT`] for an earlier process to
/// release the directory.
async fn volume_config(settings: &Settings) -> Result<VolumeConfig, ServeError> {
    let config = VolumeConfig {
        bounds: settings.replace_after,
        inline: settings.inline_auth,
        check_revoked: settings.check_revoked,
        root: settings.kubelet_dir.as_ref().map(|kubelet| kubelet.join("pods")),
        pods: settings.pod_watch.clone().map(NodePods::new),
        events: settings.pod_events.clone().map(PodEvents::new),
        store: None,
    };
    let Some(state) = &settings.state else {
        warn!("no --state-dir: after a restart vaultmount requests new logins, certificates and credentials");
        return Ok(config);
    };
    let read = if state.key_is_shared { StateKey::read_shared } else { StateKey::read };
    let key = read(&state.key_file)?;
    let store = Store::open(&state.directory, key, &state.node, PREDECESSOR_TIMEOUT).await?;
    Ok(VolumeConfig { store: Some(Arc::new(store)), ..config })
}

fn sockets(settings: &Settings) -> Result<Sockets, ServeError> {
    Ok(Sockets {
        endpoints: parsed("--endpoint", &settings.endpoints)?,
        allow_peer_uids: settings.allow_peer_uids.clone(),
        shadow_directories: settings.also_clear_dirs.clone(),
        shutdown_timeout: settings.shutdown_timeout,
    })
}

fn parsed<T: FromStr<Err: Display>>(flag: &str, texts: &[String]) -> Result<Vec<T>, ServeError> {
    texts
        .iter()
        .map(|text| text.parse().map_err(|error| ServeError::Flag(format!("{flag}: {error}"))))
        .collect()
}

/// The signals that start a shutdown: SIGTERM from the kubelet, SIGINT from a terminal.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn pod_token_source(requests: TokenRequests) -> PodTokenSource {
    match requests {
        TokenRequests::Auto => PodTokenSource::DriverOrKubernetes(Kubernetes::default()),
        TokenRequests::Off => PodTokenSource::Driver,
    }
}

/// The version key: from a file, from the upstream providers' Secret, or a random key that lasts as long as this process.
async fn version_key(source: &VersionKeySource) -> Result<VersionKey, ServeError> {
    let secret_key = match source {
        VersionKeySource::File(path) => {
            return key_from_file(path).map_err(|why| ServeError::Key { path: path.clone(), why });
        }
        VersionKeySource::Secret(name) => key_from_secret(name).await,
        VersionKeySource::Random => None,
    };
    Ok(secret_key.unwrap_or_else(|| {
        warn!(
            "no shared version key: object versions differ between nodes and after each restart; set --hmac-key-file"
        );
        VersionKey::random()
    }))
}

fn key_from_file(path: &Path) -> Result<VersionKey, String> {
    let key = std::fs::read(path).map_err(|error| error.to_string())?;
    VersionKey::try_from(Secret::from(key)).map_err(|error| error.to_string())
}

/// The key from the upstream providers' Secret. Tries several times, because the API server may be unreachable when a node starts.
async fn key_from_secret(name: &str) -> Option<VersionKey> {
    let kubernetes = Kubernetes::default();
    for attempt in 1..=KEY_ATTEMPTS {
        let why = match kubernetes.version_key(name).await.map(VersionKey::try_from) {
            Ok(Ok(key)) => return Some(key),
            Ok(Err(too_short)) => too_short.to_string(),
            Err(error) => error.to_string(),
        };
        warn!("--hmac-secret-name: {why} (attempt {attempt} of {KEY_ATTEMPTS})");
        if attempt < KEY_ATTEMPTS {
            sleep(KEY_PAUSE).await;
        }
    }
    None
}

/// The readiness check: every socket is ours and responds to a request.
struct Probe {
    endpoints: Vec<Endpoint>,
    readiness: Readiness,
}

impl health::Ready for Probe {
    async fn ready(&self) -> Result<(), String> {
        self.readiness.check()?;
        for endpoint in &self.endpoints {
            let answered = timeout(SELF_CALL_TIMEOUT, mount_command::version(endpoint.path())).await;
            if !matches!(answered, Ok(Ok(_))) {
                return Err(format!("{}.sock does not answer", endpoint.provider()));
            }
        }
        Ok(())
    }
}
