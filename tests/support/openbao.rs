//! An OpenBao for one test: it starts in a tenth of a second, so every test has a new one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::token::Issuer;
use super::wait::{free_port, until};

/// A running OpenBao, in memory by default: KV v2 at `secret/`, and an auth mount `kubernetes` that trusts `issuer`.
pub(crate) struct Vault {
    process: Child,
    home: TempDir,
    port: u16,
    scheme: &'static str,
    http: Client,
    unseal_key: String,
    pub(super) root: String,
    pub(crate) issuer: Arc<Issuer>,
}

/// The server's settings: PEM files for TLS, whether it has an audit log, and whether its storage survives its process.
#[derive(Clone, Default)]
pub(crate) struct Listener {
    pub(crate) certificate_and_key: Option<(PathBuf, PathBuf)>,
    pub(crate) client_ca: Option<PathBuf>,
    /// Without an audit log, which would be measured too under load.
    pub(crate) silent: bool,
    /// With storage that survives the process.
    pub(crate) durable: bool,
}

impl Vault {
    /// A server on plain HTTP, with the role `web` for the service account `team-a/web`, which reads `secret/team-a/`.
    pub(crate) async fn start() -> Self {
        Self::listening(&Listener::default()).await
    }

    /// The same with another listener.
    pub(crate) async fn listening(listener: &Listener) -> Self {
        let vault = Self::unsealed(listener).await;
        vault.enable("secret", "kv", json!({ "version": "2" })).await;
        vault.trust("", "kubernetes").await;
        vault.role("kubernetes", "web", json!({})).await;
        vault.allow("secret/data/team-a/*", &["read"]).await;
        vault
    }

    /// `http://127.0.0.1:<port>`, or with `https`.
    pub(crate) fn address(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// The port of `address`.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A unix socket on which the same server listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.home.path().join("bao.sock")
    }

    /// The root token.
    pub(crate) fn root_token(&self) -> &str {
        &self.root
    }

    /// The audit log: unlike in production, with tokens in plain text.
    pub(super) fn audit_log(&self) -> PathBuf {
        self.home.path().join("audit.log")
    }

    /// Calls the API with the root token. Any failure fails the test.
    pub(crate) async fn call(&self, method: Method, namespace: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.try_call(method, namespace, path, body).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    pub(crate) async fn try_call(
        &self,
        method: Method,
        namespace: &str,
        path: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let request =
            self.http.request(method, format!("http://bao/v1/{path}")).header("X-Vault-Token", &self.root);
        let response =
            request.header("X-Vault-Namespace", namespace).body(body.to_string()).send().await.unwrap();
        let status = response.status();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
    }

    /// Revokes the token of an accessor, as an operator does. False when it has already ended.
    #[allow(dead_code, reason = "for the model and the soak; tests end all logins together")]
    pub(crate) async fn revoke(&self, accessor: &Value) -> bool {
        let (status, answer) = self
            .try_call(Method::POST, "", "auth/token/revoke-accessor", &json!({ "accessor": accessor }))
            .await;
        let ended =
            ["token not found", "invalid accessor"].iter().any(|words| answer.to_string().contains(words));
        assert!(status.is_success() || ended, "{status} {answer}");
        status.is_success()
    }

    /// Seals the server: every call gets 503 until `unseal`.
    pub(crate) async fn seal(&self) {
        self.call(Method::PUT, "", "sys/seal", &json!({})).await;
        until("sealed", async || self.state("sealed").await.then_some(())).await;
    }

    pub(crate) async fn unseal(&self) {
        self.call(Method::PUT, "", "sys/unseal", &json!({ "key": self.unseal_key })).await;
        until("active", async || {
            (self.try_call(Method::GET, "", "sys/health", &json!({})).await.0 == StatusCode::OK).then_some(())
        })
        .await;
    }

    /// Pauses the server: connections are accepted and get no response until `resume`.
    pub(crate) fn hang(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Restarts a durable server with its storage.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        self.process = launch(self.home.path());
        until("the server's socket", async || {
            self.http.get("http://bao/v1/sys/seal-status").send().await.ok()
        })
        .await;
        self.unseal().await;
    }

    /// Kills the server: connections are refused.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
    }

