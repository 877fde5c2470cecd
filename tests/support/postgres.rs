//! A PostgreSQL for one test, and the database engine that creates users in it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::openbao::Vault;
use super::wait::{free_port, until};

/// The superuser, and the database that every server has.
const ADMIN: &str = "postgres";

/// The user `nobody` and its group: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;

/// A running PostgreSQL of one test: on a loopback port with passwords, and on a unix socket without.
pub(crate) struct Postgres {
    process: Child,
    home: TempDir,
    port: u16,
    password: String,
}

impl Postgres {
    /// A server with only its own users.
    pub(crate) async fn start() -> Self {
        for _ in 0..10 {
            let mut server = Self::spawn();
            let up = until("the database's socket", async || match server.process.try_wait().unwrap() {
                Some(_) => Some(false),
                None => {
                    server.psql(server.home.path(), ADMIN, "", "select 1").status.success().then_some(true)
                }
            });
            if up.await {
                return server;
            }
        }
        panic!("no port was free ten times in a row");
    }

    /// All users that may log in, except the superuser.
    pub(crate) fn users(&self) -> BTreeSet<String> {
        let rows =
            self.query(&format!("select rolname from pg_roles where rolcanlogin and rolname <> '{ADMIN}'"));
        rows.lines().map(str::to_owned).collect()
    }

    /// Whether `user` can log in with `password`, as an application does. Any other error fails the test.
    pub(crate) fn lets_in(&self, user: &str, password: &str) -> bool {
        let output = self.psql(Path::new("127.0.0.1"), user, password, "select current_user");
        let output_text = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() || output_text.contains("password authentication failed"),
            "psql: {output_text}"
        );
        output.status.success() && text(&output.stdout) == user
    }

    /// The result of a statement of the superuser: a line for each row, `|` between columns.
    pub(crate) fn query(&self, statement: &str) -> String {
        succeeded("psql", self.psql(self.home.path(), ADMIN, "", statement))
    }

    fn psql(&self, host: &Path, user: &str, password: &str, statement: &str) -> Output {
        let mut psql = Command::new(program("psql"));
        psql.env_clear().env("PGPASSWORD", password).arg("-h").arg(host).args([
            "-p",
            &self.port.to_string(),
            "-U",
            user,
            "-d",
            ADMIN,
        ]);
        // No settings of the user that runs the test; rows only.
        psql.args(["-X", "-w", "-q", "-A", "-t", "-c", statement]).stdin(Stdio::null()).output().unwrap()
    }

    fn spawn() -> Self {
        let (home, port) = (TempDir::new().unwrap(), free_port());
        let password = format!("{:032x}", rand::random::<u128>());
        fs::write(home.path().join("password"), &password).unwrap();
        if geteuid().is_root() {
            let paths = [home.path().to_owned(), home.path().join("password")];
            paths.iter().for_each(|path| chown(path, Some(NOBODY), Some(NOBODY)).unwrap());
        }
        Self { process: launch(home.path(), port), home, port, password }
    }
}

/// Stops at once and frees the shared memory, which a kill would not.
impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGQUIT);
        let _ = self.process.wait();
    }
}

impl Vault {
    /// A role of the database engine at `database/`, whose users have the TTLs in `life` (`default_ttl`, `max_ttl`). The policy of pods may create them.
    pub(crate) async fn database(&self, postgres: &Postgres, role: &str, life: Value) {
        let mounts = self.call(Method::GET, "", "sys/mounts", &json!({})).await;
        if mounts["data"].get("database/").is_none() {
            self.enable("database", "database", json!({})).await;
            self.write("database/config/main", connection(postgres)).await;
        }
        let mut whole = json!({
            "db_name": "main",
            "creation_statements": ["CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"],
            "renew_statements": ["ALTER ROLE \"{{name}}\" VALID UNTIL '{{expiration}}'"],
            "revocation_statements": ["DROP ROLE IF EXISTS \"{{name}}\""],
        });
        life.as_object().unwrap().iter().for_each(|(name, value)| whole[name] = value.clone());
        self.write(&format!("database/roles/{role}"), whole).await;
        self.allow(&format!("database/creds/{role}"), &["read"]).await;
    }
}

/// OpenBao connects at once, so a wrong connection fails the test here.
fn connection(postgres: &Postgres) -> Value {
    let url = format!(
        "postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/{ADMIN}?sslmode=disable",
        postgres.port
    );
    json!({
        "plugin_name": "postgresql-database-plugin", "connection_url": url, "username": ADMIN, "password": postgres.password,
        "allowed_roles": ["*"],
    })
}

/// Creates the files of a server and starts it. The kernel ends it with the thread of its test.
fn launch(home: &Path, port: u16) -> Child {
    let (data, password) = (home.join("data"), home.join("password"));
    let mut initdb = as_somebody(home, "initdb");
    initdb.arg("-D").arg(&data).args([
        "-U",
        ADMIN,
        "-E",
        "UTF8",
        "--no-locale",
        "--no-sync",
        "--no-instructions",
    ]);
    initdb.args(["--auth-local=trust", "--auth-host=scram-sha-256"]).arg("--pwfile").arg(password);
    succeeded("initdb", initdb.output().unwrap());
    let log = fs::File::create(home.join("postgres.log")).unwrap();
    let mut server = as_somebody(home, "postgres");
    server.arg("-D").arg(&data).arg("-k").arg(home).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    // No data is needed after the test, so nothing needs to reach a disk.
    server.args(["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=16MB"]);
    server.stdin(Stdio::null()).stderr(log.try_clone().unwrap()).stdout(log).spawn().unwrap()
}

/// `name` of PostgreSQL as the user that runs the test, or as `nobody` where that is root.
fn as_somebody(home: &Path, name: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if geteuid().is_root() {
        command.args(["--reuid", &NOBODY.to_string(), "--regid", &NOBODY.to_string(), "--clear-groups"]);
    }
    command.arg(program(name)).env_clear().env("HOME", home).current_dir(home);
    command
}

/// The path of a server program in Debian's package, of the newest version.
fn program(name: &str) -> PathBuf {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    let newest = || {
        let versions =
            fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is needed: scripts/packages installs it");
        let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
        let versions =
            versions.map(|entry| entry.unwrap().path()).filter(|path| path.join("bin/postgres").exists());
        versions.max_by_key(version).expect("PostgreSQL is needed: scripts/packages installs it").join("bin")
    };
    PROGRAMS.get_or_init(newest).join(name)
}

fn succeeded(what: &str, output: Output) -> String {
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    text(&output.stdout)
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).trim_end().to_owned()
}
