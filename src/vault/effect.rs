//! What a request does at the server, as far as its method, its path and the type of the mounted engine show. Pure.

use http::Method;

/// The type of an engine, as `sys/internal/ui/mounts` and the member `mount_type` of a response name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EngineType {
    /// Secrets that people write: `kv` in both versions, and `generic`, the old name of version 1.
    Kv,
    /// Entities, groups and identity tokens.
    Identity,
    /// Certificates. A GET reads a certificate, a CRL or the description of a key.
    Pki,
    /// Keys. A GET describes or exports one.
    Transit,
    /// An engine whose GETs of `creds` and the like create credentials.
    Issuing,
    /// The API of the server, of the tokens, or the storage of one token: what it returns depends on the token that calls.
    OfToken,
    /// Another engine, such as a plugin. Nothing is known of it.
    Other,
}

impl EngineType {
    /// The type that the server calls `name`. Inside a namespace some names begin with `ns_`.
    pub(crate) fn of(name: &str) -> Self {
        match name.strip_prefix("ns_").unwrap_or(name) {
            "kv" | "generic" => Self::Kv,
            "identity" => Self::Identity,
            "pki" => Self::Pki,
            "transit" => Self::Transit,
            "aws" | "azure" | "gcp" | "alicloud" | "database" | "rabbitmq" | "ldap" | "openldap" | "ad"
            | "consul" | "nomad" | "kubernetes" | "terraform" | "mongodbatlas" | "ssh" => Self::Issuing,
            "system" | "token" | "cubbyhole" => Self::OfToken,
            _ => Self::Other,
        }
    }

    /// True if it is known what requests to an engine of this type do.
    pub(crate) fn is_known(self) -> bool {
        match self {
            Self::Kv | Self::Identity | Self::Pki | Self::Transit | Self::Issuing | Self::OfToken => true,
            Self::Other => false,
        }
    }
}

/// What a request does at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing. Equal logins get equal responses.
    Reads,
    /// Nothing that the server keeps. But each response is another one, with an end of its own: an identity token.
    SignsToken,
    /// Perhaps a credential: the first response shows whether it has a lease.
    Creates,
    /// It reads, but of the token that calls: a response for one token is not for others.
    ReadsOwnToken,
    /// A guess from words of the path, while the engine is not known: as `Creates` and as `ReadsOwnToken`.
    Unclear,
}

/// Path segments below which engines create credentials by GET: `creds` (database, rabbitmq, ldap, aws, ..), `sts`, `token` and `key` (gcp).
const CREATING: [&str; 4] = ["creds", "sts", "token", "key"];

/// Mounts whose responses depend on the token that calls. They exist in every namespace, and a path may begin with namespaces.
const OF_TOKEN: [&str; 3] = ["auth", "sys", "cubbyhole"];

/// Responses of the system that are equal for everybody.
const STATUS: [&str; 5] = ["sys/health", "sys/seal-status", "sys/leader", "sys/ha-status", "sys/init"];

/// What a request does; `engine` is the type of the mount of `path` where it is known.
pub(crate) fn effect(method: &Method, path: &str, engine: Option<EngineType>) -> Effect {
    let is_get = *method == Method::GET;
    let is_read = is_get || method.as_str() == "LIST";
    let first = path.split('/').next().unwrap_or_default();
    if OF_TOKEN.contains(&first) {
        return match is_read {
            true if is_get && STATUS.contains(&path) => Effect::Reads,
            true => Effect::ReadsOwnToken,
            false => Effect::Unclear,
        };
    }
    let creates = is_get && has_later_segment(path, &CREATING);
    match engine.unwrap_or(EngineType::Other) {
        EngineType::OfToken if is_read => Effect::ReadsOwnToken,
        EngineType::OfToken => Effect::Unclear,
        // An auth method may have the name of one of these engines.
        EngineType::Issuing | EngineType::Other if has_later_segment(path, &OF_TOKEN) => {
            if is_read && !creates { Effect::ReadsOwnToken } else { Effect::Unclear }
        }
        _ if !is_read => Effect::Creates,
        EngineType::Kv | EngineType::Pki | EngineType::Transit => Effect::Reads,
        EngineType::Identity if creates && path.contains("oidc/token/") => Effect::SignsToken,
        EngineType::Identity => Effect::Reads,
        EngineType::Issuing | EngineType::Other if creates => Effect::Creates,
        EngineType::Issuing | EngineType::Other => Effect::Reads,
    }
}

/// True if the type of the mount decides what the request does: a GET of a path with one of the words above. All others are clear without it.
pub(crate) fn depends_on_engine(method: &Method, path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    let is_read = *method == Method::GET || method.as_str() == "LIST";
    let has_word = has_later_segment(path, &CREATING) || has_later_segment(path, &OF_TOKEN);
    is_read && !OF_TOKEN.contains(&first) && has_word
}

