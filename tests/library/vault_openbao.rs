//! Logins and calls with a real OpenBao: its error texts, its TLS, its sockets.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::Reason;
use crate::limits::Budget;
use crate::secret::Secret;
use crate::spec::{Address, AuthSpec, Request, ServerSpec, TlsSpec};
use crate::vault::{Login, Outbound, VaultError, VaultResponse, Vaults};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ED25519, SigningKey,
};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server with a plain listener, one with TLS and one on a socket, unsealed, with a role `web` that reads `secret/team/`.
struct OpenBao {
    process: Child,
    home: TempDir,
    plain: u16,
    tls: u16,
    root: String,
    issuer: KeyPair,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl OpenBao {
    async fn start() -> Self {
        Self::certified(
            CertificateParams::new(vec!["vault.example".to_owned(), "localhost".to_owned()]).unwrap(),
        )
        .await
    }

    /// Starts the server with this certificate.
    async fn certified(certificate: CertificateParams) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (home, authority, key) = (TempDir::new().unwrap(), authority(), KeyPair::generate().unwrap());
        let certificate = certificate.signed_by(&key, &authority).unwrap();
        fs::write(home.path().join("ca.pem"), authority.pem()).unwrap();
        fs::write(home.path().join("server.pem"), certificate.pem()).unwrap();
        fs::write(home.path().join("server.key"), key.serialize_pem()).unwrap();
        let (plain, tls) = (free_port(), free_port());
        let process = launch(home.path(), plain, tls);
        let issuer = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut bao = Self { process, home, plain, tls, root: String::new(), issuer, authority };
        bao.prepare().await;
        bao
    }

    async fn prepare(&mut self) {
        let keys =
            self.at_last(Method::PUT, "sys/init", json!({ "secret_shares": 1, "secret_threshold": 1 })).await;
        self.root = keys["root_token"].as_str().unwrap().to_owned();
        self.put("sys/unseal", json!({ "key": keys["keys"][0] })).await;
        self.put("sys/mounts/secret", json!({ "type": "kv", "options": { "version": "2" } })).await;
        self.at_last(Method::GET, "secret/config", json!({})).await;
        self.put("secret/data/team/db", json!({ "data": { "password": "p" } })).await;
        self.put("secret/data/team/gone", json!({ "data": { "password": "p" } })).await;
        self.ask(Method::DELETE, "secret/data/team/gone", Value::Null).await.unwrap();
        self.put("sys/policies/acl/web", json!({ "policy": "path \"secret/*\" { capabilities = [\"read\"] } path \"secret/data/denied\" { capabilities = [\"deny\"] }" })).await;
        self.put("sys/auth/kubernetes", json!({ "type": "jwt" })).await;
        self.put(
            "auth/kubernetes/config",
            json!({ "jwt_validation_pubkeys": [self.issuer.public_key_pem()] }),
        )
        .await;
        let role = json!({ "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "bound_subject": "web", "token_policies": ["web"] });
        self.put("auth/kubernetes/role/web", role).await;
    }

    /// Repeats a call until it succeeds, because a new server or KV v2 mount fails at first. A server whose port was taken is restarted on other ports.
    async fn at_last(&mut self, method: Method, path: &str, body: Value) -> Value {
        let begun = Instant::now();
        loop {
            match self.ask(method.clone(), path, body.clone()).await {
                Ok(answer) => return answer,
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(30), "{path}: {error}"),
            }
            if self.process.try_wait().unwrap().is_some() {
                (self.plain, self.tls) = (free_port(), free_port());
                self.process = launch(self.home.path(), self.plain, self.tls);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Calls the API with the root token.
    async fn ask(&self, method: Method, path: &str, body: Value) -> Result<Value, reqwest::Error> {
        let client = reqwest::Client::builder().unix_socket(self.socket()).build()?;
        let request = client
            .request(method, format!("http://bao/v1/{path}"))
            .header("X-Vault-Token", &self.root)
            .body(body.to_string());
        Ok(serde_json::from_slice(&request.send().await?.error_for_status()?.bytes().await?)
            .unwrap_or_default())
    }

    async fn put(&self, path: &str, body: Value) {
        self.ask(Method::PUT, path, body).await.unwrap();
    }

    async fn tokens(&self) -> usize {
        self.ask("LIST".parse().unwrap(), "auth/token/accessors", Value::Null).await.unwrap()["data"]["keys"]
            .as_array()
            .unwrap()
            .len()
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("bao.sock")
    }

    fn ca(&self) -> TlsSpec {
        TlsSpec { ca_file: Some(self.home.path().join("ca.pem")), ..TlsSpec::default() }
    }

    fn plain(&self) -> ServerSpec {
        at(&format!("http://127.0.0.1:{}", self.plain), TlsSpec::default())
    }

    fn secure(&self, host: &str, tls: TlsSpec) -> ServerSpec {
        at(&format!("https://{host}:{}", self.tls), tls)
    }

    fn token(&self, claims: &Value) -> Secret {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "alg": "EdDSA", "typ": "JWT" })), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.issuer.sign(signed.as_bytes()).unwrap());
        Secret::from(format!("{signed}.{signature}"))
    }

