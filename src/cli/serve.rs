//! The rooms put together, and kept running until a signal.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::FutureExt;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::mount_command;
use crate::class::{Defaults, Flavor};
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
use crate::telemetry::health;
use crate::telemetry::health::Ready;
use crate::telemetry::metrics;
use crate::vault::{ClassFiles, Outbound, Vaults};
use crate::volume::VolumeConfig;

/// Largest request that is read: a class, its tokens and 512 KiB of attributes fit many times.
const REQUEST_BYTES: usize = 4 * 1024 * 1024;
/// Questions to the API server for the peers' version key before a random one serves.
const KEY_TRIES: u32 = 5;
/// Time for giving tokens back once the last mount is answered, on top of the shutdown timeout; a short one shortens it.
const GIVE_BACK: Duration = Duration::from_secs(5);
/// Time for an earlier process to end and leave the state directory to us.
const PREDECESSOR: Duration = Duration::from_secs(60);
/// Time for our own socket to answer us.
const SELF_CALL: Duration = Duration::from_secs(2);

/// Why serving could not begin.
#[derive(Debug, Error)]
pub enum ServeError {
    /// A flag whose text only the room that uses it can read.
    #[error("{0}")]
    Flag(String),
    /// The sockets.
    #[error(transparent)]
    Sockets(#[from] ServerError),
    /// The version key's file.
    #[error("--hmac-key-file {path}: {why}", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// Its key.
    #[error("--state-key-file: {0}")]
    StateKey(#[from] KeyRefused),
    /// The listener for health.
    #[error("--health-addr {address}: {source}")]
    Health {
        /// Where it should listen.
        address: SocketAddr,
        /// Why it does not.
        source: io::Error,
    },
    /// The recorder of metrics.
    #[error("metrics cannot be counted: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// No signals: without them nothing would ever be drained.
    #[error("signals cannot be received: {0}")]
    Signals(#[source] io::Error),
}

/// Serves until SIGTERM or SIGINT, then finishes what is begun within the shutdown timeout.
pub async fn serve(settings: Settings) -> Result<(), ServeError> {
    let outbound = outbound(&settings)?;
    let sockets = sockets(&settings)?;
    let version_key = version_key(&settings.version_key).await?;
    let setting = setting(&settings).await?;
    let services = Arc::new(Services::new(
        Vaults::new(outbound),
        tokens(settings.token_requests),
        version_key,
        settings.admission,
        setting,
    ));
    services.volumes.resume();
    tokio::spawn(Arc::clone(&services.volumes).watch());
    let listener = health::listen(settings.health)
        .await
        .map_err(|source| ServeError::Health { address: settings.health, source })?;
    let mut signals = Signals::listen().map_err(ServeError::Signals)?;
    let readiness = Readiness::default();
    let probe = Probe { endpoints: sockets.endpoints.clone(), readiness: readiness.clone() };
    tokio::spawn(health::serve(listener, Arc::new(probe), metrics::start()?));
    let provider = |defaults: &Defaults| Provider::new(Arc::clone(&services), Arc::new(defaults.clone()));
    let providers =
        [Flavor::Vault, Flavor::OpenBao].map(|flavor| provider(settings.defaults(flavor))).to_vec();
    let service_for = |endpoint: &Endpoint| {
        let provider = provider(settings.defaults(Flavor::of_socket(endpoint.path())));
        CsiDriverProviderServer::new(provider).max_decoding_message_size(REQUEST_BYTES)
    };
    let give_back = GIVE_BACK.min(settings.shutdown_timeout);
    let looks = Poller::new(Arc::clone(&services), providers);
    tokio::spawn(supervise("poll", looks, |looks| looks.clone().run().boxed()));
    server::serve(sockets, service_for, readiness, signals.next()).await?;
    // Every mount is answered by now; what is left are tokens to give back.
    if timeout(give_back, services.drain()).await.is_err() {
        warn!("stopped with tokens that were not given back; they end with their own TTL");
    }
    Ok(())
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
        auth_mounts: settings.defaults(Flavor::Vault).auth_mounts.clone(),
        class_files: Some(class_files),
    })
}

/// What volumes have, and where it outlives a restart: an earlier process may still be at its end, and is waited for.
async fn setting(settings: &Settings) -> Result<VolumeConfig, ServeError> {
    let setting = VolumeConfig {
        bounds: settings.replace_after,
        inline: settings.inline_auth,
        root: settings.kubelet_dir.as_ref().map(|kubelet| kubelet.join("pods")),
        pods: settings.pod_watch.clone().map(NodePods::of),
        events: settings.pod_events.clone().map(PodEvents::new),
        store: None,
    };
    let Some(state) = &settings.state else {
        warn!("no --state-dir: a restart begins with new logins, certificates and credentials");
        return Ok(setting);
    };
    let read = if state.key_is_shared { StateKey::read_shared } else { StateKey::read };
    let key = read(&state.key_file)?;
    let store = Store::open(&state.directory, key, &state.node, PREDECESSOR).await?;
    Ok(VolumeConfig { store: Some(Arc::new(store)), ..setting })
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

/// The signals that end a process in good order: the kubelet's, and a terminal's.
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

fn tokens(requests: TokenRequests) -> PodTokenSource {
    match requests {
        TokenRequests::Auto => PodTokenSource::DriverOrKubernetes(Kubernetes::default()),
        TokenRequests::Off => PodTokenSource::Driver,
    }
}

/// The version key: a file's, else that of the peers' Secret, else one that dies with this process.
async fn version_key(source: &VersionKeySource) -> Result<VersionKey, ServeError> {
    match source {
        VersionKeySource::File(path) => {
            return key_of_file(path).map_err(|why| ServeError::Key { path: path.clone(), why });
        }
        VersionKeySource::Secret(name) => {
            if let Some(key) = shared_key(name).await {
                return Ok(key);
            }
        }
        VersionKeySource::Random => {}
    }
    warn!(
        "no version key is shared: object versions differ on every node and after every restart; give --hmac-key-file"
    );
    Ok(VersionKey::random())
}

fn key_of_file(path: &Path) -> Result<VersionKey, String> {
    let key = std::fs::read(path).map_err(|error| error.to_string())?;
    VersionKey::try_from(Secret::from(key)).map_err(|error| error.to_string())
}

/// The key of the peers' Secret, asked for a few times: at a node's start the API server may not be reachable yet.
async fn shared_key(name: &str) -> Option<VersionKey> {
    let kubernetes = Kubernetes::default();
    for attempt in 1..=KEY_TRIES {
        let why = match kubernetes.version_key(name).await.map(VersionKey::try_from) {
            Ok(Ok(key)) => return Some(key),
            Ok(Err(short)) => short.to_string(),
            Err(error) => error.to_string(),
        };
        warn!("--hmac-secret-name: {why} (try {attempt} of {KEY_TRIES})");
        if attempt < KEY_TRIES {
            sleep(Duration::from_secs(1)).await;
        }
    }
    None
}

/// Readiness: every socket is ours, and answers us.
struct Probe {
    endpoints: Vec<Endpoint>,
    readiness: Readiness,
}

impl Ready for Probe {
    async fn ready(&self) -> Result<(), String> {
        self.readiness.check()?;
        for endpoint in &self.endpoints {
            let answered = timeout(SELF_CALL, mount_command::version(endpoint.path())).await;
            if !matches!(answered, Ok(Ok(_))) {
                return Err(format!("{}.sock does not answer", endpoint.provider()));
            }
        }
        Ok(())
    }
}