/// True if a GET of `path` most likely has a lease, judged by its words alone: whether a token of the volume's own or the reading one calls first.
pub(crate) fn probably_leases(path: &str) -> bool {
    has_later_segment(path, &["creds", "sts", "key"]) && path.split('/').nth(1) != Some("data")
}

fn has_later_segment(path: &str, words: &[&str]) -> bool {
    path.split('/').skip(1).any(|segment| words.contains(&segment))
}

impl Effect {
    /// True if a second execution of the call may change something at the server.
    pub(crate) fn may_create(self) -> bool {
        match self {
            Self::Reads | Self::SignsToken | Self::ReadsOwnToken => false,
            Self::Creates | Self::Unclear => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [EngineType; 7] = [
        EngineType::Kv,
        EngineType::Identity,
        EngineType::Pki,
        EngineType::Transit,
        EngineType::Issuing,
        EngineType::OfToken,
        EngineType::Other,
    ];

    fn get(path: &str, engine: Option<EngineType>) -> Effect {
        effect(&Method::GET, path, engine)
    }

    #[test]
    fn the_engine_decides_and_not_the_words_of_the_path() {
        for path in [
            "secret/data/token/x",
            "secret/token/x",
            "secret/data/creds/sts/key",
            "secret/data/sys/a",
            "t/auth/x",
        ] {
            assert_eq!(get(path, Some(EngineType::Kv)), Effect::Reads, "{path}");
            assert!(depends_on_engine(&Method::GET, path), "{path}");
        }
        assert_eq!(get("identity/oidc/token/app", Some(EngineType::Identity)), Effect::SignsToken);
        assert_eq!(get("identity/oidc/key/app", Some(EngineType::Identity)), Effect::Reads);
        assert_eq!(get("pki/key/5d3a", Some(EngineType::Pki)), Effect::Reads);
        assert_eq!(get("transit/keys/token", Some(EngineType::Transit)), Effect::Reads);
        for path in ["database/creds/app", "aws/sts/x", "gcp/roleset/x/key"] {
            assert_eq!(get(path, Some(EngineType::Issuing)), Effect::Creates, "{path}");
        }
        assert_eq!(get("database/static-creds/app", Some(EngineType::Issuing)), Effect::Reads);
    }

    #[test]
    fn without_the_engine_the_words_are_a_careful_guess() {
        for engine in [None, Some(EngineType::Other)] {
            for path in [
                "database/creds/app",
                "a/b/creds/app",
                "aws/sts/x",
                "gcp/roleset/x/key",
                "identity/oidc/token/x",
            ] {
                assert_eq!(get(path, engine), Effect::Creates, "{path}");
            }
            for path in ["secret/data/creds-of-db", "creds/data/app", "pki/cert/ca", "secret/data/app"] {
                assert_eq!(get(path, engine), Effect::Reads, "{path}");
                assert!(!depends_on_engine(&Method::GET, path), "no call is spent on {path}");
            }
            assert_eq!(get("ns1/auth/token/lookup-self", engine), Effect::Unclear);
            assert_eq!(get("ns1/sys/internal/counters", engine), Effect::ReadsOwnToken);
            assert_eq!(get("a/b/cubbyhole/x", engine), Effect::ReadsOwnToken);
        }
    }

    #[test]
    fn what_belongs_to_a_token_is_never_shared_whatever_engine_the_path_is_said_to_have() {
        for engine in KNOWN.map(Some).into_iter().chain([None]) {
            for path in
                ["auth/token/lookup-self", "sys/mounts", "cubbyhole/x", "sys/wrapping/lookup", "sys/health/x"]
            {
                assert_eq!(get(path, engine), Effect::ReadsOwnToken, "{path}");
                assert_eq!(effect(&Method::PUT, path, engine), Effect::Unclear, "{path}");
                assert!(!depends_on_engine(&Method::GET, path), "{path}");
            }
            assert_eq!(get("sys/health", engine), Effect::Reads);
        }
        assert_eq!(
            get("ns1/auth/token/lookup-self", Some(EngineType::of("ns_token"))),
            Effect::ReadsOwnToken
        );
        assert_eq!(get("ns1/auth/kubernetes/x", Some(EngineType::of("kubernetes"))), Effect::ReadsOwnToken);
        assert_eq!(get("ns1/cubbyhole/x", Some(EngineType::of("ns_cubbyhole"))), Effect::ReadsOwnToken);
    }

    #[test]
    fn every_other_method_may_create_something_in_every_engine() {
        for engine in KNOWN.map(Some).into_iter().chain([None]) {
            for method in [Method::PUT, Method::POST, Method::DELETE] {
                assert!(effect(&method, "pki/issue/app", engine).may_create(), "{engine:?}");
            }
        }
        let list = Method::from_bytes(b"LIST").unwrap();
        assert_eq!(effect(&list, "database/creds/app", None), Effect::Reads, "a list creates nothing");
    }
}
