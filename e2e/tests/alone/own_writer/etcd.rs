//! Scenario C with an etcd and a client that are not root, whose certificates live for 20 s.

use std::collections::BTreeSet;
use std::thread;

use serde_json::json;

use crate::support::{Pod, Scenario, bao, belong_together, eventually};
use crate::tests::scenario_c::etcd;

/// Not the ports of scenario C: its etcd may still be shutting down.
const ETCD: &str = "https://10.99.0.1:12379";
const PEER: &str = "https://10.99.0.1:12380";
const ISSUE: &str = "etcd/prod/pki/issue/short";

/// How many certificates of the server the client must see.
const CERTIFICATES: usize = 4;

/// etcdctl with the client's files, all of one generation. They are removed 5 s after their successors came: a failed call is repeated with new files, and recorded.
const ETCDCTL: &str = r#"
once() { (cd /mnt/client/..data && command etcdctl --command-timeout=10s --cacert=ca.crt --cert=tls.crt --key=tls.key "$@"); }
etcdctl() { once "$@" || { echo "$@" >>/dev/shm/again; once "$@"; }; }
"#;

/// Writes and reads until the stop file exists, or for two minutes. Prints the number of calls and of second tries, or the error of etcdctl.
const LOAD: &str = r#"
: >/dev/shm/again
end=$(($(date +%s) + 120))
count=0
while [ ! -e /dev/shm/stop ] && [ $(date +%s) -lt $end ]; do
  etcdctl put load "$count" >/dev/null || exit 1
  [ "$(etcdctl get load --print-value-only)" = "$count" ] || exit 1
  count=$((count + 1))
  sleep 0.1
done
echo $count $(wc -l </dev/shm/again)
"#;

/// A class with a certificate for `user`, whose key only this user may read.
fn class(scenario: &Scenario, name: &str, user: &str) {
    let objects = format!(
        "- pki: {{mount: etcd/prod/pki, role: short, commonName: {name}.etcd, ipSans: [10.99.0.1], ttl: 20s}}
  files:
    - {{objectName: tls.crt, part: certificateChain}}
    - {{objectName: tls.key, part: privateKey, filePermission: 0400}}
    - {{objectName: ca.crt, part: ca}}"
    );
    scenario.class(name, &objects).parameter("owner", user).apply();
}

/// etcd as the user 1001, started with files that only this user may read.
fn serve(scenario: &Scenario) -> Pod {
    etcd(scenario, ETCD, PEER, "/data/etcd").user(1001).mounts("server").start()
}

/// The server's certificate, after a check that its key is of the same issue.
fn certificate(server: &Pod) -> String {
    let [certificate, key] = server.together("server", ["tls.crt", "tls.key"]);
    assert!(belong_together(&certificate, &key), "key and certificate of two issues");
    certificate
}

fn etcdctl(client: &Pod, script: &str) -> Result<String, String> {
    client.try_sh(&format!("export ETCDCTL_ENDPOINTS={ETCD}\n{ETCDCTL}\n{script}"))
}

/// A client that calls all the time sees no failure while the certificates of both sides are replaced.
pub(super) fn check(scenario: &Scenario) {
    bao::write(
        "etcd/prod/pki/roles/short",
        &json!({"allow_any_name": true, "key_type": "ec", "key_bits": 256, "max_ttl": "1m"}),
    );
    scenario.allow(&format!("path \"{ISSUE}\" {{ capabilities = [\"update\"] }}\n"));
    class(scenario, "server", "1001");
    class(scenario, "client", "1000");
    let client = scenario.pod("client").etcd().user(1000).mounts("client").create();
    let server = serve(scenario);
    let client = client.ready();
    eventually(60, "the first answer of etcd", || etcdctl(&client, "etcdctl put load none"));

    let mut seen = BTreeSet::new();
    let talked = thread::scope(|scope| {
        let talking = scope.spawn(|| etcdctl(&client, LOAD));
        eventually(100, "several certificates of the server", || {
            seen.insert(certificate(&server));
            if talking.is_finished() || seen.len() >= CERTIFICATES {
                Ok(())
            } else {
                Err(format!("{} of them", seen.len()))
            }
        });
        client.sh("touch /dev/shm/stop");
        talking.join().unwrap()
    });
    let talked = talked.unwrap_or_else(|complaint| panic!("the client lost its etcd: {complaint}"));
    let numbers: Vec<usize> = talked.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let [count, again] = numbers[..] else { panic!("{talked}") };
    assert!(
        count >= 2 * CERTIFICATES && seen.len() >= CERTIFICATES,
        "{count} writes, {} certificates",
        seen.len()
    );
    // Files that do not belong together would fail at each replacement.
    assert!(again < CERTIFICATES - 1, "{again} calls failed at first");
    assert_eq!(server.restarts(), 0);
}