    async fn login(&self, server: &ServerSpec) -> Result<Login, VaultError> {
        let claims = json!({ "sub": "web", "aud": "vault", "iat": 1_700_000_000, "exp": 4_000_000_000_u64 });
        Vaults::new(Outbound::default())
            .server(server)?
            .login(&auth("kubernetes", "web"), &self.token(&claims), &budget())
            .await
    }

    async fn read(&self, server: &ServerSpec, path: &str) -> Result<VaultResponse, VaultError> {
        let login = self.login(server).await?;
        let request =
            Request { method: Method::GET, path: path.parse().unwrap(), query: Vec::new(), body: None };
        let answer = login.call(&request, None, &budget()).await;
        assert!(login.revoke(&budget()).await.is_ok());
        answer
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Fetches the binary on first use. The kernel ends the server with the thread of its test.
fn launch(home: &Path, plain: u16, tls: u16) -> Child {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/openbao.sh");
    let fetched = Command::new("sh").arg(script).stderr(Stdio::inherit()).output().unwrap();
    assert!(fetched.status.success(), "{script} failed");
    let (certificate, key) = (home.join("server.pem"), home.join("server.key"));
    let configuration = json!({
        "storage": { "inmem": {} }, "disable_clustering": true, "api_addr": format!("http://127.0.0.1:{plain}"), "log_level": "warn",
        "listener": [
            { "unix": { "address": home.join("bao.sock") } },
            { "tcp": { "address": format!("127.0.0.1:{plain}"), "tls_disable": true } },
            { "tcp": { "address": format!("127.0.0.1:{tls}"), "tls_cert_file": certificate, "tls_key_file": key } },
        ],
    });
    fs::write(home.join("bao.json"), configuration.to_string()).unwrap();
    let log = File::create(home.join("bao.log")).unwrap();
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL"])
        .arg(String::from_utf8(fetched.stdout).unwrap().trim())
        .arg("server");
    command
        .arg(format!("-config={}", home.join("bao.json").display()))
        .env_clear()
        .env("HOME", home)
        .stdin(Stdio::null());
    command.stderr(log.try_clone().unwrap()).stdout(log).spawn().unwrap()
}

fn at(address: &str, tls: TlsSpec) -> ServerSpec {
    ServerSpec { address: Address::Http(address.parse().unwrap()), configured: true, namespace: None, tls }
}

fn auth(mount: &str, role: &str) -> AuthSpec {
    AuthSpec { mount: mount.into(), role: role.into(), audience: None }
}

fn budget() -> Budget {
    Budget::lasting(Duration::from_secs(3))
}

fn failure<T>(outcome: Result<T, VaultError>) -> (Reason, String) {
    let Err(error) = outcome else { panic!("it did not fail") };
    (error.reason(), error.to_string())
}

#[tokio::test]
async fn the_error_of_a_refused_login_has_the_servers_text() {
    let bao = OpenBao::start().await;
    let server = Vaults::new(Outbound::default());
    let good = json!({ "sub": "web", "aud": "vault", "iat": 1_700_000_000, "exp": 4_000_000_000_u64 });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let table = [
        (auth("kubernetes", "nobody"), good.clone(), "could not be found"),
        (
            auth("kubernetes", "web"),
            with("aud", json!("other")),
            "audience claim does not match any expected audience",
        ),
        (auth("kubernetes", "web"), with("sub", json!("other")), "invalid subject (sub) claim"),
        (auth("kubernetes", "web"), with("exp", json!(1_700_000_100)), "token is expired"),
        (auth("nowhere", "web"), good.clone(), "permission denied"),
    ];
    for (auth, claims, words) in table {
        let outcome = server.server(&bao.plain()).unwrap().login(&auth, &bao.token(&claims), &budget()).await;
        let (reason, text) = failure(outcome);
        let expected = if auth.mount == "nowhere" { Reason::LoginUnclear } else { Reason::LoginDenied };
        assert!(reason == expected && text.contains(words), "{words}: {reason} {text}");
    }
    let other = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    bao.put("auth/kubernetes/config", json!({ "jwt_validation_pubkeys": [other.public_key_pem()] })).await;
    let (reason, text) = failure(bao.login(&bao.plain()).await);
    assert!(
        reason == Reason::LoginDenied && text.contains("no known key successfully validated"),
        "{reason} {text}"
    );
}

#[tokio::test]
async fn the_error_of_a_failed_read_names_its_cause() {
    let bao = OpenBao::start().await;
    let table = [
        ("secret/data/denied", Reason::ReadDenied, "permission denied"),
        ("sys/policies/acl/web", Reason::ReadDenied, "permission denied"),
        ("secret/data/team/none", Reason::NotFound, "404"),
        ("secret/data/team/gone", Reason::NotFound, "404"),
        ("secret/team/db", Reason::NotFound, "secret/data/team/db"),
        ("secret/denied", Reason::NotFound, "secret/data/denied"),
    ];
    for (path, expected, words) in table {
        let (reason, text) = failure(bao.read(&bao.plain(), path).await);
        assert!(reason == expected && text.contains(words) && text.contains(path), "{path}: {reason} {text}");
    }
    bao.put("sys/seal", Value::Null).await;
    let (reason, text) = failure(bao.login(&bao.plain()).await);
    assert_eq!(reason, Reason::Sealed, "{text}");
}

#[tokio::test]
async fn a_closed_login_leaves_no_token_behind() {
    let bao = OpenBao::start().await;
    let before = bao.tokens().await;
    let login = bao.login(&bao.plain()).await.unwrap();
    assert_eq!(bao.tokens().await, before + 1);
    assert!(login.revoke(&budget()).await.is_ok());
    assert_eq!(bao.tokens().await, before);
}

#[tokio::test]
async fn a_server_is_reached_over_its_socket_and_over_tls_by_its_own_or_another_name() {
    let bao = OpenBao::start().await;
    let named = TlsSpec { server_name: Some("vault.example".into()), ..bao.ca() };
    let text = TlsSpec { ca_bytes: Some(bao.authority.pem()), ..TlsSpec::default() };
    let ways = [
        ServerSpec { address: Address::Unix(bao.socket()), ..bao.plain() },
        bao.secure("localhost", bao.ca()),
        bao.secure("localhost", text),
        bao.secure("localhost", named.clone()),
        bao.secure("127.0.0.1", named),
        bao.secure("127.0.0.1", TlsSpec { skip_verify: true, ..TlsSpec::default() }),
    ];
    for server in ways {
        let answer = bao.read(&server, "secret/data/team/db").await;
        assert_eq!(
            answer.as_ref().map(|answer| &answer.members()["data"]["data"]["password"]),
            Ok(&json!("p")),
            "{server:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_trusted_ends_the_mount_with_its_cause() {
    let bao = OpenBao::start().await;
    let elsewhere = TlsSpec { server_name: Some("other.example".into()), ..bao.ca() };
    let other = TlsSpec { ca_bytes: Some(authority().pem()), ..TlsSpec::default() };
    for (server, words) in [
        (bao.secure("127.0.0.1", bao.ca()), "is not for the expected name 127.0.0.1"),
        (bao.secure("localhost", elsewhere), "is not for the expected name other.example"),
        (bao.secure("localhost", other), "is not signed by a trusted CA"),
    ] {
        let (reason, text) = failure(bao.login(&server).await);
        assert!(reason == Reason::Tls && text.contains(words), "{reason} {text}");
    }
}

#[tokio::test]
async fn an_expired_certificate_gives_the_same_error_text_each_time() {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
    let bao = OpenBao::certified(params).await;
    let (reason, text) = failure(bao.login(&bao.secure("localhost", bao.ca())).await);
    assert_eq!(
        (reason, text.as_str()),
        (
            Reason::Tls,
            "log in at auth/kubernetes: TLS handshake failed: the server's certificate has expired"
        )
    );
}

#[tokio::test]
async fn tls_files_that_cannot_be_used_are_named() {
    let home = TempDir::new().unwrap();
    let place = |name: &str, content: &str| {
        fs::write(home.path().join(name), content).unwrap();
        home.path().join(name)
    };
    let (garbage, half) =
        (place("garbage.pem", "canary"), place("half.pem", "-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n"));
    let client = |certificate: PathBuf, key: PathBuf| {
        Some(crate::spec::ClientCertificate { certificate, key, configured: true })
    };
    let own = authority();
    let (good, key) = (place("good.pem", &own.pem()), place("key.pem", &own.key().serialize_pem()));
    let other = place("other.key", &KeyPair::generate().unwrap().serialize_pem());
    let none = home.path().join("none.pem");
    let settings = [
        (TlsSpec { ca_file: Some(none.clone()), ..TlsSpec::default() }, "none.pem"),
        (TlsSpec { ca_file: Some(garbage.clone()), ..TlsSpec::default() }, "garbage.pem"),
        (TlsSpec { ca_file: Some(half), ..TlsSpec::default() }, "half.pem"),
        (TlsSpec { ca_directory: Some(none), ..TlsSpec::default() }, "none.pem"),
        (TlsSpec { client: client(garbage.clone(), key.clone()), ..TlsSpec::default() }, "garbage.pem"),
        (TlsSpec { client: client(good.clone(), garbage), ..TlsSpec::default() }, "garbage.pem"),
        (
            TlsSpec { client: client(good, other), ..TlsSpec::default() },
            "does not belong to the client certificate",
        ),
    ];
    for (tls, named) in settings {
        let (reason, text) =
            failure(Vaults::new(Outbound::default()).server(&at("https://localhost:1", tls)).map(drop));
        assert!(reason == Reason::Tls && text.contains(named) && !text.contains("canary"), "{reason} {text}");
    }
}
