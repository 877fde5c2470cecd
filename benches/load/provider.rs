//! The provider that is measured: our binary, started here, or a provider that already listens on a socket.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::wire::csi_driver_provider_client::CsiDriverProviderClient;
use crate::support::wire::{MountRequest, VersionRequest};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::time::sleep;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};

use crate::args::Args;
use crate::environment::Environment;
use crate::support::wait::until;

/// Time that the kubelet allows for a mount.
const DEADLINE: Duration = Duration::from_secs(120);

/// The driver's side of the connection.
pub(crate) type Client = CsiDriverProviderClient<Channel>;

/// A provider and the driver's one connection to it.
pub(crate) struct Provider {
    /// Directory of its log; removed with it.
    process: Option<(Child, TempDir)>,
    /// Process that created the socket.
    pub(crate) pid: i32,
    pub(crate) client: Client,
    /// Time from its start to its first response, if it was started here.
    pub(crate) first_answer: Option<Duration>,
}

impl Provider {
    pub(crate) async fn start(args: &Args, environment: &Environment) -> Self {
        match &args.socket {
            Some(socket) => Self::join(socket).await,
            None => Self::launch(&args.binary, &environment.hop.url()).await,
        }
    }

    /// A provider that already runs, or starts within a short time.
    async fn join(socket: &Path) -> Self {
        let client = until("a provider's answer on the socket", async || connect(socket).await).await;
        let peer = UnixStream::connect(socket).await.unwrap().peer_cred().unwrap();
        let pid = peer.pid().filter(|&pid| pid > 0).expect("a provider whose process can be seen from here");
        Self { process: None, pid, client, first_answer: None }
    }

    /// Our binary with its defaults. The kernel ends it with the benchmark.
    async fn launch(binary: &Path, server: &str) -> Self {
        assert!(binary.is_file(), "{}: no such binary; `make binary` builds it", binary.display());
        let home = TempDir::new().unwrap();
        let (socket, log) = (home.path().join("vault.sock"), File::create(home.path().join("log")).unwrap());
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(binary).env_clear().stdin(Stdio::null());
        command.arg(format!("--endpoint={}", socket.display())).arg(format!("--vault-addr={server}"));
        command.args(["--health-addr=127.0.0.1:0", "--token-requests=off"]);
        let begun = Instant::now();
        let process = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let client = loop {
            match connect(&socket).await {
                Some(client) => break client,
                None if begun.elapsed() > Duration::from_secs(10) => {
                    panic!("no answer in 10 s: {}", last_lines(home.path()))
                }
                None => sleep(Duration::from_millis(1)).await,
            }
        };
        let first_answer = Some(begun.elapsed());
        Self { pid: process.id().cast_signed(), process: Some((process, home)), client, first_answer }
    }

    /// The Version call, which costs a provider nothing.
    pub(crate) async fn version(mut client: Client) -> Result<(), Status> {
        client.version(VersionRequest { version: "v1alpha1".into() }).await.map(drop)
    }

    /// A mount. Fails unless it returns as many files as the class has objects.
    pub(crate) async fn mount(mut client: Client, request: MountRequest, files: usize) {
        let mut request = Request::new(request);
        request.set_timeout(DEADLINE);
        let answer = client
            .mount(request)
            .await
            .unwrap_or_else(|status| panic!("a mount failed: {status}"))
            .into_inner();
        let code = answer.error.map(|error| error.code).unwrap_or_default();
        assert!(
            code.is_empty() && answer.files.len() == files,
            "{} files of {files}, error code {code:?}",
            answer.files.len()
        );
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let Some((process, home)) = &mut self.process else { return };
        let _ = process.kill();
        let _ = process.wait();
        if std::thread::panicking() {
            eprintln!("the provider's last log lines:\n{}", last_lines(home.path()));
        }
    }
}

/// The last lines of its log.
fn last_lines(home: &Path) -> String {
    let log = std::fs::read_to_string(home.join("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

/// A connection on which a first call was answered.
async fn connect(socket: &Path) -> Option<Client> {
    // Driver 1.6 names the provider `localhost`.
    let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display()))
        .unwrap()
        .origin(Uri::from_static("http://localhost"));
    let client = CsiDriverProviderClient::new(endpoint.connect().await.ok()?);
    Provider::version(client.clone()).await.ok()?;
    Some(client)
}
