//! The real binary on its own sockets, with its log.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::wire::csi_driver_provider_client::CsiDriverProviderClient;
use super::wire::{MountRequest, MountResponse};
use futures::TryFutureExt;
use hyper_util::rt::TokioIo;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tonic::transport::Endpoint;
use tonic::{Request, Response, Status};
use tower::service_fn;

use super::audit;
use super::canary::assert_silent;
use super::class::Class;
use super::driver::Call;
use super::openbao::Vault;
use super::provider_setup::{STATE_KEY, Setup};
use super::token::Issuer;
use super::volume::{Refusal, Volume};
use super::wait::until;

/// A running provider. When the value is dropped, it is stopped as the kubelet does, and must exit with success and without a secret in its
/// log or in any status that it sent.
pub(crate) struct Provider {
    process: Mutex<Child>,
    setup: Setup,
    statuses: Mutex<String>,
}

impl Provider {
    /// Starts a provider with `setup`.
    pub(super) fn new(setup: Setup) -> Self {
        Self { process: Mutex::new(setup.spawn()), setup, statuses: Mutex::default() }
    }

    /// Starts a provider whose configured server is `vault`, on `vault.sock`.
    pub(crate) async fn start(vault: &Vault) -> Self {
        Self::of(vault).start().await
    }

    /// The setup of a provider whose configured server is `vault`.
    pub(crate) fn of(vault: &Vault) -> Setup {
        Self::without_server(vault).flag(format!("--vault-addr={}", vault.address()))
    }

    /// A provider without a configured server; its pods' tokens are still signed by `vault`'s issuer.
    pub(crate) fn without_server(vault: &Vault) -> Setup {
        Setup::new(vault.issuer.clone(), vault.audit_log())
    }

    /// A provider whose configured server is not a real one.
    pub(crate) fn facing(address: &str) -> Setup {
        Setup::new(Arc::new(Issuer::new()), PathBuf::new()).flag(format!("--vault-addr={address}"))
    }

