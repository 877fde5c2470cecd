//! The server's words that may be shown: anything else of a body may hold a value.

/// Pieces of error texts of OpenBao's and Vault's auth methods and engines that name a cause and hold no value of a user.
/// More telling ones stand first; a text is shown as the piece, never as it came.
const KNOWN: [&[&str]; 4] = [PASSING, FAILED_LOOK_UPS, VERDICTS, OTHERS];

/// Of logins that failed because the server could not look something up itself: no word on the pod.
const FAILED_LOOK_UPS: &[&str] = &[
    "namespace not authorized err=",
    "fetching keys",
    "error configuring token validator",
    "could not load backend configuration",
    "could not load configuration",
];

/// Of logins that the server judged; a refusal without such words may be a failed TokenReview.
const VERDICTS: &[&str] = &[
    "service account name not authorized",
    "namespace not authorized",
    "service account unauthorized; this could mean it has been deleted or recreated with a new token",
    "service account not found",
    "invalid role name",
    "could not be found",
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
    "requested namespace does not exist",
    "lease not found",
    "lease is not renewable",
    "lease count quota exceeded",
    "request path quota exceeded",
    "rate limit quota exceeded",
    "Vault is sealed",
    "OpenBao is sealed",
    "local node not active but active cluster node not found",
    "not allowed by this role",
    "unknown role",
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
    "permission denied",
];

/// Beginnings of 400 and 403 that were sent before anything was done, about something that ends by itself.
const PASSING: &[&str] = &[
    "Upgrading from non-versioned to versioned data",
    "Waiting for the primary to upgrade from non-versioned to versioned data",
    "API access to this namespace has been locked",
];

/// The end of a sentence of the same meaning: the PKI engine names before it what it cannot do yet.
const PASSING_END: &str = "until migration has completed";

/// Whole sentences of a server that did nothing: it is sealed, in standby, or electing. An engine's error has other words around them.
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

/// Beginnings of a 404 that says nothing of what lies at the path: no engine was asked.
const NOTHING_MOUNTED: &[&str] = &[
    "no handler for route",
    "namespace not found",
    "requested namespace does not exist",
    "Requested namespace does not exist",
];

/// The known piece of `errors`, if there is one.
pub(crate) fn known(errors: &[String]) -> Option<&'static str> {
    KNOWN.iter().copied().flatten().find(|known| errors.iter().any(|text| text.contains(**known))).copied()
}

/// True when a login's refusal in these words is a verdict on the pod.
pub(crate) fn is_verdict(words: Option<&str>) -> bool {
    words.is_some_and(|words| VERDICTS.contains(&words))
}

/// True when a login's refusal in these words says that the server's own look-up failed.
pub(crate) fn is_failed_look_up(words: Option<&str>) -> bool {
    words.is_some_and(|words| FAILED_LOOK_UPS.contains(&words))
}

/// True when the server says that it did nothing because it is not serving. Only for its own statuses: 5xx.
pub(crate) fn is_not_serving(errors: &[String]) -> bool {
    errors.iter().any(|text| NOT_SERVING.contains(&sentence(text)))
}

/// True when an engine says that it did nothing because of something that ends by itself. Only for 400 and 403.
pub(crate) fn is_passing(errors: &[String]) -> bool {
    let passes =
        |text: &str| PASSING.iter().any(|start| text.starts_with(start)) || text.ends_with(PASSING_END);
    errors.iter().any(|text| passes(sentence(text)))
}

/// True when no engine was asked, because nothing is mounted at the path or the namespace does not exist. Only for 404.
pub(crate) fn is_nothing_mounted(errors: &[String]) -> bool {
    errors.iter().any(|text| NOTHING_MOUNTED.iter().any(|start| sentence(text).starts_with(start)))
}

/// A text without what the server puts around a single error.
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

    fn piece(text: &str) -> Option<&'static str> {
        known(&texts(&[text]))
    }

    #[test]
    fn only_known_words_are_shown() {
        let errors = texts(&["1 error occurred:\n\t* permission denied\n\n", "password canary is wrong"]);
        assert_eq!(known(&errors), Some("permission denied"));
        assert_eq!((piece("canary"), known(&[])), (None, None));
    }

    #[test]
    fn a_bare_denial_is_no_verdict_and_a_named_cause_is() {
        assert!(!is_verdict(piece("permission denied")) && !is_verdict(None));
        assert!(is_verdict(piece("service account name not authorized")));
        assert!(is_verdict(piece("error validating token: ...")));
        let unresolved = piece("namespace not authorized err=dial tcp: canary");
        assert!(is_failed_look_up(unresolved) && !is_verdict(unresolved));
    }

    #[test]
    fn a_sealed_server_and_an_election_did_nothing_and_a_database_may_have() {
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
    fn what_ends_by_itself_and_what_no_engine_was_asked_for_are_known_by_their_beginning() {
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
