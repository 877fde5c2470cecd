//! The peers' variables and ours, and what becomes of each: the one table that warnings at start and `docs/reference.md` come from.

use std::collections::BTreeMap;

use crate::class::Flavor;
use Use::{Honoured, Ignored, Refused};

/// What becomes of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It counts as in the peers, or as its reason says.
    Honoured,
    /// A line in the log says why it changes nothing.
    Ignored,
    /// The process does not start, and says why.
    Refused,
}

impl Use {
    /// The word of the documentation.
    pub fn word(self) -> &'static str {
        match self {
            Self::Honoured => "honoured",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
        }
    }
}

/// How a variable's names follow from its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// `VAULT_<name>` and `BAO_<name>`.
    Prefixed,
    /// In capitals and in small letters.
    BothCases,
    /// As it is.
    Exact,
}

/// A variable of the peers or of ours, and why it is used so.
#[derive(Debug)]
pub struct Variable {
    /// Its name, without `VAULT_` or `BAO_` where it has one of the two.
    pub name: &'static str,
    /// The names that it is read by.
    pub spelling: Spelling,
    /// What becomes of it.
    pub used: Use,
    /// Why, or how.
    pub reason: &'static str,
}

impl Variable {
    /// The names that it is read by.
    pub fn names(&self) -> Vec<String> {
        match self.spelling {
            Spelling::Prefixed => vec![format!("VAULT_{}", self.name), format!("BAO_{}", self.name)],
            Spelling::BothCases => vec![self.name.to_owned(), self.name.to_ascii_lowercase()],
            Spelling::Exact => vec![self.name.to_owned()],
        }
    }
}

const fn of(name: &'static str, used: Use, reason: &'static str) -> Variable {
    Variable { name, spelling: Spelling::Prefixed, used, reason }
}

const fn plain(name: &'static str, spelling: Spelling, reason: &'static str) -> Variable {
    Variable { name, spelling, used: Use::Honoured, reason }
}

/// Every variable that the peers' library reads, and ours behind them.
pub const VARIABLES: &[Variable] = &[
    of("ADDR", Honoured, "default server, below `--vault-addr`"),
    of(
        "AGENT_ADDR",
        Honoured,
        "default server, above `--vault-addr`; unlike in the peers a class's own address counts more",
    ),
    of("NAMESPACE", Honoured, "default namespace, below `--vault-namespace`"),
    of("CACERT", Honoured, "as `--vault-tls-ca-cert`, below all flags of CAs"),
    of("CACERT_BYTES", Honoured, "PEM text of CAs, below `CACERT`"),
    of("CAPATH", Honoured, "as `--vault-tls-ca-directory`, below `CACERT_BYTES`"),
    of("CLIENT_CERT", Honoured, "as `--vault-tls-client-cert`; for the default server only"),
    of("CLIENT_KEY", Honoured, "as `--vault-tls-client-key`"),
    of(
        "CLIENT_CERT_BYTES",
        Ignored,
        "a client certificate is read from files, so that it can be renewed: use `CLIENT_CERT`",
    ),
    of("CLIENT_KEY_BYTES", Ignored, "use `CLIENT_KEY`"),
    of("TLS_SERVER_NAME", Honoured, "as `--vault-tls-server-name`"),
    of("SKIP_VERIFY", Honoured, "as `--vault-tls-skip-verify`"),
    of("PROXY_ADDR", Honoured, "proxy for the default server, and for no other"),
    of("HTTP_PROXY", Honoured, "the same, below `PROXY_ADDR`"),
    of("TOKEN", Ignored, "the provider has no identity of its own: every call is made as the pod"),
    of("HEADERS", Ignored, "no headers are added to calls made as a pod"),
    of("WRAP_TTL", Ignored, "a wrapped answer holds nothing that a file could show"),
    of("CLIENT_TIMEOUT", Ignored, "a mount has one budget, 60 s or what its caller leaves it"),
    of(
        "MAX_RETRIES",
        Ignored,
        "what is read is tried again within the budget; what creates something is not",
    ),
    of("RATE_LIMIT", Ignored, "calls are bounded for each server and namespace"),
    of("DISABLE_REDIRECTS", Ignored, "a redirect is followed once, and only to where tokens may go"),
    of("SRV_LOOKUP", Refused, "a DNS record would choose where tokens go: give the server's address"),
    plain(
        "HTTPS_PROXY",
        Spelling::BothCases,
        "proxy for a default server with https, below `PROXY_ADDR` and `VAULT_HTTP_PROXY`; for no other",
    ),
    plain("HTTP_PROXY", Spelling::BothCases, "the same with http"),
    plain(
        "NO_PROXY",
        Spelling::BothCases,
        "hosts, domains and networks that `HTTPS_PROXY` and `HTTP_PROXY` are not for",
    ),
    plain("NODE_NAME", Spelling::Exact, "name of this node, below `--node-name`"),
];

/// The variables of a process; empty ones count as unset, as in Go.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process that the table names.
    pub fn read() -> Self {
        let names = VARIABLES.iter().flat_map(Variable::names);
        Self(names.filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect())
    }

    /// The value of a variable without prefix, in capitals or else in small letters.
    pub(crate) fn plain(&self, name: &str) -> Option<&str> {
        self.value(name).or_else(|| self.value(&name.to_ascii_lowercase()))
    }

    /// The value of a variable of ours.
    pub(crate) fn exact(&self, name: &str) -> Option<&str> {
        self.value(name)
    }

    /// The value of a variable of the peers, the flavor's own prefix first, and its whole name.
    pub(crate) fn of(&self, flavor: Flavor, name: &str) -> Option<(String, &str)> {
        let prefixes = match flavor {
            Flavor::Vault => ["VAULT", "BAO"],
            Flavor::OpenBao => ["BAO", "VAULT"],
        };
        prefixes
            .iter()
            .map(|prefix| format!("{prefix}_{name}"))
            .find_map(|name| self.value(&name).map(|value| (name.clone(), value)))
    }

    /// The variables that are set and used as `used`, with the reason: never with their values.
    pub(crate) fn used(&self, used: Use) -> impl Iterator<Item = (String, &'static str)> {
        let variables = VARIABLES.iter().filter(move |variable| variable.used == used);
        variables
            .flat_map(|variable| variable.names().into_iter().map(|name| (name, variable.reason)))
            .filter(|(name, _)| self.value(name).is_some())
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}