    /// Mounts `class` for a pod of the service account `account`, written `namespace/name`.
    pub(crate) async fn mount(&self, account: &str, class: Class) -> Volume<'_> {
        self.call(account, class).mount().await
    }

    /// A mount of `class` that must fail.
    pub(crate) async fn refuses(&self, account: &str, class: Class) -> Refusal {
        self.call(account, class).fails().await
    }

    /// A mount that can still be changed before it is sent.
    pub(crate) fn call(&self, account: &str, class: Class) -> Call<'_> {
        Call::new(self, account, class)
    }

    /// Waits until every socket accepts a connection.
    pub(crate) async fn is_ready(&self) {
        for name in &self.setup.sockets {
            let path = self.socket(name);
            until("the provider's socket", async || {
                let ended = self.process().try_wait().unwrap();
                assert!(ended.is_none(), "it ended at its start: {ended:?}\n{}", self.log());
                UnixStream::connect(&path).await.ok()
            })
            .await;
        }
    }

    /// Kills the provider, as the kernel does when memory is short.
    pub(crate) fn kill(&self) {
        let mut process = self.process();
        if self.setup.own_mounts {
            *self.setup.mounts.lock().unwrap() =
                Some(File::open(format!("/proc/{}/ns/mnt", process.id())).unwrap());
        }
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Starts it again after its end, with the same directories.
    pub(crate) async fn restart(&self) {
        *self.process() = self.setup.spawn();
        self.is_ready().await;
    }

    /// The paths that the provider has changed or opened for writing, with the whole system calls.
    pub(crate) fn changed(&self) -> Vec<(PathBuf, String)> {
        let trace = fs::read_to_string(self.setup.trace()).unwrap();
        trace.lines().filter_map(changed).collect()
    }

    /// The state directory.
    pub(crate) fn state(&self) -> Arc<TempDir> {
        Arc::clone(self.setup.state.as_ref().unwrap())
    }

    /// The file of the key that seals the state.
    pub(crate) fn state_key(&self) -> PathBuf {
        self.home().join(STATE_KEY)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process().id()
    }

    fn process(&self) -> MutexGuard<'_, Child> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn socket(&self, name: &str) -> PathBuf {
        self.setup.home.path().join(name)
    }

    /// The provider's own directory, removed with it.
    pub(crate) fn home(&self) -> &Path {
        self.setup.home.path()
    }

    /// The peak memory of the process, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The processor time used so far, in ticks of 10 ms: fields 14 and 15 of proc_pid_stat(5), here counted from after the name.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let ticks = stat
            .rsplit_once(") ")
            .unwrap()
            .1
            .split(' ')
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().unwrap());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// The child processes that were not reaped.
    pub(crate) fn children(&self) -> Vec<u32> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.id())).unwrap().flatten();
        let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        lists
            .flat_map(|list| list.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>())
            .collect()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.setup.log()).unwrap()
    }

    /// Sends SIGTERM, as the kubelet does.
    pub(crate) fn terminate(&self) {
        let _ = kill(Pid::from_raw(self.process().id().cast_signed()), Signal::SIGTERM);
    }

    /// Waits until the process has exited.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        until("the provider's end", async || self.process().try_wait().unwrap()).await
    }

    /// Sends `request` over a new connection.
    pub(super) async fn send(
        &self,
        socket: &str,
        request: Request<MountRequest>,
    ) -> Result<MountResponse, Status> {
        let path = self.socket(socket);
        let answer = wire().spawn(async move {
            let connect = service_fn(move |_| UnixStream::connect(path.clone()).map_ok(TokioIo::new));
            let channel = Endpoint::from_static("http://localhost").connect_with_connector(connect).await?;
            Ok(CsiDriverProviderClient::new(channel).mount(request).await)
        });
        let connected: Result<_, tonic::transport::Error> = answer.await.unwrap();
        connected.unwrap_or_else(|error| panic!("{socket}: {error:?}")).map(Response::into_inner)
    }

    pub(super) fn issue(&self, claims: &Value) -> String {
        self.setup.issuer.sign(claims)
    }

    /// Records the text of a status, which is searched for secrets at the end.
    pub(super) fn witness(&self, status: Status) -> Refusal {
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        *statuses += &format!("{status:?}\n");
        Refusal { code: status.code(), text: status.message().into() }
    }

    /// Stops it, within its shutdown timeout and some margin.
    fn end(&mut self) -> Option<ExitStatus> {
        self.terminate();
        let patience = Instant::now() + Duration::from_secs(30);
        while Instant::now() < patience {
            if let Some(status) = self.process().try_wait().unwrap() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(2));
        }
        let mut process = self.process();
        let _ = process.kill();
        let _ = process.wait();
        None
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let (status, log) = (self.end(), self.log());
        if thread::panicking() {
            eprintln!("the provider's log:\n{log}");
            return;
        }
        assert!(status.is_some_and(|status| status.success()), "it did not leave well: {status:?}\n{log}");
        let tokens = audit::tokens(&self.setup.audit);
        assert_silent("the log", &log, &tokens);
        assert_silent(
            "the statuses",
            self.statuses.get_mut().unwrap_or_else(PoisonError::into_inner),
            &tokens,
        );
    }
}

/// The runtime of the clients' connections: it must run while the thread of a test waits for the end of a provider,
/// because a drain lasts until the other side has closed.
fn wire() -> &'static Runtime {
    static WIRE: OnceLock<Runtime> = OnceLock::new();
    WIRE.get_or_init(|| Runtime::new().unwrap())
}

/// The path that a system call in strace's output changes: `/a/b/c` for `123 mkdirat(4</a/b>, "c", 0700) = 0`.
fn changed(call: &str) -> Option<(PathBuf, String)> {
    let (_, call) = call.split_once(' ')?;
    let (name, arguments) = call.trim_start().split_once('(')?;
    let for_writing =
        ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|flag| arguments.contains(flag));
    if name.starts_with("open") && !for_writing {
        return None;
    }
    let path = arguments.split('"').nth(1)?;
    let base =
        arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(base, _)| base);
    Some((Path::new(base).join(path), call.to_owned()))
}
