//! Ciphertext in files: what a developer and a deployer do at the command line.

mod person; // somebody at a terminal

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use tempfile::TempDir;

use crate::support::*;
use person::{Person, run, succeeded, token, told};

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

#[tokio::test]
async fn a_text_comes_back_from_its_marker_byte_for_byte() {
    let vault = Vault::start().await;
    let person = Person::with_transit(&vault).await;
    let binary: Vec<u8> = (0..=255).collect();
    for text in [
        canary("plain").as_bytes(),
        b" spaces and newlines \r\n\n",
        "\u{fc}ml\u{e4}ut \u{1f511}".as_bytes(),
        b"",
        b"{{ s5:AA== }}",
        &binary,
    ] {
        let marker = person.cipher(text);
        let base64 = marker.strip_prefix("{{ s5:").and_then(|rest| rest.strip_suffix(" }}")).unwrap();
        assert!(
            base64.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)),
            "{marker}"
        );
        assert_eq!(person.s5(&["decipher"], marker.as_bytes()), text);
        assert_eq!(person.s5(&["decipher", &marker], b""), text);
    }
    let marker = String::from_utf8(person.s5(&["cipher", "as an argument"], b"")).unwrap();
    assert_eq!(person.s5(&["decipher"], format!("\npassword: {marker}\n").as_bytes()), b"as an argument");
}

#[tokio::test]
async fn what_the_original_tool_wrote_is_read() {
    let vault = Vault::start().await;
    let person = Person::with_transit(&vault).await;
    // The original sends the text to the engine by itself, and cuts `vault:v1:`.
    let answer = vault.write("transit/encrypt/default", json!({ "plaintext": "b2xkIHZhbHVl" })).await;
    let base64 = answer["data"]["ciphertext"].as_str().unwrap().strip_prefix("vault:v1:").unwrap().to_owned();
    for marker in [
        format!("{{{{s5:{base64}}}}}"),
        format!("{{{{ s5:{base64} }}}}"),
        format!("{{{{ s5:vault:v1:{base64} }}}}"),
    ] {
        assert_eq!(person.s5(&["decipher"], marker.as_bytes()), b"old value", "{marker}");
        assert_eq!(
            person.s5(&["render"], format!("a: {marker}\n").as_bytes()),
            b"a: old value\n",
            "{marker}"
        );
    }
}

#[tokio::test]
async fn all_files_are_rendered_by_one_call() {
    let vault = Vault::start().await;
    let person = Person::with_transit(&vault).await;
    let [user, password, key] =
        ["admin", &canary("password"), "team-a"].map(|text| person.cipher(text.as_bytes()));
    let values =
        format!("image:\n  tag: {{{{ .Values.tag }}}}\nauth: {{user: {user}, password: \"{password}\"}}\n");
    let secret = format!("kind: Secret\nstringData:\n  {key}: {password}\n  {key}-{user}: {key}{key}\n");
    let properties = format!("db.user={user}\ndb.password = {password}\n# {{{{ not s5:abc }}}}\n");
    person.file("values.yaml", values);
    person.file("secret.yaml", secret);
    person.file("app.properties", properties);
    let rendered = person.s5(&["render", "values.yaml", "secret.yaml", "app.properties"], b"");
    let password = canary("password");
    let expected = format!(
        "image:\n  tag: {{{{ .Values.tag }}}}\nauth: {{user: admin, password: \"{password}\"}}\n\
         kind: Secret\nstringData:\n  team-a: {password}\n  team-a-admin: team-ateam-a\n\
         db.user=admin\ndb.password = {password}\n# {{{{ not s5:abc }}}}\n"
    );
    assert_eq!(String::from_utf8(rendered).unwrap(), expected);
    assert_eq!(vault.count("update transit/decrypt/default"), 1);
    assert_eq!(vault.count("update auth/token/revoke-self"), 0, "the token is the person's own");
}

#[tokio::test]
async fn nothing_but_markers_changes() {
    let vault = Vault::start().await;
    let person = Person::with_transit(&vault).await;
    let marker = person.cipher(b"value");
    let long = "x".repeat(1024 * 1024);
    let cases = [
        (format!("a: {marker}\r\nb: 1\r\n"), "a: value\r\nb: 1\r\n".to_owned()),
        (format!("no newline at the end: {marker}"), "no newline at the end: value".to_owned()),
        (format!("{long}{marker}{long}{marker}{marker}"), format!("{long}value{long}valuevalue")),
        ("no marker at all {{ .x }}\n\n".to_owned(), "no marker at all {{ .x }}\n\n".to_owned()),
        (String::new(), String::new()),
    ];
    for (text, expected) in cases {
        assert!(person.s5(&["render"], text.as_bytes()) == expected.as_bytes(), "{:.60}", text);
    }
    let binary = [b"\xff\xfe\x00", marker.as_bytes(), b"\x80\r\n\xc3"].concat();
    assert_eq!(person.s5(&["render"], &binary), b"\xff\xfe\x00value\x80\r\n\xc3");
}

