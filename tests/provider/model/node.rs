//! A node: the provider, which is killed and restarted with its state, and the driver's one connection to it.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::wire::csi_driver_provider_client::CsiDriverProviderClient;
use crate::support::wire::{MountRequest, MountResponse, VersionRequest};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};

use crate::support::canary::{assert_silent, canary};
use crate::support::until;
use crate::support::wait::free_address;

/// Time that the kubelet allows for a mount.
const DEADLINE: Duration = Duration::from_secs(120);

/// How a provider is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// SIGTERM, as the kubelet does.
    Asked,
    /// SIGKILL, as the kernel does when memory is short.
    Killed,
}

/// A provider on its own socket, with a state directory that survives it.
pub(crate) struct Node {
    home: TempDir,
    state: TempDir,
    server: String,
    health: SocketAddr,
    process: Child,
    client: CsiDriverProviderClient<Channel>,
}

impl Node {
    /// Starts a provider whose server is at `server`.
    pub(crate) async fn start(server: &str) -> Self {
        // Records are written to memory only.
        let (home, state) = (TempDir::new().unwrap(), TempDir::new_in("/dev/shm").unwrap());
        fs::write(home.path().join("key"), canary("a-key-of-the-node")).unwrap();
        let health = free_address();
        let process = launch(&home, &state, server, health);
        let client = connected(&home).await;
        Self { home, state, server: server.into(), health, process, client }
    }

    /// Ends the provider, and starts another one with the same state.
    pub(crate) async fn restart(&mut self, end: End) {
        self.end(end).await;
        self.process = launch(&self.home, &self.state, &self.server, self.health);
        self.client = connected(&self.home).await;
    }

    /// Ends the provider, and checks that its log contains no secret.
    pub(crate) async fn end(&mut self, end: End) {
        let signal = if end == End::Killed { Signal::SIGKILL } else { Signal::SIGTERM };
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
        let status = until("the provider's end", async || self.process.try_wait().unwrap()).await;
        assert!(status.success() || end == End::Killed, "it did not leave well: {status}\n{}", self.log());
        assert_silent("the log", &self.log(), &[]);
    }

    /// One mount, first or repeated.
    pub(crate) async fn mount(&self, request: MountRequest) -> Result<MountResponse, Status> {
        let mut request = Request::new(request);
        request.set_timeout(DEADLINE);
        self.client.clone().mount(request).await.map(tonic::Response::into_inner)
    }

    /// The sum of all series that begin with `start`.
    pub(crate) async fn metric(&self, start: &str) -> f64 {
        let text =
            reqwest::get(format!("http://{}/metrics", self.health)).await.unwrap().text().await.unwrap();
        let lines = text.lines().filter(|line| line.starts_with(start));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    }

    /// The log of the current process.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the provider's last words:\n{}", lines[lines.len().saturating_sub(5)..].join("\n"));
        }
    }
}

/// The kernel ends it with the thread of its test.
fn launch(home: &TempDir, state: &TempDir, server: &str, health: SocketAddr) -> Child {
    let (home, state) = (home.path(), state.path());
    let log = File::create(home.join("log")).unwrap();
    let mut command = Command::new("setpriv");
    command.args([
        "--pdeathsig",
        "KILL",
        env!("CARGO_BIN_EXE_vaultmount"),
        "--log-level=debug",
        "--token-requests=off",
    ]);
    command
        .arg(format!("--endpoint={}", home.join("vault.sock").display()))
        .arg(format!("--vault-addr={server}"));
    command.arg(format!("--health-addr={health}")).args(["--node-name=node-1", "--shutdown-timeout=5s"]);
    command.arg(format!("--state-dir={}", state.join("state").display()));
    command.arg(format!("--state-key-file={}", home.join("key").display()));
    command.env_clear().stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// A connection on which a first call was answered.
async fn connected(home: &TempDir) -> CsiDriverProviderClient<Channel> {
    let address = format!("unix://{}", home.path().join("vault.sock").display());
    until("an answer on the provider's socket", async || {
        let endpoint =
            Endpoint::from_shared(address.clone()).unwrap().origin(Uri::from_static("http://localhost"));
        let mut client = CsiDriverProviderClient::new(endpoint.connect().await.ok()?);
        client.version(VersionRequest { version: "v1alpha1".into() }).await.ok()?;
        Some(client)
    })
    .await
}
