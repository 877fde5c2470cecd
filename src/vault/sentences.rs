//! The server's words that may be shown: anything else of a body may hold a value.

use serde_json::Value;

/// Pieces of error texts of OpenBao's and Vault's auth methods and engines that name a cause and hold no value of a user.
/// More telling ones stand first; a text is shown as the piece, never as it came.
const KNOWN: [&[&str]; 3] = [FAILED_LOOK_UPS, VERDICTS, OTHERS];

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

/// Words of a refusal that was made before anything was done: sealed, in standby, or electing.
const NOT_SERVING: [&str; 4] = ["is sealed", "standby", "local node not active", "not initialized"];

/// The known piece of `body`'s error texts, if there is one.
pub(super) fn known(body: &[u8]) -> Option<&'static str> {
    let texts = texts(body);
    KNOWN.iter().copied().flatten().find(|known| texts.iter().any(|text| text.contains(**known))).copied()
}

/// True when a login's refusal in these words is a verdict on the pod.
pub(super) fn is_verdict(words: Option<&str>) -> bool {
    words.is_some_and(|words| VERDICTS.contains(&words))
}

/// True when a login's refusal in these words says that the server's own look-up failed.
pub(super) fn is_failed_look_up(words: Option<&str>) -> bool {
    words.is_some_and(|words| FAILED_LOOK_UPS.contains(&words))
}

/// True when the server says that it did nothing because it is not serving.
pub(super) fn is_not_serving(body: &[u8]) -> bool {
    texts(body).iter().any(|text| NOT_SERVING.iter().any(|words| text.contains(words)))
}

fn texts(body: &[u8]) -> Vec<String> {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(body) else { return Vec::new() };
    let Some(Value::Array(errors)) = members.remove("errors") else { return Vec::new() };
    errors.into_iter().filter_map(|error| if let Value::String(text) = error { Some(text) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_words_are_shown() {
        let body = br#"{"errors": ["1 error occurred:\n\t* permission denied\n\n", "password canary is wrong"]}"#;
        assert_eq!(known(body), Some("permission denied"));
        for body in [&b"canary"[..], br#"{"errors": ["canary"]}"#, br#"{"errors": "canary"}"#, b"[]", b""] {
            assert_eq!(known(body), None);
        }
    }

    #[test]
    fn a_bare_denial_is_no_verdict_and_a_named_cause_is() {
        assert!(!is_verdict(known(br#"{"errors": ["permission denied"]}"#)) && !is_verdict(None));
        assert!(is_verdict(known(br#"{"errors": ["service account name not authorized"]}"#)));
        assert!(is_verdict(known(br#"{"errors": ["error validating token: ..."]}"#)));
        let unresolved = known(br#"{"errors": ["namespace not authorized err=dial tcp: canary"]}"#);
        assert!(is_failed_look_up(unresolved) && !is_verdict(unresolved));
    }

    #[test]
    fn a_sealed_server_and_an_election_did_nothing() {
        assert!(is_not_serving(br#"{"errors": ["Vault is sealed"]}"#));
        assert!(is_not_serving(br#"{"errors": ["local node not active but active cluster node not found"]}"#));
        assert!(!is_not_serving(b"<html>503</html>") && !is_not_serving(br#"{"errors": ["database is down"]}"#));
    }
}
