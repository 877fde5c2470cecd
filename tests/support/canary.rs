//! Values that may appear in files only: the log and every status are searched for them when a test ends.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Part of every canary and of the claims of every token. Letters and digits only: no escaping changes it.
const MARK: &str = "Kanarienvogel7Qx";

/// A secret value that is found wherever it leaks.
pub(crate) fn canary(label: &str) -> String {
    format!("{label}-{MARK}")
}

/// Panics when `text` holds a canary, a service account token or one of `tokens`: plain, in hex, in base64 at any offset,
/// or in one of these over a base64 of it (a token's claims are base64 already). `place` names the text.
pub(crate) fn assert_silent(place: &str, text: &str, tokens: &[String]) {
    let mut secrets: Vec<Vec<u8>> = vec![MARK.into()];
    secrets.extend(base64_cores(MARK.as_bytes()));
    secrets.extend(tokens.iter().map(|token| token.clone().into_bytes()));
    for form in secrets.iter().flat_map(|secret| forms(secret)) {
        let Some(at) = text.find(&form) else { continue };
        let line = text[..at].lines().count().max(1);
        let around = text.lines().nth(line - 1).unwrap_or_default();
        panic!("{place}, line {line}: a secret shows as {form:?} in\n{around}");
    }
}

/// The forms in which a text could contain `secret`.
fn forms(secret: &[u8]) -> Vec<String> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![String::from_utf8_lossy(secret).into_owned(), hex.to_uppercase(), hex];
    forms.extend(base64_cores(secret).into_iter().map(|core| String::from_utf8_lossy(&core).into_owned()));
    forms
}

/// The characters of a base64 text that depend on `secret` alone, for each of the three offsets at which it may begin.
fn base64_cores(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut cores = Vec::new();
    for offset in 0..3 {
        let shifted = [&vec![0; offset], secret].concat();
        let whole = shifted.len() / 3 * 4;
        let first = (offset * 8).div_ceil(6);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let core = engine.encode(&shifted).into_bytes()[first..whole].to_vec();
            if !cores.contains(&core) {
                cores.push(core);
            }
        }
    }
    cores
}

#[test]
fn a_canary_is_found_in_every_disguise() {
    let value = canary("password");
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut disguises = vec![value.clone(), hex.clone(), hex.to_uppercase()];
    for lead in ["", "x", "xy"] {
        let claims = URL_SAFE_NO_PAD.encode(format!("{lead}{value} and more"));
        disguises.push(STANDARD_NO_PAD.encode(format!("Bearer eyJ.{claims}.sig")));
        disguises.push(claims);
    }
    for disguise in disguises {
        let told = std::panic::catch_unwind(|| {
            assert_silent("log", &format!("a line\n{{\"text\":\"{disguise}\"}}"), &[])
        });
        assert!(told.is_err(), "{disguise}");
    }
    assert_silent("log", "nothing of it", &["s.token".into()]);
}
