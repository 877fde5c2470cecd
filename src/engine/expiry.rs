//! When an issued credential expires, as far as its response says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Map, Value};

use super::Fetched;
use crate::renewal::Expiry;
use crate::spec::{EngineRequest, Request, Source};
use crate::vault::{self, Effect, EngineType, VaultResponse};

/// How long the response to `source` may be reused without another request; `now` is in Unix seconds. `None` for leased credentials, whose lease
/// says how long they live. Not for reads that volumes share: those are as old as `refresh` allows.
///
/// `refresh_is_explicit`: the class says how old the response may be. Without that, a read of a known engine that names its end is used until then.
pub(crate) fn expiry(
    source: &Source,
    fetched: &Fetched,
    now: i64,
    refresh_is_explicit: bool,
) -> Option<Expiry> {
    match fetched {
        _ if fetched.is_leased() => None,
        Fetched::Certificate(identity, _) => Some(Expiry::Until(identity.not_after())),
        Fetched::VaultResponse(response, _) => match &source.request {
            EngineRequest::Request(request) => Some(of_response(request, response, now, refresh_is_explicit)),
            EngineRequest::Kv(_)
            | EngineRequest::Certificate(_)
            | EngineRequest::Authorities { .. }
            | EngineRequest::Transit(_)
            | EngineRequest::S5(_) => Some(Expiry::Read),
        },
        Fetched::Authorities(..) | Fetched::Text(..) => Some(Expiry::Read),
    }
}

/// [`expiry`] of the response to a request of any path and method.
fn of_response(request: &Request, response: &VaultResponse, now: i64, refresh_is_explicit: bool) -> Expiry {
    let engine = response.engine();
    let data = response.members().get("data").and_then(Value::as_object);
    let end = |data| named_end(data, now).or_else(|| certificate_end(data));
    let reads = request.method == Method::GET || request.method.as_str() == "LIST";
    match vault::effect(&request.method, request.path.as_str(), engine) {
        // The members may be what people have written, or a certificate that may have a successor at any time.
        Effect::Reads | Effect::ReadsOwnToken => Expiry::Read,
        Effect::SignsToken | Effect::Creates | Effect::Unclear => match data.and_then(end) {
            None if reads => Expiry::Read,
            None => Expiry::Unknown,
            Some(end) if reads && (refresh_is_explicit || !engine.is_some_and(EngineType::is_known)) => {
                Expiry::ReadUntil(end)
            }
            Some(end) => Expiry::Until(end),
        },
    }
}

/// The end that `data` names: `expiration` (Unix seconds, as in `pki/issue`), `ttl` (seconds from now), or the end of the SSH certificate in
/// `signed_key`. In Unix seconds.
fn named_end(data: &Map<String, Value>, now: i64) -> Option<i64> {
    let seconds = |name: &str| data.get(name).and_then(Value::as_i64).filter(|seconds| *seconds > 0);
    let signed = || data.get("signed_key").and_then(Value::as_str).and_then(ssh_end);
    seconds("expiration").or_else(|| seconds("ttl").map(|ttl| now.saturating_add(ttl))).or_else(signed)
}

/// The end of the X.509 certificate in `certificate`, in Unix seconds.
fn certificate_end(data: &Map<String, Value>) -> Option<i64> {
    data.get("certificate").and_then(Value::as_str).and_then(crate::certificate::not_after)
}

/// The end of an OpenSSH certificate, in Unix seconds. The line is `type base64 comment`; the format is OpenSSH's `PROTOCOL.certkeys`.
fn ssh_end(line: &str) -> Option<i64> {
    let mut words = line.split_ascii_whitespace();
    let (kind, blob) = (words.next()?, STANDARD.decode(words.next()?).ok()?);
    // The number of strings between the nonce and the serial number: the fields of the public key.
    let key_strings = match kind.strip_suffix("-cert-v01@openssh.com")? {
        "ssh-ed25519" => 1,
        "ssh-rsa"
        | "ecdsa-sha2-nistp256"
        | "ecdsa-sha2-nistp384"
        | "ecdsa-sha2-nistp521"
        | "sk-ssh-ed25519" => 2,
        "sk-ecdsa-sha2-nistp256" => 3,
        _ => return None,
    };
    let mut rest = blob.as_slice();
    (0..2 + key_strings).try_for_each(|_| string(&mut rest))?;
    take(&mut rest, 8 + 4)?; // serial number, type of certificate
    (0..2).try_for_each(|_| string(&mut rest))?; // key id, principals
    take(&mut rest, 8)?; // valid after
    let last = u64::from_be_bytes(take(&mut rest, 8)?.try_into().ok()?);
    Some(i64::try_from(last).unwrap_or(i64::MAX)) // all bits set: no end
}

/// Skips one string: its length in four bytes, then as many bytes.
fn string(rest: &mut &[u8]) -> Option<()> {
    let length = u32::from_be_bytes(take(rest, 4)?.try_into().ok()?);
    take(rest, usize::try_from(length).ok()?).map(|_| ())
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, remaining) = rest.split_at_checked(length)?;
    *rest = remaining;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn end_of(data: &Value) -> Option<i64> {
        named_end(data.as_object().unwrap(), 1000)
    }

    #[test]
    fn a_response_names_its_end_as_a_moment_or_as_a_ttl() {
        assert_eq!(end_of(&json!({"expiration": 5000, "ttl": 7})), Some(5000));
        assert_eq!(end_of(&json!({"ttl": 60})), Some(1060));
        for none in [
            json!({}),
            json!({"ttl": 0}),
            json!({"ttl": "1h"}),
            json!({"expiration": null}),
            json!({"signed_key": "canary"}),
        ] {
            assert_eq!(end_of(&none), None, "{none}");
        }
    }

    #[test]
    fn the_end_of_an_ssh_certificate_is_read_from_it() {
        let string = |text: &[u8]| [&u32::try_from(text.len()).unwrap().to_be_bytes(), text].concat();
        let kind = "ssh-ed25519-cert-v01@openssh.com";
        let before = [
            string(kind.as_bytes()),
            string(b"nonce"),
            string(&[7; 32]),
            vec![0; 12],
            string(b"id"),
            string(b"root"),
        ]
        .concat();
        let blob =
            [before.clone(), 500_u64.to_be_bytes().to_vec(), 900_u64.to_be_bytes().to_vec(), string(b"")]
                .concat();
        assert_eq!(end_of(&json!({"signed_key": format!("{kind} {}\n", STANDARD.encode(&blob))})), Some(900));
        for length in 0..before.len() + 16 {
            assert_eq!(
                end_of(&json!({"signed_key": format!("{kind} {}", STANDARD.encode(&blob[..length]))})),
                None
            );
        }
    }
}
