//! The provider's log, events and the driver's records never contain a value of a secret or a token, neither in clear nor in base64.

use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD_NO_PAD};
use base64::{Engine, alphabet};
use serde_json::json;

use crate::support::{Restore, Scenario, eventually, kubectl, provider};

/// Prefix of every value of this test's secrets, too long to appear by chance.
const CANARY: &str = "canary-7Hq2xR9vKd3m";

/// Decodes a piece that was cut anywhere.
const PIECE: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, NO_PAD.with_decode_allow_trailing_bits(true));

/// The forbidden parts in a text, in clear or in base64 at any offset of the encoded bytes.
fn leaks(text: &str, unspoken: &[&str]) -> Vec<String> {
    let mut found = in_clear(text, unspoken);
    for word in text
        .split(|sign: char| !(sign.is_ascii_alphanumeric() || "+/-_".contains(sign)))
        .filter(|word| word.len() >= 16)
    {
        let word = word.replace('-', "+").replace('_', "/");
        for start in 0..4 {
            let mut piece = &word[start..];
            if piece.len() % 4 == 1 {
                piece = &piece[..piece.len() - 1]; // six bits, less than a byte
            }
            let decoded = PIECE.decode(piece).unwrap();
            found.extend(in_clear(&String::from_utf8_lossy(&decoded), unspoken));
        }
    }
    found
}

fn in_clear(text: &str, unspoken: &[&str]) -> Vec<String> {
    let known = unspoken.iter().filter(|part| text.contains(**part)).map(|part| (*part).to_owned());
    known.chain(openbao_tokens(text)).collect()
}

/// Texts in the form of an OpenBao token: `s.` and 24 letters or digits.
fn openbao_tokens(text: &str) -> impl Iterator<Item = String> {
    text.match_indices("s.").filter_map(|(at, _)| {
        let token = text.get(at..at + 26)?;
        token[2..].bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| token.to_owned())
    })
}

/// Classes whose failures could quote a value or a token, each with words of its event.
fn failures(scenario: &Scenario) -> Vec<(&'static str, String, &'static str)> {
    let path = scenario.path("db");
    let object = |rest: &str| format!("- {{objectName: file, secretPath: {path}, {rest}}}");
    vec![
        ("hex", object("secretKey: text, encoding: hex"), "hex"),
        ("base64", object("secretKey: text, encoding: base64"), "base64"),
        ("nested", object("secretKey: object, encoding: base64"), "base64"),
        ("missing", object("secretKey: texts"), "texts"),
        (
            "denied",
            "- {objectName: file, secretPath: secret/data/of-nobody/x, secretKey: k}".into(),
            "vault.read_denied",
        ),
        (
            "nowhere",
            format!("- {{objectName: file, secretPath: {}, secretKey: k}}", scenario.path("nowhere")),
            "vault.not_found",
        ),
        (
            "bad-request",
            format!(
                "- {{objectName: file, secretPath: transit/decrypt/none, method: PUT, secretArgs: {{ciphertext: {CANARY}-argument}}, secretKey: plaintext}}"
            ),
            "transit/decrypt/none",
        ),
    ]
}

#[test]
fn no_value_and_no_token_is_logged_even_at_level_trace() {
    let scenario = Scenario::alone();
    let _quiet = Restore(|| provider::change_flags(|flags| flags.retain(|flag| flag != "--log-level=trace")));
    provider::change_flags(|flags| flags.push(json!("--log-level=trace")));
    let value = |of: &str| format!("{CANARY}-{of}");
    scenario.put(
        "db",
        json!({"text": value("text"), "object": {"deep": value("object")}, "other": value("other")}),
    );
    scenario.allow("path \"transit/decrypt/none\" { capabilities = [\"update\"] }\n");

    let path = scenario.path("db");
    let good = format!(
        "- {{objectName: text, secretPath: {path}, secretKey: text}}\n- {{objectName: all, secretPath: {path}}}"
    );
    scenario.class("good", &good).sync("synced", &[("text", "text")]).apply();
    let pod = scenario.pod("good").mounts("good").env("TEXT", "synced", "text").start();
    assert_eq!(pod.read("good/text"), value("text"));
    let failing = failures(&scenario);
    for (name, objects, _) in &failing {
        scenario.class(name, objects).apply();
    }
    scenario.class("intruder", &good).parameter("roleName", "of-nobody").apply();
    let expected =
        failing.iter().map(|(name, _, words)| (*name, *words)).chain([("intruder", "vault.login_")]);
    let pods: Vec<_> =
        expected.map(|(name, words)| (scenario.pod(name).mounts(name).create(), words)).collect();
    for (pod, words) in &pods {
        pod.fails_to_mount(&[words], 90);
    }
    scenario.put(
        "db",
        json!({"text": value("rotated"), "object": {"deep": value("object")}, "other": value("other")}),
    );
    pod.comes_to_read("good/text", &value("rotated"), 60);

    // Every token of Kubernetes begins with the same header: the algorithm, and the id of the key that signed it.
    let token = scenario.token("vault");
    let header = token.split('.').next().unwrap();
    let unspoken = [CANARY, header];
    assert_eq!(leaks(&format!("{{\"x\":\"{CANARY}\"}}"), &unspoken), [CANARY]);
    let encoded = STANDARD_NO_PAD.encode(format!("Bearer {token} of s.{}", "aB3".repeat(8)));
    assert_eq!(leaks(&encoded, &unspoken).len(), 2, "this search would find nothing in {encoded}");

    // A failure is logged at debug after it was logged three times. When the kubelet tries a fourth time cannot be predicted.
    let log = eventually(120, "a log line of level trace", || match provider::log() {
        log if log.contains(&scenario.name) && log.contains("\"level\":\"DEBUG\"") => Ok(log),
        log => Err(format!("{} lines", log.lines().count())),
    });
    assert_eq!(leaks(&log, &unspoken), [""; 0], "in the log");
    for kind in ["events", "events.events.k8s.io", "secretproviderclasspodstatuses"] {
        let objects = kubectl(&["get", kind, "--all-namespaces", "--output=json"]);
        assert!(objects.contains(&scenario.name), "no {kind} of the scenario");
        assert_eq!(leaks(&objects, &unspoken), [""; 0], "in {kind}");
    }
}
