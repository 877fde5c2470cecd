//! What the PKI and SSH engines refuse in a request, and what to change: the server's sentence -> a hint.
//!
//! A name of the sentence is shown only if the class itself sent it: the sentence is compared with the names of the request's body.

use serde_json::Value;

use super::Hint;

/// Which parameters of a request hold names that may be shown.
const NAMES: [&str; 7] =
    ["common_name", "alt_names", "ip_sans", "uri_sans", "other_sans", "valid_principals", "user_ids"];

/// A sentence of an engine.
struct Refusal {
    /// Parts of the sentence that no other sentence has, in their order, with `*` between them.
    parts: &'static str,
    /// What was refused, and what to change.
    advice: &'static str,
}

const fn refusal(parts: &'static str, advice: &'static str) -> Refusal {
    Refusal { parts, advice }
}

impl Refusal {
    fn is_in(&self, text: &str) -> bool {
        self.parts.split('*').try_fold(text, |rest, part| Some(rest.split_once(part)?.1)).is_some()
    }
}

/// The sentences. The first match counts.
const REFUSALS: &[Refusal] = &[
    refusal(
        "IP/URI Subject Alternative Names are not allowed",
        "remove the IP addresses and URIs (ipSans, uriSans), or allow them in the engine's role (allow_ip_sans, allowed_uri_sans)",
    ),
    refusal(
        "IP Subject Alternative Names are not allowed",
        "remove the IP addresses (ipSans), or set allow_ip_sans in the engine's role",
    ),
    refusal(
        "URI Subject Alternative Names",
        "remove the URIs (uriSans), or allow them in the engine's role (allowed_uri_sans)",
    ),
    refusal(
        "other SAN*not allowed",
        "remove other_sans, or allow them in the engine's role (allowed_other_sans)",
    ),
    refusal("is not a valid IP address", "write IP addresses (ipSans), not names"),
    refusal(
        "common name *not allowed by this role",
        "change the common name (commonName), or allow it in the engine's role (allowed_domains, allow_subdomains, allow_bare_domains)",
    ),
    refusal(
        "subject alternate name *not allowed by this role",
        "change the alternative names (altNames), or allow them in the engine's role (allowed_domains, allow_subdomains, allow_bare_domains)",
    ),
    refusal(
        "email address *not allowed by this role",
        "remove the mail addresses (altNames), or allow them in the engine's role (allowed_domains)",
    ),
    refusal(
        "user_id *not allowed by this role",
        "remove user_ids, or allow them in the engine's role (allowed_user_ids)",
    ),
    refusal(
        "serial_number *not allowed by this role",
        "remove serial_number, or allow it in the engine's role (allowed_serial_numbers)",
    ),
    refusal(
        "the common_name field is required",
        "set the common name (commonName), or require_cn=false in the engine's role",
    ),
    refusal(
        "error converting input for field \"ttl\"",
        "write the ttl as a duration with a unit, such as 24h",
    ),
    refusal(
        "TTL would result in notAfter",
        "set a shorter ttl, or renew the CA of the mount, which ends before the certificate would",
    ),
    refusal("ttl is larger than maximum allowed", "set a shorter ttl, or raise max_ttl in the engine's role"),
    refusal("role requires keys of type rsa", KEY_TYPE),
    refusal("role requires keys of type ec", KEY_TYPE),
    refusal("role requires keys of type ed25519", KEY_TYPE),
    refusal(
        "role requires a minimum of a",
        "request a longer key (keyType), or lower key_bits in the engine's role",
    ),
    refusal(
        "not allowed for issuing certificates without providing key_type",
        "set privateKey: node, or a key_type other than any in the engine's role",
    ),
    refusal(
        "not a valid value for valid_principals",
        "change valid_principals, or allow them in the engine's role (allowed_users, allowed_domains)",
    ),
    refusal(
        "extensions *are not on allowed list",
        "remove the extensions, or allow them in the engine's role (allowed_extensions)",
    ),
    refusal(
        "setting key_id is not allowed by role",
        "remove key_id, or set allow_user_key_ids in the engine's role",
    ),
    refusal(
        "cert_type *is not allowed by role",
        "change cert_type, or set allow_user_certificates or allow_host_certificates in the engine's role",
    ),
    refusal("failed to parse public_key as SSH key", "set public_key to the text of an SSH public key file"),
    refusal("unknown role", NO_ROLE),
    refusal("Unknown role", NO_ROLE),
];

const KEY_TYPE: &str = "set keyType to the type that the role requires, or key_type=any in the engine's role";

const NO_ROLE: &str =
    "the engine has no role of the name at the end of the path: create it, or correct the name in the class";

/// The hint for `errors`, the texts of a 400. `body` is the request's, which holds the names that may be shown.
pub(crate) fn hint(errors: &[String], body: Option<&str>) -> Option<Hint> {
    let (text, found) = errors.iter().find_map(|text| {
        let found = REFUSALS.iter().find(|refusal| refusal.is_in(text))?;
        Some((text, found))
    })?;
    Some(Hint::Refused(sent_name(text, body), found.advice))
}

/// The longest name of the request's body that `text` contains as a whole word.
fn sent_name(text: &str, body: Option<&str>) -> Option<String> {
    let body: Value = serde_json::from_str(body?).ok()?;
    let values = NAMES.iter().filter_map(|name| body.get(name));
    let texts = values.flat_map(|value| match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().map_or_else(Vec::new, |text| text.split(',').collect()),
    });
    let names = texts.map(str::trim).filter(|name| !name.is_empty() && contains_word(text, name));
    names.max_by_key(|name| name.len()).map(str::to_owned)
}

/// True if `text` contains `word` between spaces, quotes or its ends.
fn contains_word(text: &str, word: &str) -> bool {
    let is_end = |character: Option<char>| character.is_none_or(|end| end.is_whitespace() || end == '"');
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text.get(..at), text.get(at + word.len()..));
        is_end(before.and_then(|before| before.chars().next_back()))
            && is_end(after.and_then(|after| after.chars().next()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, body: &str) -> String {
        hint(&[text.to_owned()], Some(body)).map_or_else(String::new, |hint| hint.to_string())
    }

    #[test]
    fn a_refused_name_is_shown_only_if_the_class_sent_it_as_a_name() {
        let text = "common name web.other.org not allowed by this role";
        assert!(
            shown(text, r#"{"common_name":"web.other.org"}"#).starts_with("\"web.other.org\" is refused: ")
        );
        let others = [
            r#"{"common_name":"web.other"}"#,
            r#"{"password":"web.other.org"}"#,
            r#"{"common_name":""}"#,
            "{",
        ];
        for body in others {
            assert!(shown(text, body).starts_with("change the common name"), "{body}");
        }
        let alternative = "subject alternate name b.other.org not allowed by this role";
        for body in [r#"{"alt_names":"a.example.com, b.other.org"}"#, r#"{"alt_names":["b.other.org"]}"#] {
            assert!(shown(alternative, body).starts_with("\"b.other.org\" is refused: "), "{body}");
        }
    }

    #[test]
    fn another_sentence_has_no_hint() {
        assert_eq!(shown("something else", "{}"), "");
        assert_eq!(hint(&[], None), None);
    }
}
