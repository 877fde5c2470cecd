//! Scenario D: ciphertext in git, plain text only in memory.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::{Scenario, bao};

/// A transit engine's key, made for the test.
struct Key {
    mount: String,
    name: String,
}

impl Key {
    fn new(mount: &str, name: &str) -> Self {
        bao::run(&["write", "-force", &format!("{mount}/keys/{name}")], "");
        Self { mount: mount.into(), name: name.into() }
    }

    fn rotate(&self) {
        bao::run(&["write", "-force", &format!("{}/keys/{}/rotate", self.mount, self.name)], "");
    }

    /// The ciphertext as transit writes it, `vault:v<n>:<base64>`.
    fn seal(&self, text: &str) -> String {
        let plain = format!("plaintext={}", STANDARD.encode(text));
        bao::run(
            &["write", "-field=ciphertext", &format!("{}/encrypt/{}", self.mount, self.name), &plain],
            "",
        )
        .trim()
        .into()
    }

    /// The marker that `s5 cipher` prints: the ciphertext of the first version, without its prefix.
    fn marker(&self, text: &str) -> String {
        format!("{{{{ s5:{} }}}}", self.seal(text).strip_prefix("vault:v1:").unwrap())
    }

    /// The marker of any version: with its prefix.
    fn versioned(&self, text: &str) -> String {
        format!("{{{{ s5:{} }}}}", self.seal(text))
    }

    fn path(&self) -> String {
        format!("{}/decrypt/{}", self.mount, self.name)
    }

    /// The deployer's policy for the key.
    fn rule(&self) -> String {
        format!("path \"{}\" {{ capabilities = [\"update\"] }}\n", self.path())
    }

    /// Checks that every login (one for each mount, by `login: transient`) decrypted all its markers in one call.
    fn was_called_once_by_every_login(&self, scenario: &Scenario) {
        let calls = bao::calls_by_login(&scenario.name, &self.path());
        assert!(!calls.is_empty() && calls.iter().all(|&calls| calls == 1), "calls by login: {calls:?}");
    }
}

/// `text` as the block of a YAML literal.
fn block(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

#[test]
fn only_a_deployer_with_the_right_to_decrypt_opens_helm_values() {
    let scenario = Scenario::begin();
    let key = Key::new("transit", &scenario.name);
    scenario.allow_only(&key.rule());
    let [user, password, name, value] =
        ["admin", "p4ss: \"word\"", "API_KEY", "k-123"].map(|text| key.marker(text));
    let values = format!("replicas: 2\nlogin: {user}/{password}\nenv:\n  {name}: {value}\n");
    // Another engine with a rotated key; one file has markers of both versions.
    let other = format!("{}/sealed", scenario.name);
    bao::run(&["secrets", "enable", &format!("-path={other}"), "transit"], "");
    let rotated = Key::new(&other, "values");
    let old = rotated.marker("of v1");
    rotated.rotate();
    let properties = format!("old={old}\nnew={}\n", rotated.versioned("of v2"));
    scenario.allow_only(&(key.rule() + &rotated.rule()));
    let objects = format!(
        "- objectName: values.yaml\n  s5: {{mount: transit, key: {}}}\n  content: |\n{}\
         - objectName: app.properties\n  s5: {{mount: {other}, key: values}}\n  content: |\n{}",
        key.name,
        block(&values),
        block(&properties)
    );
    scenario.class("sealed", &objects).parameter("login", "transient").apply();
    let pod = scenario.pod("deployer").mounts("sealed").start();

    assert_eq!(
        pod.read("sealed/values.yaml"),
        "replicas: 2\nlogin: admin/p4ss: \"word\"\nenv:\n  API_KEY: k-123\n"
    );
    assert_eq!(pod.read("sealed/app.properties"), "old=of v1\nnew=of v2\n");
    key.was_called_once_by_every_login(&scenario);
    rotated.was_called_once_by_every_login(&scenario);
}

#[test]
fn a_sealed_file_in_a_key_value_secret_is_opened_in_the_volume() {
    let scenario = Scenario::begin();
    let key = Key::new("transit", &scenario.name);
    scenario.allow(&key.rule());
    let manifest = |user: &str, password: &str| format!("kind: Secret\nstringData:\n  {user}: {password}\n");
    scenario.put("git", json!({"manifest": manifest(&key.marker("admin"), &key.marker("first"))}));
    let objects = format!(
        "- objectName: secret.yaml\n  s5: {{key: {0}, from: {{kv: {{mount: secret, path: {0}/git}}, secretKey: manifest}}}}",
        scenario.name
    );
    scenario.class("sealed", &objects).parameter("login", "transient").apply();
    let pod = scenario.pod("deployer").mounts("sealed").start();
    assert_eq!(pod.read("sealed/secret.yaml"), manifest("admin", "first"));
    key.was_called_once_by_every_login(&scenario);

    key.rotate();
    scenario.put("git", json!({"manifest": manifest(&key.versioned("admin"), &key.versioned("second"))}));
    pod.comes_to_read("sealed/secret.yaml", &manifest("admin", "second"), 60);
    key.was_called_once_by_every_login(&scenario);
}
