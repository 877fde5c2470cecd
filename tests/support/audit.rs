//! The calls that the server received, from its audit log: a line is written before the response is sent.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::openbao::Vault;

impl Vault {
    /// Every call except the test's own and the audit device's test line, such as `read secret/data/team-a/db`, in the order of arrival.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.requests()
            .iter()
            .map(|request| format!("{} {}", word(request, "operation"), word(request, "path")))
            .collect()
    }

    /// How many times `call` was made.
    pub(crate) fn count(&self, call: &str) -> usize {
        self.calls().iter().filter(|made| *made == call).count()
    }

    /// The revoked tokens, each once: a revocation without a response for 5 s on a busy machine is repeated.
    pub(crate) fn revoked(&self) -> BTreeSet<String> {
        let requests = self.requests();
        let back = requests.iter().filter(|request| request["path"] == "auth/token/revoke-self");
        back.map(|request| word(request, "client_token").to_owned()).collect()
    }

    /// The whole entries of `calls`: `namespace.path`, `data`, `headers`, ..
    pub(crate) fn requests(&self) -> Vec<Value> {
        let mut requests = entries(&self.audit_log());
        let own = |request: &Value| {
            request["client_token"] == self.root.as_str() || request["path"] == "sys/audit/test"
        };
        requests.retain(|entry| entry["type"] == "request" && !own(&entry["request"]));
        requests.into_iter().map(|mut entry| entry["request"].take()).collect()
    }

    /// The whole log: bodies and responses of every call, in plain text.
    pub(crate) fn audit(&self) -> String {
        std::fs::read_to_string(self.audit_log()).unwrap()
    }

    /// The request ids of the responses for `path`, in order.
    pub(crate) fn request_ids(&self, path: &str) -> Vec<String> {
        self.requests()
            .iter()
            .filter(|request| request["path"] == path)
            .map(|request| word(request, "id").to_owned())
            .collect()
    }
}

/// Every token that the server issued or received.
pub(super) fn tokens(log: &Path) -> Vec<String> {
    let entries = entries(log);
    let given =
        entries.iter().flat_map(|entry| [&entry["auth"]["client_token"], &entry["request"]["client_token"]]);
    let mut tokens: Vec<String> =
        given.filter_map(Value::as_str).filter(|token| !token.is_empty()).map(Into::into).collect();
    tokens.sort();
    tokens.dedup();
    tokens
}

/// The lines of the log; the last may be incomplete.
fn entries(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn word<'v>(request: &'v Value, member: &str) -> &'v str {
    request[member].as_str().unwrap_or_default()
}
