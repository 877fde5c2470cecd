//! When an answer says that what it holds ends.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Map, Value};

use super::Fetched;
use crate::renewal::Expiry;
use crate::spec::{EngineRequest, Source};
use crate::vault;

/// Whether and how long the answer to `source` may stand for another call; `now` is in Unix seconds. `None` for what must be asked for each time:
/// reads, and what is leased.
///
/// Nobody tells whether a GET makes something. Those that look like it are kept only when they tell an end, and never when the engine is one
/// of secrets that people write: their members are theirs to name.
pub fn life(source: &Source, fetched: &Fetched, now: i64) -> Option<Expiry> {
    match (&source.request, fetched) {
        (EngineRequest::Certificate(_), Fetched::Certificate(identity, _)) => {
            Some(Expiry::Until(identity.not_after()))
        }
        (EngineRequest::Request(request), Fetched::VaultResponse(answer, _)) => {
            let engine = answer.members().get("mount_type").and_then(Value::as_str);
            let written = matches!(engine, Some("kv" | "generic" | "cubbyhole"));
            let reads = request.method == Method::GET || request.method.as_str() == "LIST";
            let data = answer.members().get("data").and_then(Value::as_object);
            // Who reads a certificate, such as a CA's, wants its successor as soon as there is one.
            let end = data.and_then(|data| told(data, now).or_else(|| certificate(data).filter(|_| !reads)));
            match end.map_or(Expiry::Unknown, Expiry::Until) {
                _ if answer.is_leased()
                    || written
                    || !vault::creates(&request.method, request.path.as_str()) =>
                {
                    None
                }
                Expiry::Unknown if reads => None,
                Expiry::Until(_) if reads && engine.is_none() => None,
                life => Some(life),
            }
        }
        _ => None,
    }
}

/// Told by `expiration` (Unix seconds, as `pki/issue` has it), by `ttl` (seconds from now), or by an SSH certificate in `signed_key`.
fn told(data: &Map<String, Value>, now: i64) -> Option<i64> {
    let seconds = |name: &str| data.get(name).and_then(Value::as_i64).filter(|seconds| *seconds > 0);
    let signed = || data.get("signed_key").and_then(Value::as_str).and_then(ssh);
    seconds("expiration").or_else(|| seconds("ttl").map(|ttl| now.saturating_add(ttl))).or_else(signed)
}

/// The end of an X.509 certificate in `certificate`.
fn certificate(data: &Map<String, Value>) -> Option<i64> {
    data.get("certificate").and_then(Value::as_str).and_then(crate::certificate::not_after)
}

/// The end of an OpenSSH certificate (`PROTOCOL.certkeys`): `type base64 comment`.
fn ssh(line: &str) -> Option<i64> {
    let mut words = line.split_ascii_whitespace();
    let (kind, blob) = (words.next()?, STANDARD.decode(words.next()?).ok()?);
    // Strings between the nonce and the serial number: the public key's own.
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
    take(&mut rest, 8)?; // the first second
    let last = u64::from_be_bytes(take(&mut rest, 8)?.try_into().ok()?);
    Some(i64::try_from(last).unwrap_or(i64::MAX)) // all bits set: for ever
}

/// Skips one string: its length in four bytes, then that many.
fn string(rest: &mut &[u8]) -> Option<()> {
    let length = u32::from_be_bytes(take(rest, 4)?.try_into().ok()?);
    take(rest, usize::try_from(length).ok()?).map(|_| ())
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told_by(data: &Value) -> Option<i64> {
        told(data.as_object().unwrap(), 1000)
    }

    #[test]
    fn an_answer_tells_its_end_as_a_moment_or_as_a_life() {
        assert_eq!(told_by(&json!({"expiration": 5000, "ttl": 7})), Some(5000));
        assert_eq!(told_by(&json!({"ttl": 60})), Some(1060));
        for none in [
            json!({}),
            json!({"ttl": 0}),
            json!({"ttl": "1h"}),
            json!({"expiration": null}),
            json!({"signed_key": "canary"}),
        ] {
            assert_eq!(told_by(&none), None, "{none}");
        }
    }

    #[test]
    fn an_ssh_certificate_tells_its_own_validity() {
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
        assert_eq!(
            told_by(&json!({"signed_key": format!("{kind} {}\n", STANDARD.encode(&blob))})),
            Some(900)
        );
        for length in 0..before.len() + 16 {
            assert_eq!(
                told_by(&json!({"signed_key": format!("{kind} {}", STANDARD.encode(&blob[..length]))})),
                None
            );
        }
    }
}
