//! Every environment variable, and whether it has an effect: the one table of the warnings at the start and of `docs/reference.md`.

use std::collections::BTreeMap;

use crate::spec::Flavor;
use Use::{Honoured, Ignored, Refused};

/// Whether a variable has an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It has the same effect as in the upstream providers, or the one that its reason describes.
    Honoured,
    /// It has no effect, and a warning says why.
    Ignored,
    /// The process does not start, and says why.
    Refused,
}

#[cfg(test)]
impl Use {
    /// The word of the documentation.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Honoured => "honoured",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
        }
    }
}

/// The names of a variable in the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// `VAULT_<name>` and `BAO_<name>`.
    Prefixed,
    /// In upper and in lower case.
    BothCases,
    /// Exactly the name.
    Exact,
}

/// A variable, and its effect.
#[derive(Debug)]
pub(crate) struct Variable {
    /// The name, without the prefix `VAULT_` or `BAO_`.
    pub(crate) name: &'static str,
    /// The names in the environment.
    pub(crate) spelling: Spelling,
    /// Whether it has an effect.
    pub(crate) used: Use,
    /// The effect, or why there is none.
    pub(crate) reason: &'static str,
}

impl Variable {
    /// Every name in the environment.
    pub(crate) fn names(&self) -> Vec<String> {
        match self.spelling {
            Spelling::Prefixed => vec![format!("VAULT_{}", self.name), format!("BAO_{}", self.name)],
            Spelling::BothCases => vec![self.name.to_owned(), self.name.to_ascii_lowercase()],
            Spelling::Exact => vec![self.name.to_owned()],
        }
    }
}

const fn prefixed(name: &'static str, used: Use, reason: &'static str) -> Variable {
    Variable { name, spelling: Spelling::Prefixed, used, reason }
}

const fn plain(name: &'static str, spelling: Spelling, reason: &'static str) -> Variable {
    Variable { name, spelling, used: Use::Honoured, reason }
}

/// Every variable of the client library of the upstream providers, and those of vaultmount after them.
pub(crate) const VARIABLES: &[Variable] = &[
    prefixed("ADDR", Honoured, "default server, below `--vault-addr`"),
    prefixed(
        "AGENT_ADDR",
        Honoured,
        "default server, above `--vault-addr`; unlike in the upstream providers, a class's own address has priority",
    ),
    prefixed("NAMESPACE", Honoured, "default namespace, below `--vault-namespace`"),
    prefixed("CACERT", Honoured, "as `--vault-tls-ca-cert`, below all flags of CAs"),
    prefixed("CACERT_BYTES", Honoured, "PEM text of CAs, below `CACERT`"),
    prefixed("CAPATH", Honoured, "as `--vault-tls-ca-directory`, below `CACERT_BYTES`"),
    prefixed("CLIENT_CERT", Honoured, "as `--vault-tls-client-cert`; for the default server only"),
    prefixed("CLIENT_KEY", Honoured, "as `--vault-tls-client-key`"),
    prefixed(
        "CLIENT_CERT_BYTES",
        Ignored,
        "a client certificate is read from files, so that it can be renewed: use `CLIENT_CERT`",
    ),
    prefixed("CLIENT_KEY_BYTES", Ignored, "use `CLIENT_KEY`"),
    prefixed("TLS_SERVER_NAME", Honoured, "as `--vault-tls-server-name`"),
    prefixed("SKIP_VERIFY", Honoured, "as `--vault-tls-skip-verify`"),
    prefixed("PROXY_ADDR", Honoured, "proxy for the default server, and for no other"),
    prefixed("HTTP_PROXY", Honoured, "the same, below `PROXY_ADDR`"),
    prefixed("TOKEN", Ignored, "the provider has no identity of its own: every call is made as the pod"),
    prefixed("HEADERS", Ignored, "no headers are added to calls made as a pod"),
    prefixed("WRAP_TTL", Ignored, "a wrapped answer holds nothing that a file could show"),
    prefixed(
        "CLIENT_TIMEOUT",
        Honoured,
        "as `--request-timeout`, below it: 60, 60s or 1m; 0 is the longest time",
    ),
    prefixed(
        "MAX_RETRIES",
        Ignored,
        "what is read is tried again within the budget; what creates something is not",
    ),
    prefixed("RATE_LIMIT", Ignored, "calls are bounded for each server and namespace"),
    prefixed("DISABLE_REDIRECTS", Ignored, "a redirect is followed once, and only to where tokens may go"),
    prefixed("SRV_LOOKUP", Refused, "a DNS record would choose where tokens go: give the server's address"),
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

/// The variables of a process. An empty variable counts as unset, as in Go.
#[derive(Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process that are in the table.
    pub(crate) fn read() -> Self {
        let names = VARIABLES.iter().flat_map(Variable::names);
        Self(names.filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect())
    }

    /// The value of a variable without prefix, in upper case or else in lower case.
    pub(crate) fn plain(&self, name: &str) -> Option<&str> {
        self.value(name).or_else(|| self.value(&name.to_ascii_lowercase()))
    }

    /// The value of the variable with exactly this name.
    pub(crate) fn exact(&self, name: &str) -> Option<&str> {
        self.value(name)
    }

    /// The full name and the value of a variable with a prefix; that of `flavor` has priority.
    pub(crate) fn prefixed(&self, flavor: Flavor, name: &str) -> Option<(String, &str)> {
        let prefixes = match flavor {
            Flavor::Vault => ["VAULT", "BAO"],
            Flavor::OpenBao => ["BAO", "VAULT"],
        };
        prefixes
            .iter()
            .map(|prefix| format!("{prefix}_{name}"))
            .find_map(|name| self.value(&name).map(|value| (name.clone(), value)))
    }

    /// The names of the variables that are set and have the effect `used`, with the reason, and without their values.
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
