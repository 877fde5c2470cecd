//! The values that a class leaves out, and the limits of the values that it sets.

use std::time::{Duration, SystemTime};

use crate::spec::{Address, AuthMounts, Flavor, TlsSpec, VolumeWriter};

/// The process's own settings for the classes of one socket.
#[derive(Clone, Debug)]
pub(crate) struct Defaults {
    /// Which upstream provider the socket's classes are written for.
    pub(crate) flavor: Flavor,
    /// The server of classes without their own.
    pub(crate) address: Address,
    /// The auth mount of classes without their own, and the auth mounts that a class may use.
    pub(crate) auth_mounts: AuthMounts,
    /// The namespace of classes without their own, without slashes at its ends.
    pub(crate) namespace: Option<String>,
    /// TLS settings that a class does not override.
    pub(crate) tls: TlsSpec,
    /// The audiences of tokens that a class may use.
    pub(crate) audiences: Audiences,
    /// Whether an unknown parameter or field of a class is an error.
    pub(crate) unknown_fields: UnknownFields,
    /// The longest `maxStale` of a class, and the value of classes that do not set it.
    pub(crate) max_stale: Duration,
    /// `refresh` of classes without their own; `None` means that of the writer.
    pub(crate) refresh: Option<Duration>,
    /// The shortest `refresh` of a class or an object.
    pub(crate) min_refresh: Duration,
    /// Who writes the files of classes without `writer`.
    pub(crate) written_by: VolumeWriter,
    /// The current time, which decides whether a token has expired.
    pub(crate) clock: Clock,
}

/// Returns the current time: `SystemTime::now`, or a function of a test.
pub(crate) type Clock = fn() -> SystemTime;

/// What an unknown parameter or field of a class causes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum UnknownFields {
    /// A warning in the log. The upstream providers ignore unknown fields silently.
    #[default]
    Warn,
    /// The mount fails.
    Error,
}

/// Prefixes of the audiences of the API server and of clouds: their tokens allow more than a login to Vault.
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

/// Which audiences a class may use.
///
/// Without a list, the classes of the upstream providers work unchanged: every audience is allowed except those of the API server and of
/// clouds (`FOREIGN`, `*.svc.id.goog`). With `--allow-audience`, the default audiences of the two upstream providers and the listed ones are allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Audiences(Vec<String>);

impl Audiences {
    /// Allows only `listed`, besides the default audiences of the two upstream providers. An empty list is the same as no list.
    pub(crate) fn listed(listed: Vec<String>) -> Self {
        Self(listed)
    }

    /// True if a class may use `audience`.
    pub(crate) fn allow(&self, audience: &str) -> bool {
        let lower = audience.to_ascii_lowercase();
        let foreign = lower.is_empty()
            || lower.ends_with(".svc.id.goog")
            || FOREIGN.iter().any(|foreign| starts_with_audience(&lower, foreign));
        let own = [Flavor::Vault, Flavor::OpenBao].iter().any(|flavor| flavor.audience() == audience);
        own || if self.0.is_empty() { !foreign } else { self.0.iter().any(|listed| listed == audience) }
    }
}

/// True for `foreign` itself, and if a `.`, `/` or `:` follows it. After `api:` prefixes anything may follow:
/// `api://azureadtokenexchangechina`.
fn starts_with_audience(audience: &str, foreign: &str) -> bool {
    let rest = audience.strip_prefix(foreign);
    rest.is_some_and(|rest| {
        rest.is_empty() || rest.starts_with(['.', '/', ':']) || foreign.starts_with("api:")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_may_not_use_a_token_that_allows_more_than_a_login_to_vault() {
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
    fn with_a_list_only_its_audiences_and_the_defaults_are_allowed() {
        let listed = Audiences::listed(vec!["prod".into(), "sts.amazonaws.com".into()]);
        assert!(
            listed.allow("prod")
                && listed.allow("vault")
                && listed.allow("openbao")
                && listed.allow("sts.amazonaws.com")
        );
        assert!(!listed.allow("my-aud"));
    }
}
