//! An outage of OpenBao with the driver's line 1.6.
//!
//! With rotation on, a first mount that fails with one of five codes is a success half a second
//! later, and the pod starts on a volume that stays empty. Whatever happens to OpenBao, no pod with vaultmount does that.

use serde_json::json;

use crate::support::{Restore, Scenario, holds, server};

/// A pod starts while OpenBao is down: it waits, its event says why, and it runs with its files at the kubelet's first retry afterwards.
fn waits_for_openbao(leave: &str, come_back: &str, reasons: &[&str]) {
    let scenario = Scenario::alone();
    scenario.put("db", json!({"password": "at last"}));
    scenario
        .class(
            "db",
            &format!("- {{objectName: password, secretPath: {}, secretKey: password}}", scenario.path("db")),
        )
        .apply();
    // The interval of the driver's own chart: the longer it is, the longer the driver would treat the volume as up to date.
    let _interval = Restore(|| server::driver("5s"));
    server::driver("2m");
    let away = Restore(|| server::openbao(come_back));
    server::openbao(leave);

    let pod = scenario.pod("reader").mounts("db").create();
    pod.fails_to_mount(&[&["10.99.0.1:8200"], reasons].concat(), 90);
    holds(20, "the pod waits", || {
        if pod.is_waiting() { Ok(()) } else { Err(format!("{:#}", pod.object()["status"])) }
    });

    drop(away);
    pod.ready_within(150); // the kubelet's retry interval doubles up to two minutes
    assert_eq!(pod.read("db/password"), "at last");
}

#[test]
fn no_pod_starts_on_an_empty_volume_while_openbao_is_stopped() {
    waits_for_openbao("stop", "start", &["vault.unreachable"]);
}

#[test]
fn no_pod_starts_on_an_empty_volume_while_openbao_is_sealed() {
    waits_for_openbao("seal", "unseal", &["vault.sealed"]);
}

#[test]
fn no_pod_starts_on_an_empty_volume_while_openbao_hangs() {
    waits_for_openbao("hang", "resume", &["vault.unreachable"]);
}