#[tokio::test]
async fn markers_of_every_version_of_the_key_are_read() {
    let vault = Vault::start().await;
    let person = Person::with_transit(&vault).await;
    let first = person.cipher(b"first");
    vault.write("transit/keys/default/rotate", json!({})).await;
    let second = person.cipher(b"second");
    assert!(second.starts_with("{{ s5:vault:v2:") && !first.contains("vault"), "{first} {second}");
    assert_eq!(person.s5(&["render"], format!("{first} {second}\n").as_bytes()), b"first second\n");
    vault.write("transit/keys/default/config", json!({ "min_decryption_version": 2 })).await;
    assert_eq!(person.s5(&["decipher"], second.as_bytes()), b"second");
    let told = person.refused(&["decipher"], first.as_bytes());
    assert!(
        told.contains(
            "stdin:1: a marker cannot be opened: its version is below the key's min_decryption_version"
        ),
        "{told}"
    );
    let next = person.refused(&["decipher"], second.replace(":v2:", ":v3:").as_bytes());
    assert!(next.contains("its key has no such version"), "{next}");
}

#[tokio::test]
async fn a_file_is_rendered_in_place_with_its_mode_and_through_links() {
    let vault = Vault::start().await;
    let person = Person::with_transit(&vault).await;
    let marker = person.cipher(b"value");
    let (one, other) = (person.file("one", format!("a: {marker}")), person.file("other", "no marker\n"));
    fs::set_permissions(&one, Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(&one, None, one_group().or(Some(one.metadata().unwrap().gid()))).unwrap();
    symlink("one", person.home.path().join("link")).unwrap();
    let (before, inode) = (one.metadata().unwrap(), other.metadata().unwrap().ino());
    assert_eq!(person.s5(&["render", "-i", "link", "other"], b""), b"");
    assert_eq!(fs::read(&one).unwrap(), b"a: value");
    let after = one.metadata().unwrap();
    assert_eq!((mode(&one), after.uid(), after.gid()), (0o640, before.uid(), before.gid()));
    assert!(person.home.path().join("link").is_symlink());
    assert_eq!(other.metadata().unwrap().ino(), inode, "a file without markers is left alone");
    assert_eq!(person.files(), ["link", "one", "other"]);
}

/// Another group that a file may be given, for root.
fn one_group() -> Option<u32> {
    nix::unistd::geteuid().is_root().then_some(4242)
}

#[tokio::test]
async fn a_marker_that_cannot_be_opened_is_named_by_its_line_and_leaves_all_files_alone() {
    let vault = Vault::start().await;
    let person = Person::with_transit(&vault).await;
    vault.write("transit/keys/foreign", json!({})).await;
    let good = person.cipher(canary("good").as_bytes());
    let foreign = String::from_utf8(person.s5(&["cipher", "--transit-key=foreign"], b"x")).unwrap();
    let (one, other) =
        (format!("a: {good}\n"), format!("b: {good}\nc: 1\nd: {foreign} {{{{ s5:AAAA }}}}\n{{{{ s5: }}}}\n"));
    let paths = [person.file("one", &one), person.file("other", &other)];
    let foreign = "it was encrypted with another key or context, or was changed since";
    let none = "it is not a complete transit ciphertext (vault:v<n>:<base64>)";
    for arguments in [&["render", "one", "other"][..], &["render", "--in-place", "one", "other"]] {
        let told = person.refused(arguments, b"");
        let [third, again, fourth] = told.lines().collect::<Vec<_>>()[..] else { panic!("{told}") };
        assert_eq!(third, format!("vaultmount: other:3: a marker cannot be opened: {foreign}"));
        assert_eq!(again, format!("other:3: a marker cannot be opened: {none}"));
        assert_eq!(fourth, format!("other:4: a marker cannot be opened: {none}"));
    }
    assert_eq!(paths.map(|path| fs::read_to_string(path).unwrap()), [one, other]);
    let alone = person.refused(&["render"], b"{{ s5:AAAA }}");
    assert!(alone.contains("stdin:1: a marker cannot be opened: "), "a batch that fails as a whole: {alone}");
    assert_eq!(person.files(), ["one", "other"]);
}

#[tokio::test]
async fn another_mount_key_and_namespace_are_named_by_flags() {
    let vault = Vault::start().await;
    vault.write("sys/namespaces/team", json!({})).await;
    vault.enable_in("team", "a/seals", "transit", json!({})).await;
    vault.write_in("team", "a/seals/keys/orders", json!({})).await;
    let person = Person::new(&vault, vault.root_token());
    let flags = ["--vault-namespace=team", "--transit-mount=a/seals/", "--transit-key=orders"];
    let marker = String::from_utf8(person.s5(&[&flags[..], &["cipher", "value"]].concat(), b"")).unwrap();
    assert_eq!(person.s5(&[&["decipher"][..], &flags, &[&marker]].concat(), b""), b"value");
    let missing = person.refused(&["decipher", &marker], b"");
    assert!(missing.contains("POST transit/decrypt/default: 404 (no handler for route)"), "{missing}");
    let no_key =
        person.refused(&[&["decipher", &marker][..], &flags[..2], &["--transit-key=none"]].concat(), b"");
    assert!(no_key.contains("POST a/seals/decrypt/none: 400 (encryption key not found)"), "{no_key}");
    let wrong = person.refused(&["decipher", "--transit-key=../../sys/seal", &marker], b"");
    assert!(wrong.contains("must be a path without empty parts"), "{wrong}");
}

#[tokio::test]
async fn everybody_may_cipher_and_only_the_deployer_may_decipher() {
    let vault = Vault::start().await;
    Person::with_transit(&vault).await;
    let developer = token(&vault, "developer", "encrypt/default").await;
    let deployer = token(&vault, "deployer", "decrypt/default").await;
    let (developer, deployer) = (Person::new(&vault, &developer), Person::new(&vault, &deployer));
    let marker = developer.cipher(canary("value").as_bytes());
    let told = developer.refused(&["decipher", &marker], b"");
    assert!(told.contains("POST transit/decrypt/default: 403 (permission denied)"), "{told}");
    assert_eq!(deployer.s5(&["decipher", &marker], b""), canary("value").as_bytes());
    assert!(
        deployer
            .refused(&["cipher"], canary("value").as_bytes())
            .contains("POST transit/encrypt/default: 403")
    );
}

#[tokio::test]
async fn the_token_comes_from_a_file_the_environment_or_the_home_directory() {
    let vault = Vault::start().await;
    let person = Person::with_transit(&vault).await;
    let token = format!("{}\n", vault.root_token());
    let marker = person.cipher(b"value");
    let decipher = |arguments: &[&str], variable: Option<&str>| {
        let mut command = person.command(&[&["decipher", &marker], arguments].concat());
        command.env_remove("VAULT_TOKEN").envs(variable.map(|name| (name, vault.root_token())));
        run(command, b"")
    };
    assert!(told(decipher(&[], None)).contains("no token: set VAULT_TOKEN or BAO_TOKEN"));
    assert_eq!(succeeded(decipher(&[], Some("BAO_TOKEN"))), b"value");
    person.file("token", &token);
    assert_eq!(succeeded(decipher(&["--token-file=token"], None)), b"value");
    assert!(
        told(decipher(&["--token-file=none"], Some("BAO_TOKEN"))).contains("none: reading the token failed")
    );
    person.file(".vault-token", &token);
    assert_eq!(succeeded(decipher(&[], None)), b"value");
}

#[tokio::test]
async fn a_file_without_markers_needs_neither_token_nor_server() {
    let home = TempDir::new().unwrap();
    let person = Person { address: "http://127.0.0.1:1".into(), token: String::new(), home };
    assert_eq!(person.s5(&["render"], b"a: {{ .Values.a }}\n"), b"a: {{ .Values.a }}\n");
    assert!(
        person
            .refused(&["decipher"], b"no marker")
            .contains("exactly one marker is wanted, as {{ s5:<base64> }}; the text has 0")
    );
    assert!(person.refused(&["render", "none"], b"").contains("none: reading failed"));
    assert!(person.refused(&["render", "-i"], b"").contains("<FILES>"));
    assert!(person.refused(&["render"], b"{{ s5:AAAA }}").contains("no token: set VAULT_TOKEN or BAO_TOKEN"));
}
