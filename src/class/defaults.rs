//! What a class leaves out, and what it may not choose.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::spec::{Address, AuthMounts, TlsSpec, VolumeWriter};

/// The process's own settings, as they hold on one socket.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// Which peer the socket's classes are written for.
    pub flavor: Flavor,
    /// The server of classes that name none.
    pub address: Address,
    /// The auth mount of classes that name none, and those that a class may name.
    pub auth_mounts: AuthMounts,
    /// The namespace of classes that name none, without slashes at its ends.
    pub namespace: Option<String>,
    /// TLS below what a class says.
    pub tls: TlsSpec,
    /// Which tokens may be read at all.
    pub audiences: Audiences,
    /// What an unknown word of a class means.
    pub unknown_fields: UnknownFields,
    /// The longest `maxStale` that a class may choose, and what holds for one that chooses none.
    pub max_stale: Duration,
    /// Who writes the files of classes that do not say.
    pub written_by: VolumeWriter,
    /// The time that a token's end is held against.
    pub clock: Clock,
}

/// Where the time comes from: `SystemTime::now`, or a test's own.
pub type Clock = fn() -> SystemTime;

/// Which peer's words come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flavor {
    /// HashiCorp's, on every socket without a better name.
    #[default]
    #[serde(rename = "Vault")]
    Vault,
    /// OpenBao's, on `openbao.sock`.
    #[serde(rename = "OpenBao")]
    OpenBao,
}

impl Flavor {
    /// The flavor of the classes that come in by the socket at `path`.
    pub fn of_socket(path: &Path) -> Self {
        if path.file_name().is_some_and(|name| name == "openbao.sock") { Self::OpenBao } else { Self::Vault }
    }

    /// Prefixes of parameters, the first that is present wins.
    pub fn prefixes(self) -> [&'static str; 3] {
        match self {
            Self::Vault => ["vault", "bao", "openbao"],
            Self::OpenBao => ["bao", "openbao", "vault"],
        }
    }

    /// The audience that a passed token is looked for with when the class names none.
    pub fn audience(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::OpenBao => "openbao",
        }
    }
}

/// What a word that nobody knows means, in a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// A line in the log: the peers pass over such words in silence.
    #[default]
    Warn,
    /// A failed mount.
    Error,
}

/// Beginnings of audiences whose tokens are worth more than a login to Vault: the API server's own and those of clouds.
const FOREIGN: [&str; 12] = [
    "https://kubernetes.default",
    "kubernetes.default",
    "https://kubernetes",
    "kubernetes",
    "sts.amazonaws.com",
    "https://sts.amazonaws.com",
    "api://azureadtokenexchange",
    "https://iam.googleapis.com",
    "//iam.googleapis.com",
    "https://sts.googleapis.com",
    "https://container.googleapis.com",
    "sts.aliyuncs.com",
];

/// Which audiences a class may ask for.
///
/// Without a list a peer's class works as it is: any audience but those of others (`FOREIGN`, `*.svc.id.goog`). With
/// `--allow-audience`: the peers' two and the listed ones, whatever they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audiences(Vec<String>);

impl Audiences {
    /// Only `listed` beside the peers' two; an empty list is none.
    pub fn listed(listed: Vec<String>) -> Self {
        Self(listed)
    }

    pub(crate) fn allow(&self, audience: &str) -> bool {
        let lower = audience.to_ascii_lowercase();
        let foreign = lower.is_empty()
            || lower.ends_with(".svc.id.goog")
            || FOREIGN.iter().any(|foreign| begins(&lower, foreign));
        let own = [Flavor::Vault, Flavor::OpenBao].iter().any(|flavor| flavor.audience() == audience);
        own || if self.0.is_empty() { !foreign } else { self.0.iter().any(|listed| listed == audience) }
    }
}

/// True for `foreign` itself and for what goes on after a `.`, `/`, `:` or without a break in `api://azureadtokenexchangechina`.
fn begins(audience: &str, foreign: &str) -> bool {
    let rest = audience.strip_prefix(foreign);
    rest.is_some_and(|rest| {
        rest.is_empty() || rest.starts_with(['.', '/', ':']) || foreign.starts_with("api:")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_may_not_ask_for_a_token_that_is_worth_more_than_a_login() {
        let free = Audiences::default();
        for audience in
            ["vault", "openbao", "my-aud", "https://vault.example.com", "kubernetes-vault", "conjur"]
        {
            assert!(free.allow(audience), "{audience}");
        }
        let foreign = [
            "",
            "https://kubernetes.default.svc",
            "https://kubernetes.default.svc.cluster.local",
            "kubernetes.default.svc",
            "kubernetes",
            "sts.amazonaws.com",
            "STS.amazonaws.com",
            "api://AzureADTokenExchange",
            "api://AzureADTokenExchangeChina",
            "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
            "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c",
            "my-project.svc.id.goog",
        ];
        for audience in foreign {
            assert!(!free.allow(audience), "{audience}");
        }
    }

    #[test]
    fn a_list_is_all_there_is_beside_the_peers_own() {
        let listed = Audiences::listed(vec!["prod".into(), "sts.amazonaws.com".into()]);
        assert!(
            listed.allow("prod")
                && listed.allow("vault")
                && listed.allow("openbao")
                && listed.allow("sts.amazonaws.com")
        );
        assert!(!listed.allow("my-aud"));
    }

    #[test]
    fn defaults_follow_the_name_of_the_socket() {
        assert_eq!(Flavor::of_socket(Path::new("/provider/openbao.sock")), Flavor::OpenBao);
        assert_eq!(Flavor::of_socket(Path::new("/provider/vaultmount.sock")), Flavor::Vault);
    }
}
