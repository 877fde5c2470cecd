//! A server on its own sockets whose service does what the request's target path says, and its clients.

use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::limits::Deadline;
use crate::provider_api::csi_driver_provider_client::CsiDriverProviderClient;
use crate::provider_api::csi_driver_provider_server::{CsiDriverProvider, CsiDriverProviderServer};
use crate::provider_api::{MountRequest, MountResponse, ObjectVersion, VersionRequest, VersionResponse};
use crate::server;
use crate::server::{Endpoint, Readiness, ServerError, Sockets};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::transport::{Channel, Uri};
use tonic::{Code, Request, Response, Status};
use tower::service_fn;

/// Longest wait for a condition before a test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running server and its directory, which is removed with it.
pub(crate) struct Server {
    pub(crate) directory: TempDir,
    pub(crate) readiness: Readiness,
    pub(crate) fake: Fake,
    stop: Arc<Notify>,
    ended: JoinHandle<Result<(), ServerError>>,
}

/// The settings of a server to start.
pub(crate) struct Setup {
    pub(crate) directory: TempDir,
    pub(crate) sockets: Sockets,
}

impl Setup {
    /// `vault.sock` in its own directory, which every user may enter.
    pub(crate) fn new() -> Self {
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let directory = tempfile::Builder::new().permissions(open).tempdir().unwrap();
        let endpoint = endpoint(&directory.path().join("vault.sock"));
        let shutdown_timeout = Duration::from_secs(20);
        Self {
            directory,
            sockets: Sockets {
                endpoints: vec![endpoint],
                allow_peer_uids: vec![],
                shadow_directories: vec![],
                shutdown_timeout,
            },
        }
    }

    /// Starts the server; it may not be ready yet.
    pub(crate) fn start(self) -> Server {
        let (readiness, fake, stop) = (Readiness::default(), Fake::default(), Arc::new(Notify::new()));
        let service = CsiDriverProviderServer::new(fake.clone());
        let stopped = Arc::clone(&stop);
        let stopped = async move { stopped.notified().await };
        let ended = tokio::spawn(server::serve(
            self.sockets,
            move |_: &Endpoint| service.clone(),
            readiness.clone(),
            stopped,
        ));
        Server { directory: self.directory, readiness, fake, stop, ended }
    }
}

impl Server {
    /// A server that is ready.
    pub(crate) async fn ready() -> Self {
        let server = Setup::new().start();
        until("the server to be ready", || server.readiness.check().is_ok()).await;
        server
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("vault.sock")
    }

    /// A client like the driver: one connection for all calls.
    pub(crate) async fn client(&self) -> CsiDriverProviderClient<Channel> {
        client(&self.path()).await
    }

    /// Starts the shutdown, as SIGTERM does.
    pub(crate) fn begin_stop(&self) {
        self.stop.notify_one();
    }

    /// Stops the server and waits for its end.
    pub(crate) async fn stop(self) -> TempDir {
        self.begin_stop();
        self.ended.await.unwrap().unwrap();
        self.directory
    }
}

/// A service that does what the target path says: `ok`, `hang`, `blocked` (waits for a permit), `panic`,
/// `code:<number>`, `deadline` (returns the deadline of its response), `late` (responds exactly then).
#[derive(Clone)]
pub(crate) struct Fake {
    /// One permit for each blocked mount that may continue.
    pub(crate) blocked: Arc<Semaphore>,
    /// One permit for each mount that has begun.
    pub(crate) begun: Arc<Semaphore>,
}

impl Default for Fake {
    fn default() -> Self {
        Self { blocked: Arc::new(Semaphore::new(0)), begun: Arc::new(Semaphore::new(0)) }
    }
}

#[tonic::async_trait]
impl CsiDriverProvider for Fake {
    async fn version(&self, _: Request<VersionRequest>) -> Result<Response<VersionResponse>, Status> {
        Ok(Response::new(VersionResponse { version: "v1alpha1".into(), ..Default::default() }))
    }

    async fn mount(&self, request: Request<MountRequest>) -> Result<Response<MountResponse>, Status> {
        assert!(
            !request.metadata().contains_key("grpc-timeout"),
            "the gRPC library could answer at the deadline"
        );
        let due = Deadline::of(request.extensions());
        self.begun.add_permits(1);
        let reply = match request.into_inner().target_path.as_str() {
            "hang" => std::future::pending().await,
            "blocked" => {
                self.blocked.acquire().await.map(|permit| permit.forget()).map(|()| String::new()).unwrap()
            }
            "panic" => panic!("canary-of-the-panic"),
            "deadline" => (due - Instant::now()).as_millis().to_string(),
            "late" => {
                sleep_until(due).await;
                return Err(Status::failed_precondition("deadline: the mount did not end in time"));
            }
            code if code.starts_with("code:") => {
                return Err(Status::new(Code::from_bytes(&code.as_bytes()[5..]), "kept words"));
            }
            _ => String::new(),
        };
        let version = ObjectVersion { id: "reply".into(), version: reply };
        Ok(Response::new(MountResponse { object_version: vec![version], ..Default::default() }))
    }
}

/// A request with this target path, see `Fake`.
pub(crate) fn mount(what: &str) -> MountRequest {
    MountRequest { target_path: what.into(), ..Default::default() }
}

pub(crate) fn endpoint(path: &Path) -> Endpoint {
    path.to_str().unwrap().parse().unwrap()
}

pub(crate) async fn client(path: &Path) -> CsiDriverProviderClient<Channel> {
    let path = path.to_owned();
    let connect = service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    let channel = tonic::transport::Endpoint::from_static("http://localhost")
        .connect_with_connector(connect)
        .await
        .unwrap();
    CsiDriverProviderClient::new(channel)
}

/// Waits for `condition` and returns how long it took.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}

/// Whether a process accepts connections at `path`.
pub(crate) fn answers(path: &Path) -> bool {
    StdStream::connect(path).is_ok()
}