    async fn state(&self, member: &str) -> bool {
        self.try_call(Method::GET, "", "sys/seal-status", &json!({})).await.1[member] == true
    }

    /// Starts the server, again on another port if the port was taken, then initialises and unseals it.
    async fn unsealed(listener: &Listener) -> Self {
        for _ in 0..10 {
            let mut vault = Self::spawn(listener);
            let up = until("the server's socket", async || match vault.process.try_wait().unwrap() {
                Some(_) => Some(false),
                None => vault.http.get("http://bao/v1/sys/seal-status").send().await.is_ok().then_some(true),
            });
            if up.await {
                let keys = vault
                    .call(Method::PUT, "", "sys/init", &json!({ "secret_shares": 1, "secret_threshold": 1 }))
                    .await;
                (vault.unseal_key, vault.root) = (text(&keys["keys"][0]), text(&keys["root_token"]));
                vault.unseal().await;
                return vault;
            }
        }
        panic!("no port was free ten times in a row");
    }

    fn spawn(listener: &Listener) -> Self {
        let (home, port) = (TempDir::new().unwrap(), free_port());
        fs::write(home.path().join("bao.json"), configuration(home.path(), port, listener).to_string())
            .unwrap();
        // Only the first test installs the crypto provider; a client needs one even for plain text.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().unix_socket(home.path().join("bao.sock")).build().unwrap();
        let scheme = if listener.certificate_and_key.is_some() { "https" } else { "http" };
        let (root, unseal_key) = (String::new(), String::new());
        Self {
            process: launch(home.path()),
            home,
            port,
            scheme,
            http,
            unseal_key,
            root,
            issuer: Arc::new(Issuer::new()),
        }
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(home: &Path, port: u16, listener: &Listener) -> Value {
    let mut tcp = json!({ "address": format!("127.0.0.1:{port}"), "tls_disable": listener.certificate_and_key.is_none() });
    if let Some((certificate, key)) = &listener.certificate_and_key {
        tcp["tls_cert_file"] = json!(certificate);
        tcp["tls_key_file"] = json!(key);
    }
    if let Some(ca) = &listener.client_ca {
        tcp["tls_client_ca_file"] = json!(ca);
        tcp["tls_require_and_verify_client_cert"] = json!(true);
    }
    // A test may write a secret of thousands of keys at once.
    let unix = json!({ "address": home.join("bao.sock"), "max_request_json_strings": 100_000, "max_request_json_memory": 64 * 1024 * 1024 });
    let mut all = json!({
        "storage": { "inmem": {} }, "disable_clustering": true, "api_addr": format!("http://127.0.0.1:{port}"), "log_level": "warn",
        "listener": [{ "unix": unix }, { "tcp": tcp }],
    });
    if listener.durable {
        let cluster = format!("127.0.0.1:{}", free_port());
        fs::create_dir(home.join("store")).unwrap();
        all["storage"] = json!({ "raft": { "path": home.join("store"), "node_id": "one" } });
        all["disable_clustering"] = json!(false);
        all["cluster_addr"] = json!(format!("http://{cluster}"));
        all["listener"][1]["tcp"]["cluster_address"] = json!(cluster);
    }
    if !listener.silent {
        let options = json!({ "file_path": home.join("audit.log"), "log_raw": "true" });
        all["audit"] = json!([{ "type": "file", "path": "log", "options": options }]);
    }
    all
}

/// The kernel ends it with the thread of its test, even one that was killed.
fn launch(home: &Path) -> Child {
    let log = File::create(home.join("bao.log")).unwrap();
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL"])
        .arg(binary())
        .arg("server")
        .arg(format!("-config={}", home.join("bao.json").display()));
    command
        .env_clear()
        .env("HOME", home)
        .stdin(Stdio::null())
        .stderr(log.try_clone().unwrap())
        .stdout(log)
        .spawn()
        .unwrap()
}

/// The server's binary: from the cache, fetched on first use.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/openbao.sh");
        let output = Command::new("sh").arg(script).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{script} failed");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
