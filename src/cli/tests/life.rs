use std::num::NonZeroUsize;

use super::*;
use crate::renewal::Bounds;
use crate::spec::VolumeWriter;
use crate::state::StateConfig;

#[test]
fn without_flags_no_state_survives_a_restart_and_work_is_bounded() {
    let settings = settings(&[], [("NODE_NAME", "node-1")]).unwrap();
    let day = Duration::from_secs(24 * 3600);
    assert!(settings.state.is_none() && settings.kubelet_dir.is_none());
    assert!(settings.pod_watch.is_none() && settings.pod_events.is_none() && !settings.inline_auth);
    assert_eq!(
        (settings.defaults(Flavor::Vault).max_stale, settings.replace_after),
        (day, Bounds::default())
    );
    let limits = [settings.admission.mounts, settings.admission.mounts_per_namespace, settings.max_calls];
    assert_eq!(limits.map(NonZeroUsize::get), [256, 64, 64]);
}

#[test]
fn flags_of_state_and_limits_reach_the_settings() {
    let flags = [
        "--kubelet-dir=/kubelet",
        "--max-stale=90m",
        "--max-mounts=7",
        "--max-mounts-per-namespace=3",
        "--max-calls=5",
        "--inline-auth",
    ];
    let settings = settings(&flags, []).unwrap();
    let stale = Duration::from_secs(5400);
    assert!(settings.state.is_none() && settings.inline_auth);
    assert_eq!(settings.kubelet_dir.as_deref(), Some(Path::new("/kubelet")));
    assert_eq!(settings.defaults(Flavor::Vault).max_stale, stale);
    let limits = [settings.admission.mounts, settings.admission.mounts_per_namespace, settings.max_calls];
    assert_eq!(limits.map(NonZeroUsize::get), [7, 3, 5]);
    assert!(command(&["--max-calls=0"]).is_err(), "no call to Vault would ever be made");
}

#[test]
fn the_own_writer_needs_the_directory_of_the_kubelet() {
    let flags = ["--kubelet-dir=/kubelet", "--writer=provider"];
    let writer =
        |flags: &[&str]| settings(flags, []).map(|settings| settings.defaults(Flavor::OpenBao).written_by);
    assert_eq!(
        (writer(&flags).unwrap(), writer(&flags[..1]).unwrap()),
        (VolumeWriter::Provider, VolumeWriter::Driver)
    );
    assert_eq!(writer(&flags[1..]).unwrap_err().to_string(), "--writer=provider needs --kubelet-dir too");
    assert!(command(&["--writer=root"]).is_err());
}

#[test]
fn pods_are_watched_on_request_and_only_with_the_name_of_the_node() {
    let watched =
        |flags: &[&str], node| settings(flags, [("NODE_NAME", node)]).map(|settings| settings.pod_watch);
    assert_eq!(
        watched(&["--pod-watch", "--kubelet-dir=/kubelet"], "node-1").unwrap().as_deref(),
        Some("node-1")
    );
    assert_eq!(
        watched(&["--pod-watch=true", "--node-name=other"], "node-1").unwrap().as_deref(),
        Some("other")
    );
    assert_eq!(watched(&["--pod-watch=false"], "node-1").unwrap(), None);
    let error = watched(&["--pod-watch"], "").unwrap_err().to_string();
    assert_eq!(error, "--pod-watch needs --node-name or NODE_NAME too");
}

#[test]
fn records_are_sealed_with_a_key_and_bound_to_a_node_or_not_written() {
    let state = |flags: &[&str], node| settings(flags, [("NODE_NAME", node)]).map(|settings| settings.state);
    let expected = |key: &str, node: &str| {
        let key_is_shared = key == "/hmac";
        Some(StateConfig {
            directory: "/run/v".into(),
            key_file: key.into(),
            key_is_shared,
            node: node.into(),
        })
    };
    assert_eq!(
        state(&["--state-dir=/run/v", "--hmac-key-file=/hmac"], "node-1").unwrap(),
        expected("/hmac", "node-1")
    );
    let own = ["--state-dir=/run/v", "--hmac-key-file=/hmac", "--state-key-file=/seal", "--node-name=other"];
    assert_eq!(state(&own, "node-1").unwrap(), expected("/seal", "other"));
    assert_eq!(state(&["--state-dir="], "").unwrap(), None, "an empty flag is none");
    let error = |flags: &[&str]| state(flags, "").unwrap_err().to_string();
    assert_eq!(error(&["--state-dir=/run/v"]), "--state-dir needs --state-key-file or --hmac-key-file too");
    assert_eq!(
        error(&["--state-dir=/run/v", "--state-key-file=/seal"]),
        "--state-dir needs --node-name or NODE_NAME too"
    );
}
