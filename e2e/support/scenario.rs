//! A test's own namespace, service account, role, policy and secrets.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cluster::{apply, bao, kubectl, state, try_kubectl};
use super::{Class, Pod, provider};

/// Held for reading by tests that run in parallel, and for writing by tests that disturb the whole cluster.
static CLUSTER: RwLock<()> = RwLock::new(());

/// The guard of a test, held while the test runs.
enum Access {
    Shared {
        _guard: RwLockReadGuard<'static, ()>,
    },
    Exclusive {
        _guard: RwLockWriteGuard<'static, ()>,
    },
    /// Another namespace of a test that already holds a guard.
    Neighbour,
}

/// A Kubernetes namespace with a service account `app`, and in OpenBao a role (bound to that account, audience `vault`) and a policy (read on
/// the test's own secrets), all three named like the test. Deleted when the test ends.
pub(crate) struct Scenario {
    /// The name of namespace, role and policy, and of the folder of the test's secrets in every engine.
    pub(crate) name: String,
    access: Access,
    /// How long the test waited for its guard.
    waited: Duration,
    begun: Instant,
}

impl Scenario {
    /// Starts a test that runs in parallel with others.
    pub(crate) fn begin() -> Self {
        Self::set_up(|| Access::Shared { _guard: CLUSTER.read().unwrap_or_else(PoisonError::into_inner) })
    }

    /// Starts a test that stops servers or restarts shared processes: no other test runs meanwhile. It restores its changes with a guard.
    pub(crate) fn alone() -> Self {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or_default();
        assert!(
            test.contains("::alone::"),
            "{test} must be below e2e/tests/alone: e2e/run distributes those tests over several clusters"
        );
        Self::set_up(|| Access::Exclusive { _guard: CLUSTER.write().unwrap_or_else(PoisonError::into_inner) })
    }

    /// Another namespace, account, role and policy for the same test.
    pub(crate) fn neighbour(&self) -> Self {
        Self::set_up(|| Access::Neighbour)
    }

    fn set_up(access: impl FnOnce() -> Access) -> Self {
        let (asked, access) = (Instant::now(), access());
        let scenario = Self { name: unique_name(), access, waited: asked.elapsed(), begun: Instant::now() };
        let name = &scenario.name;
        apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        scenario.service_account("app");
        scenario.allow("");
        bao::write(&format!("auth/kubernetes/role/{name}"), &scenario.role());
        scenario
    }

    /// Lets OpenBao create PostgreSQL users for the test, and returns the path that creates one. A class `db` has it in the files `user` and
    /// `password`. A user ends after `ttl` unless its lease is renewed.
    pub(crate) fn database(&self, ttl: &str) -> String {
        let (role, path) = (format!("database/roles/{}", self.name), format!("database/creds/{}", self.name));
        let statement =
            "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';";
        bao::write(
            &role,
            &json!({"db_name": "postgres", "default_ttl": ttl, "max_ttl": "2h", "creation_statements": statement}),
        );
        self.allow(&format!("path \"{path}\" {{ capabilities = [\"read\"] }}\n"));
        let member = |file: &str, key: &str| {
            format!("- {{objectName: {file}, secretPath: {path}, secretKey: {key}}}\n")
        };
        self.class("db", &(member("user", "username") + &member("password", "password"))).apply();
        path
    }

    /// The body of the test's own role, which other roles are derived from.
    pub(crate) fn role(&self) -> Value {
        json!({"bound_service_account_names": "app", "bound_service_account_namespaces": self.name, "token_policies": self.name,
            "audience": "vault", "token_ttl": "20m"})
    }

    /// Creates another service account.
    pub(crate) fn service_account(&self, account: &str) {
        apply(
            &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": self.name}}),
        );
    }

    /// Sets the policy: read on the test's own KV secrets, and `more` in OpenBao's policy language.
    pub(crate) fn allow(&self, more: &str) {
        let name = &self.name;
        let own = format!(
            "path \"secret/data/{name}/*\" {{ capabilities = [\"read\"] }}\npath \"kv/{name}/*\" {{ capabilities = [\"read\"] }}\n"
        );
        self.allow_only(&(own + more));
    }

    /// Sets the policy to `rules` alone.
    pub(crate) fn allow_only(&self, rules: &str) {
        bao::run(&["policy", "write", &self.name, "-"], rules);
    }

    /// Puts a value into the test's folder of KV v2.
    pub(crate) fn put(&self, secret: &str, value: Value) {
        bao::write(&self.path(secret), &json!({ "data": value }));
    }

    /// The API path of a secret of the test's in KV v2.
    pub(crate) fn path(&self, secret: &str) -> String {
        format!("secret/data/{}/{secret}", self.name)
    }

    /// A class of the test's role; not applied yet.
    pub(crate) fn class(&self, name: &str, objects: &str) -> Class {
        Class::new(&self.name, name, objects)
    }

    /// A pod of the service account `app`; not applied yet.
    pub(crate) fn pod(&self, name: &str) -> Pod {
        Pod::new(&self.name, name)
    }

    /// A token of the service account `app`, bound to no pod.
    pub(crate) fn token(&self, audience: &str) -> String {
        kubectl(&["create", "token", "app", "--namespace", &self.name, "--audience", audience])
    }

    /// Appends the test's duration to the list of which `e2e/run` prints the longest.
    fn record_duration(&self) {
        let how = match self.access {
            Access::Shared { .. } => "shared",
            Access::Exclusive { .. } => "exclusive",
            Access::Neighbour => return,
        };
        let line = format!(
            "{:4} {how}, after {} of waiting: {}\n",
            self.begun.elapsed().as_secs(),
            self.waited.as_secs(),
            self.name
        );
        let list = File::options().create(true).append(true).open(state("logs/durations"));
        let _ = list.and_then(|mut list| list.write_all(line.as_bytes()));
    }

    /// A Kubernetes object of the test's namespace as JSON.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Result<Value, String> {
        super::cluster::get(&[kind, name, "--namespace", &self.name])
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let events =
                try_kubectl(&["get", "events", "--namespace", &self.name, "--sort-by=.lastTimestamp"]);
            eprintln!("events of {}:\n{}", self.name, events.unwrap_or_else(|complaint| complaint));
            eprintln!("provider's log of {}:\n{}", self.name, provider::log_about(&self.name));
        }
        let _ = try_kubectl(&["delete", "namespace", &self.name, "--wait=false"]);
        self.record_duration();
    }
}

/// The test's own name as a namespace: `tests::rotation::a_changed_value` becomes `a-changed-value-3`.
fn unique_name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("test").rsplit("::").next().unwrap_or("test").replace('_', "-");
    let short = &test[..test.len().min(48)];
    format!("{}-{}", short.trim_end_matches('-'), COUNT.fetch_add(1, Ordering::Relaxed))
}
