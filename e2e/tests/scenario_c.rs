//! Scenario C: one issue call, three files: etcd and the programs that talk to it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::{
    Identity, Pod, Scenario, bao, belong_together, eventually, holds, kubectl, subject, tool,
};

/// The test's etcd, at the node's address and on etcd's usual port; only one test may use it.
const ETCD: &str = "https://10.99.0.1:2379";
const PEER: &str = "https://10.99.0.1:2380";
const ISSUE: &str = "etcd/prod/pki/issue/member";

/// Starts a test that may issue certificates of the roles `member` and `member-rsa`.
fn begin() -> Scenario {
    let scenario = Scenario::begin();
    for (role, kind, bits) in [("member", "ec", 256), ("member-rsa", "rsa", 2048)] {
        let role = format!("etcd/prod/pki/roles/{role}");
        bao::write(
            &role,
            &json!({"allow_any_name": true, "key_type": kind, "key_bits": bits, "max_ttl": "72h"}),
        );
    }
    scenario.allow(&format!("path \"{ISSUE}*\" {{ capabilities = [\"update\"] }}\n"));
    scenario
}

/// The objects of one certificate with its files.
fn set(common_name: &str, files: &[&str]) -> String {
    set_of("member", common_name, files)
}

fn set_of(role: &str, common_name: &str, files: &[&str]) -> String {
    let pki = format!(
        "mount: etcd/prod/pki, role: {role}, commonName: {common_name}, ipSans: [10.99.0.1], ttl: 24h"
    );
    let files: String = files.iter().map(|file| format!("    - {{{file}}}\n")).collect();
    format!("- pki: {{{pki}}}\n  files:\n{files}")
}

const THREE_FILES: &[&str] = &[
    "objectName: tls.crt, part: certificateChain",
    "objectName: tls.key, part: privateKey",
    "objectName: ca.crt, part: ca",
];

/// Runs etcdctl in a pod with files of its volume `client`, all of one generation.
fn etcdctl(client: &Pod, files: &str, command: &str) -> Result<String, String> {
    client.try_sh(&format!(
        "cd /mnt/client/..data && etcdctl --endpoints={ETCD} --command-timeout=3s {files} {command}"
    ))
}

/// An etcd that serves `clients` and `peers` with the files of its volume `server`; not applied yet.
pub(super) fn etcd(scenario: &Scenario, clients: &str, peers: &str, data: &str) -> Pod {
    let of_clients = [
        "--cert-file=/mnt/server/tls.crt",
        "--key-file=/mnt/server/tls.key",
        "--trusted-ca-file=/mnt/server/ca.crt",
    ];
    let of_peers = of_clients.map(|flag| flag.replace("--", "--peer-"));
    let urls = [
        ("listen-client", clients),
        ("advertise-client", clients),
        ("listen-peer", peers),
        ("initial-advertise-peer", peers),
    ];
    let urls = urls.map(|(name, url)| format!("--{name}-urls={url}"));
    let (data, cluster) = (format!("--data-dir={data}"), format!("--initial-cluster=etcd-0={peers}"));
    let fixed = [
        "etcd",
        "--name=etcd-0",
        &data,
        "--unsafe-no-fsync",
        "--client-cert-auth",
        "--peer-client-cert-auth",
        &cluster,
    ];
    let command = [
        &fixed[..],
        &of_clients,
        &of_peers.each_ref().map(String::as_str),
        &urls.each_ref().map(String::as_str),
    ]
    .concat();
    scenario.pod("etcd-0").etcd().serves(&command)
}

fn are_of_one_issue(pod: &Pod, class: &str, name: &str) {
    let [chain, key, ca] = pod.together(class, ["tls.crt", "tls.key", "ca.crt"]);
    assert!(belong_together(&chain, &key), "key and certificate of two calls");
    assert_eq!(subject(&chain), format!("CN={name}"));
    Identity::new(&chain, &key).leads_to(&ca);
}

