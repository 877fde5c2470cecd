//! Settings and start of a provider.

use std::fs::{self, File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::audit;
use super::canary::assert_silent;
use super::provider::Provider;
use super::token::Issuer;
use super::wait::until;

/// File name of the key that seals the state, in a provider's own directory.
pub(super) const STATE_KEY: &str = "state.key";

/// Name of the kubelet's directory in a provider's own directory.
pub(super) const KUBELET: &str = "kubelet";

/// System calls that open or change a file by its name.
const CHANGES: &str = "trace=open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,symlink,symlinkat,link,linkat,rename,renameat,renameat2,\
    unlink,unlinkat,rmdir,truncate,chmod,fchmodat,chown,lchown,fchownat,utimensat";

/// The settings of a provider to start.
pub(crate) struct Setup {
    pub(super) home: TempDir,
    pub(super) sockets: Vec<String>,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
    pub(super) issuer: Arc<Issuer>,
    pub(super) audit: PathBuf,
    pub(super) state: Option<Arc<TempDir>>,
    /// Its own mount namespace with the kubelet's directory.
    pub(super) own_mounts: bool,
    /// Under strace, which records everything that changes a file system.
    is_traced: bool,
    /// That mount namespace, kept for the next process after the end of the first.
    pub(super) mounts: Mutex<Option<File>>,
}

impl Setup {
    pub(super) fn new(issuer: Arc<Issuer>, audit: PathBuf) -> Self {
        let flags = [
            "--log-level=trace",
            "--health-addr=127.0.0.1:0",
            "--token-requests=off",
            "--shutdown-timeout=5s",
        ];
        let (home, sockets) = (TempDir::new().unwrap(), vec!["vault.sock".into()]);
        let (flags, environment, state) = (flags.map(Into::into).into(), Vec::new(), None);
        Self {
            home,
            sockets,
            flags,
            environment,
            issuer,
            audit,
            state,
            own_mounts: false,
            is_traced: false,
            mounts: Mutex::default(),
        }
    }

    /// With a state directory in memory, which the next process uses too.
    pub(crate) fn keeping_state(self) -> Self {
        let ours = Permissions::from_mode(0o700);
        let state = tempfile::Builder::new()
            .prefix("vaultmount-tests-")
            .permissions(ours)
            .tempdir_in("/dev/shm")
            .unwrap();
        self.with_state(Arc::new(state))
    }

    /// With a state directory that the version key seals, as in our manifests.
    pub(crate) fn with_one_key(mut self) -> Self {
        self.flags.iter_mut().for_each(|flag| *flag = flag.replace("--state-key-file=", "--hmac-key-file="));
        self
    }

    /// With the state directory of `other`.
    pub(crate) fn with_state_of(self, other: &Provider) -> Self {
        fs::copy(other.state_key(), self.home.path().join(STATE_KEY)).unwrap();
        self.with_state(other.state())
    }

    fn with_state(mut self, state: Arc<TempDir>) -> Self {
        let key = self.home.path().join(STATE_KEY);
        if !key.exists() {
            fs::write(&key, rand::random::<[u8; 32]>()).unwrap();
        }
        let (directory, key) = (
            format!("--state-dir={}", state.path().display()),
            format!("--state-key-file={}", key.display()),
        );
        self.state = Some(state);
        self.flag(directory).flag(key).flag("--node-name=node-1")
    }

    /// With its own mount namespace that has a kubelet's directory; needs root.
    pub(crate) fn seeing_mounts(mut self) -> Self {
        let kubelet = self.home.path().join(KUBELET);
        fs::create_dir_all(kubelet.join("pods")).unwrap();
        self.own_mounts = true;
        self.flag(format!("--kubelet-dir={}", kubelet.display()))
    }

    /// Records every system call that opens, creates, moves, changes or removes a file.
    pub(crate) fn traced(mut self) -> Self {
        self.is_traced = true;
        self
    }

    /// Adds a flag, or changes its value.
    pub(crate) fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// Removes the flag that begins with `start`.
    pub(crate) fn without(mut self, start: &str) -> Self {
        self.flags.retain(|flag| !flag.starts_with(start));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Sockets of these names instead of `vault.sock`.
    pub(crate) fn sockets(mut self, names: &[&str]) -> Self {
        self.sockets = names.iter().map(|&name| name.into()).collect();
        self
    }

    /// Starts it and waits until every socket accepts a connection.
    pub(crate) async fn start(self) -> Provider {
        let provider = self.begin();
        provider.is_ready().await;
        provider
    }

    /// Starts it without waiting.
    pub(crate) fn begin(self) -> Provider {
        Provider::new(self)
    }

    /// Starts a provider whose start must fail, and returns its log.
    pub(crate) async fn fails(self) -> String {
        let mut process = self.spawn();
        let status = until("a start that fails", async || process.try_wait().unwrap()).await;
        let log = fs::read_to_string(self.log()).unwrap();
        assert!(!status.success(), "the start succeeded\n{log}");
        assert_silent("the log", &log, &audit::tokens(&self.audit));
        log
    }

    pub(super) fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        let mounts = self.mounts.lock().unwrap();
        match &*mounts {
            Some(mounts) => {
                _ = command.args([
                    "nsenter",
                    &format!("--mount=/proc/{}/fd/{}", std::process::id(), mounts.as_raw_fd()),
                ])
            }
            None if self.own_mounts => _ = command.args(["unshare", "--mount", "--propagation=private"]),
            None => {}
        }
        if self.is_traced {
            // strace runs as a grandchild, so that the provider is our child.
            command
                .args(["strace", "-D", "-f", "-y", "-qq", "-s", "4096", "-e", CHANGES, "-o"])
                .arg(self.trace());
        }
        command.arg(env!("CARGO_BIN_EXE_vaultmount"));
        command.args(
            self.sockets.iter().map(|name| format!("--endpoint={}", self.home.path().join(name).display())),
        );
        command
            .args(&self.flags)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    pub(super) fn trace(&self) -> PathBuf {
        self.home.path().join("trace")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.home.path().join("log")
    }
}
