//! Engines beside KV v2, and calls beside a plain GET.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Pod, Story, bao, enter, eventually, holds};

#[test]
fn a_query_asks_for_an_older_version() {
    let story = Story::begin();
    story.put("db", json!({"password": "first"}));
    story.put("db", json!({"password": "second"}));
    let path = story.path("db");
    let objects = format!(
        "- {{objectName: first, secretPath: \"{path}?version=1\", secretKey: password}}
- {{objectName: second, secretPath: \"/v1/{path}?version=2\", secretKey: password}}
- {{objectName: newest, secretPath: /{path}, secretKey: password}}"
    );
    story.class("db", &objects).apply();
    let pod = story.pod("reader").mounts("db").start();
    assert_eq!(["first", "second", "newest"].map(|file| pod.read(&format!("db/{file}"))), ["first", "second", "second"]);
}

#[test]
fn a_put_sends_its_body() {
    let story = Story::begin();
    let key = &story.name;
    bao::run(&["write", "-force", &format!("transit/keys/{key}")], "");
    let sealed = bao::run(&["write", "-field=ciphertext", &format!("transit/encrypt/{key}"), "plaintext=c2VjcmV0"], "");
    story.allow(&format!("path \"transit/decrypt/{key}\" {{ capabilities = [\"update\"] }}\n"));
    let objects = format!(
        "- objectName: opened
  secretPath: transit/decrypt/{key}
  method: PUT
  secretArgs: {{ciphertext: \"{}\"}}
  secretKey: plaintext
  encoding: base64",
        sealed.trim()
    );
    story.class("sealed", &objects).apply();
    let pod = story.pod("reader").mounts("sealed").start();
    assert_eq!(pod.read("sealed/opened"), "secret");
}

/// Two files of one moment: a rotation in between would tear the pair apart.
fn pair(pod: &Pod, class: &str, one: &str, two: &str) -> (String, String) {
    let text = eventually(20, "two files of one generation", || {
        pod.try_sh(&format!("cd /mnt/{class}/..data && cat {one} && echo && echo and && cat {two}"))
    });
    let (one, two) = text.split_once("\nand\n").unwrap();
    (one.trim().into(), two.trim().into())
}

#[test]
fn two_keys_of_a_dynamic_secret_are_one_call_and_one_working_login() {
    let story = Story::begin();
    let path = story.database();
    let objects = format!(
        "- {{objectName: user, secretPath: {path}, secretKey: username}}
- {{objectName: password, secretPath: {path}, secretKey: password}}"
    );
    story.class("db", &objects).apply();
    let pod = story.pod("reader").mounts("db").start();

    // PostgreSQL takes the pair, and goes on taking it after the mount has ended: no login was closed over it.
    let (user, password) = pair(&pod, "db", "user", "password");
    let address = format!("postgresql://{user}:{password}@10.99.0.1/postgres");
    holds(5, "the login into PostgreSQL", || match enter(&["psql", &address, "-Atc", "SELECT current_user"])?.trim() {
        found if found == user => Ok(()),
        other => Err(format!("logged in as {other}")),
    });

    // Every login made exactly one call.
    let accessors: Vec<_> = bao::audited(&path).iter().map(|entry| entry["auth"]["accessor"].to_string()).collect();
    let distinct: std::collections::HashSet<_> = accessors.iter().collect();
    assert!(!accessors.is_empty() && accessors.len() == distinct.len(), "calls by login: {accessors:#?}");
}

fn openssl(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("openssl").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?} of {input:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn certificates_of_one_body_belong_together_and_of_two_bodies_do_not() {
    let story = Story::begin();
    story.allow("path \"pki/issue/app\" { capabilities = [\"update\"] }\n");
    let object = |file: &str, key: &str, name: &str| {
        format!(
            "- {{objectName: {file}, secretPath: pki/issue/app, method: PUT, secretArgs: {{common_name: {name}, ttl: 24h}}, secretKey: {key}}}\n"
        )
    };
    let objects = object("one.crt", "certificate", "one.test")
        + &object("one.key", "private_key", "one.test")
        + &object("two.crt", "certificate", "two.test");
    story.class("tls", &objects).apply();
    let pod = story.pod("reader").mounts("tls").start();

    let (certificate, key) = pair(&pod, "tls", "one.crt", "one.key");
    assert_eq!(
        openssl(&["x509", "-noout", "-pubkey"], &certificate),
        openssl(&["pkey", "-pubout"], &key),
        "key and certificate of two calls"
    );
    let subject = |certificate: &str| openssl(&["x509", "-noout", "-subject", "-nameopt", "RFC2253"], certificate);
    let (one, two) = pair(&pod, "tls", "one.crt", "two.crt");
    assert_eq!((subject(&one), subject(&two)), ("subject=CN=one.test\n".into(), "subject=CN=two.test\n".into()));
}