#[test]
fn an_etcd_serves_from_one_set_and_its_client_gets_in_with_another() {
    let scenario = begin();
    scenario.class("server", &set("etcd-0.etcd", THREE_FILES)).apply();
    scenario.class("client", &set("apiserver.etcd", THREE_FILES)).apply();
    let client = scenario.pod("apiserver").etcd().mounts("client").create();
    let server = etcd(&scenario, ETCD, PEER, "/data").mounts("server").start();
    let client = client.ready();

    let identity = "--cacert=ca.crt --cert=tls.crt --key=tls.key";
    eventually(60, "the client's write", || etcdctl(&client, identity, "put greeting hello"));
    let found =
        eventually(20, "the client's read", || etcdctl(&client, identity, "get greeting --print-value-only"));
    assert_eq!(found, "hello\n");
    // Whether the client reads the alert or finds its connection closed is a race, so the reason is taken from the server's log.
    etcdctl(&client, "--cacert=ca.crt", "get greeting").unwrap_err();
    let log = kubectl(&["logs", "etcd-0", "--namespace", &scenario.name]);
    assert!(log.contains("client didn't provide a certificate"), "{log}");

    are_of_one_issue(&server, "server", "etcd-0.etcd");
    are_of_one_issue(&client, "client", "apiserver.etcd");
    holds(12, "one issue call for each volume, and none for its rotations", || {
        match bao::calls_by_login(&scenario.name, ISSUE) {
            calls if calls.iter().sum::<usize>() == 2 => Ok(()),
            calls => Err(format!("calls by login: {calls:?}")),
        }
    });
}

#[test]
fn sets_of_one_class_become_tls_secrets() {
    let scenario = begin();
    let objects = set("apiserver.etcd", &["objectName: etcd.pem, part: bundle"])
        + &set_of("member-rsa", "of-rsa", &["objectName: rsa.pem, part: bundle"])
        + &set(
            "apiserver",
            &["objectName: tls.crt, part: certificateChain", "objectName: tls.key, part: privateKey"],
        );
    let class = scenario.class("apiserver", &objects);
    let class = class.sync_as(
        "kubernetes.io/tls",
        "etcd-client",
        &[("tls.crt", "etcd.pem"), ("tls.key", "etcd.pem")],
    );
    let class =
        class.sync_as("kubernetes.io/tls", "of-rsa", &[("tls.crt", "rsa.pem"), ("tls.key", "rsa.pem")]);
    class.sync_as("kubernetes.io/tls", "serving", &[("tls.crt", "tls.crt"), ("tls.key", "tls.key")]).apply();
    let _pod = scenario.pod("apiserver").mounts("apiserver").start();

    for (secret, name) in
        [("etcd-client", "CN=apiserver.etcd"), ("of-rsa", "CN=of-rsa"), ("serving", "CN=apiserver")]
    {
        let found = eventually(60, &format!("the Secret {secret}"), || scenario.get("secret", secret));
        let [certificate, key] = ["tls.crt", "tls.key"].map(|part| {
            let encoded = found["data"][part].as_str().unwrap();
            String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
        });
        assert_eq!((&found["type"], subject(&certificate).as_str()), (&json!("kubernetes.io/tls"), name));
        assert!(belong_together(&certificate, &key), "{secret}: certificate and key of two calls");
    }
    assert_eq!(bao::calls_by_login(&scenario.name, ISSUE), [2]);
}

#[test]
fn a_keystore_holds_a_pair_and_a_truststore_the_root() {
    let scenario = begin();
    scenario.put("store", json!({"password": "changeit"}));
    let password =
        format!("password: {{kv: {{mount: secret, path: {}/store}}, secretKey: password}}", scenario.name);
    let stores =
        ["key.p12, part: pkcs12", "key.jks, part: jks", "trust.p12, part: truststore, storeType: pkcs12"];
    let mut files: Vec<_> = stores.iter().map(|store| format!("objectName: {store}, {password}")).collect();
    files.push("objectName: ca.crt, part: ca".into());
    scenario
        .class("stores", &set("java.etcd", &files.iter().map(String::as_str).collect::<Vec<_>>()))
        .apply();
    let pod = scenario.pod("java").mounts("stores").start();

    let opened = |file: &str| {
        let bytes = pod.try_bytes(&format!("stores/{file}")).unwrap();
        tool("openssl", &["pkcs12", "-in", "/dev/stdin", "-passin", "pass:changeit", "-noenc"], &bytes)
    };
    let pair = opened("key.p12");
    assert_eq!(subject(&pair), "CN=java.etcd");
    assert!(belong_together(&pair, &pair), "key and certificate of two calls");
    let trusted = opened("trust.p12");
    assert!(
        trusted.contains(pod.read("stores/ca.crt").trim()) && !trusted.contains("PRIVATE KEY"),
        "{trusted}"
    );
    assert_eq!(pod.try_bytes("stores/key.jks").unwrap()[..4], [0xfe, 0xed, 0xfe, 0xed]);
    assert_eq!(bao::calls_by_login(&scenario.name, ISSUE), [1]);
}
