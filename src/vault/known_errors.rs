//! The error texts of Vault and OpenBao that may be shown. Any other text of a body may hold a secret.

/// Parts of error texts of Vault's and OpenBao's auth methods and engines that name a cause and no value of a user. The first match counts, so
/// more specific texts stand first. Only the part is shown, never the text around it.
const KNOWN: [&[&str]; 4] = [PASSING, FAILED_LOOKUPS, VERDICTS, OTHERS];

/// Logins that failed because a lookup of the server failed. They say nothing about the pod.
const FAILED_LOOKUPS: &[&str] = &[
    "namespace not authorized err=",
    "fetching keys",
    "error configuring token validator",
    "could not load backend configuration",
    "could not load configuration",
];

/// Logins that the server refused because of the pod or its token. A refusal without such a text may be a failed TokenReview.
const VERDICTS: &[&str] = &[
    "service account name not authorized",
    "namespace not authorized",
    "service account unauthorized; this could mean it has been deleted or recreated with a new token",
    "service account not found",
    MISSING_ROLE,
    MISSING_ROLE_OF_JWT,
    "no audiences bound to the role",
    "audience claim does not match any expected audience",
    "invalid audience (aud) claim",
    "invalid issuer (iss) claim",
    "invalid subject (sub) claim",
    "sub claim does not match bound subject",
    "token is expired",
    "token not yet valid",
    "no known key successfully validated the token signature",
    "error validating claims",
    "error validating token",
];

const OTHERS: &[&str] = &[
    PASSING_END,
    "namespace is sealed",
    NO_NAMESPACE[1],
    NO_NAMESPACE[2],
    INVALID_LEASE,
    INVALID_TOKEN,
    "lease not found",
    "lease is not renewable",
    "lease count quota exceeded",
    "request path quota exceeded",
    "rate limit quota exceeded",
    "Vault is sealed",
    "OpenBao is sealed",
    "local node not active but active cluster node not found",
    "IP Subject Alternative Names are not allowed",
    "IP/URI Subject Alternative Names are not allowed",
    "URI Subject Alternative Names are not allowed",
    "other SAN types are not allowed",
    "is not allowed by this role",
    "not allowed by this role",
    "is not a valid value for valid_principals",
    "not a valid value for valid_principals",
    "is greater than the maximum",
    "cannot be greater than the max",
    "is not an allowed role",
    NO_NAMESPACE[0],
    "unknown role",
    "Unknown role",
    "role requires a minimum of a",
    "is not a valid IP address",
    "error converting input for field \"ttl\"",
    "ttl is larger than maximum allowed",
    "setting key_id is not allowed by role",
    "are not on allowed list",
    "failed to parse public_key as SSH key",
    "role requires keys of type rsa",
    "role requires keys of type ec",
    "role requires keys of type ed25519",
    "role requires keys of type",
    "the common_name field is required",
    "not allowed for issuing certificates without providing key_type",
    "TTL would result in notAfter",
    "no default issuer currently configured",
    "encryption key not found",
    "missing 'context' for key derivation",
    "invalid ciphertext",
    "no handler for route",
    "unsupported operation",
    "unsupported path",
    "Invalid path for a versioned K/V secrets engine",
    PERMISSION_DENIED,
];

/// The text for a path that no policy of the token allows.
const PERMISSION_DENIED: &str = "permission denied";

/// The text of a kubernetes auth mount for a role that does not exist.
const MISSING_ROLE: &str = "invalid role name";

/// The text of a jwt auth mount for a role that does not exist.
const MISSING_ROLE_OF_JWT: &str = "could not be found";

/// Texts for a namespace that does not exist.
const NO_NAMESPACE: [&str; 3] =
    ["namespace not found", "requested namespace does not exist", "Requested namespace does not exist"];

/// The text for a token that does not exist, or does not exist any more.
pub(crate) const INVALID_TOKEN: &str = "invalid token";

/// The text for a lease that does not exist, or does not exist any more.
pub(crate) const INVALID_LEASE: &str = "invalid lease";

/// How the texts of a 400 or 403 begin that was sent before anything was executed, because of a state that ends by itself.
const PASSING: &[&str] = &[
    "Upgrading from non-versioned to versioned data",
    "Waiting for the primary to upgrade from non-versioned to versioned data",
    "API access to this namespace has been locked",
];

/// How a text with the same meaning ends: the PKI engine first names what it cannot do yet.
const PASSING_END: &str = "until migration has completed";

/// Complete texts of a server that executed nothing because it is sealed, standby or electing a leader. They must match completely: an engine's
/// error may contain them, too.
const NOT_SERVING: &[&str] = &[
    "Vault is sealed",
    "OpenBao is sealed",
    "Vault is in standby mode",
    "OpenBao is in standby mode",
    "Vault is not initialized",
    "OpenBao is not initialized",
    "server is not yet initialized",
    "no active Vault instance found",
    "no active OpenBao instance found",
    "namespace is sealed",
    "local node not active but active cluster node not found",
];

/// How the texts of a 404 begin that no engine sent, so that it says nothing about the path.
const NOTHING_MOUNTED: &[&str] = &["no handler for route", NO_NAMESPACE[0], NO_NAMESPACE[1], NO_NAMESPACE[2]];

/// The first known part of `errors`.
pub(crate) fn known(errors: &[String]) -> Option<&'static str> {
    KNOWN.iter().copied().flatten().find(|known| errors.iter().any(|text| text.contains(**known))).copied()
}

/// True if a login with this text names a role that does not exist.
pub(crate) fn is_missing_role(text: Option<&str>) -> bool {
    matches!(text, Some(MISSING_ROLE | MISSING_ROLE_OF_JWT))
}

/// True if a call with this text names a namespace that does not exist.
pub(crate) fn is_missing_namespace(text: Option<&str>) -> bool {
    text.is_some_and(|text| NO_NAMESPACE.contains(&text))
}

/// True if no policy of the token allows the call. Another refusal with the same status has another text.
pub(crate) fn is_permission_denied(text: Option<&str>) -> bool {
    text == Some(PERMISSION_DENIED)
}

/// True if a login that is refused with this text was refused because of the pod or its token.
pub(crate) fn is_verdict(text: Option<&str>) -> bool {
    text.is_some_and(|text| VERDICTS.contains(&text))
}

/// True if a login that is refused with this text failed because of a lookup of the server.
pub(crate) fn is_failed_lookup(text: Option<&str>) -> bool {
    text.is_some_and(|text| FAILED_LOOKUPS.contains(&text))
}

/// True if the server executed nothing because it is not serving. Only for a 5xx.
pub(crate) fn is_not_serving(errors: &[String]) -> bool {
    errors.iter().any(|text| NOT_SERVING.contains(&sentence(text)))
}

/// True if an engine executed nothing because of a state that ends by itself. Only for a 400 or 403.
pub(crate) fn is_passing(errors: &[String]) -> bool {
    let passes =
        |text: &str| PASSING.iter().any(|start| text.starts_with(start)) || text.ends_with(PASSING_END);
    errors.iter().any(|text| passes(sentence(text)))
}

/// True if no engine handled the request, because nothing is mounted at the path or the namespace does not exist.
/// For a 403: a 404 with any text is no absence (`classify.rs`).
pub(crate) fn is_nothing_mounted(errors: &[String]) -> bool {
    errors.iter().any(|text| NOTHING_MOUNTED.iter().any(|start| sentence(text).starts_with(start)))
}

/// A text without what the server adds around a single error.
fn sentence(text: &str) -> &str {
    let text = text.strip_prefix("1 error occurred:").unwrap_or(text);
    text.trim_start_matches(['\n', '\t', ' ', '*']).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn known_part(text: &str) -> Option<&'static str> {
        known(&texts(&[text]))
    }

    #[test]
    fn only_known_texts_are_shown() {
        let errors = texts(&["1 error occurred:\n\t* permission denied\n\n", "password canary is wrong"]);
        assert_eq!(known(&errors), Some("permission denied"));
        assert_eq!((known_part("canary"), known(&[])), (None, None));
    }

    #[test]
    fn a_denial_is_a_verdict_only_if_it_names_a_cause() {
        assert!(!is_verdict(known_part("permission denied")) && !is_verdict(None));
        assert!(is_verdict(known_part("service account name not authorized")));
        assert!(is_verdict(known_part("error validating token: ...")));
        let unresolved = known_part("namespace not authorized err=dial tcp: canary");
        assert!(is_failed_lookup(unresolved) && !is_verdict(unresolved));
    }

    #[test]
    fn a_sealed_server_executed_nothing_and_a_database_may_have_executed_something() {
        let not_serving = |text| is_not_serving(&texts(&[text]));
        assert!(NOT_SERVING.iter().all(|text| not_serving(text)));
        assert!(not_serving("1 error occurred:\n\t* Vault is sealed\n\n"));
        for text in [
            "database is down",
            "the database system is in standby mode",
            "plugin: Vault is sealed",
            "Vault is sealed by wax",
            "",
        ] {
            assert!(!not_serving(text), "{text}");
        }
    }

    #[test]
    fn a_temporary_state_and_a_missing_mount_are_recognised_by_how_the_text_begins() {
        assert!(is_passing(&texts(&[
            "Upgrading from non-versioned to versioned data. This backend will be unavailable"
        ])));
        assert!(
            !is_passing(&texts(&["error: Upgrading from non-versioned to versioned data"]))
                && !is_passing(&[])
        );
        assert!(is_nothing_mounted(&texts(&[
            "no handler for route \"secret/data/x\". route entry not found."
        ])));
        assert!(!is_nothing_mounted(&texts(&["unsupported path"])) && !is_nothing_mounted(&[]));
    }
}
