//! The process that renders templates: it has limits, and ends after its work.

use std::fs;
use std::time::{Duration, Instant};

use super::templates::over_db;
use crate::support::*;

/// The process has two seconds at most, see `tests/library/templates/limits.rs`. The rest is for the server on a busy machine.
const IN_TIME: Duration = Duration::from_secs(10);

/// Templates that need more memory, time, steps or text than the limits allow.
fn bombs() -> [(&'static str, String, &'static str); 4] {
    let doubled = "{% set x = x ~ x %}";
    [
        ("memory", "{% set x = db.password %}".to_owned() + &doubled.repeat(60), "render.failed"),
        (
            "time",
            "{% set x = range(99999) | list %}".to_owned() + &"{% set y = x | sort | unique %}".repeat(900),
            "render.failed",
        ),
        ("steps", "{% for a in range(99999) %}".repeat(6) + &"{% endfor %}".repeat(6), "render.failed"),
        ("text", "{{ 'x' * (5 * 1024 * 1024) }}".to_owned(), "payload.too_large"),
    ]
}

#[tokio::test]
async fn a_template_over_its_limits_fails_soon_and_harms_no_other_mount() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("bomb") })).await;
    for (what, bomb, reason) in bombs() {
        let begun = Instant::now();
        provider.refuses("team-a/web", over_db("bomb", &bomb)).await.tells(reason, &["object \"bomb\""]);
        assert!(begun.elapsed() < IN_TIME, "{what}: {:?}", begun.elapsed());
        let pod = provider.mount("team-a/web", over_db("good", "{{ db.password }}")).await;
        assert_eq!(pod.read("good"), canary("bomb"), "after {what}");
    }
    let peak = provider.peak_memory();
    assert!(peak < 128 * 1024, "{peak} KiB: more than deploy/ gives the container");
}

#[tokio::test]
async fn the_error_of_a_template_whose_process_another_template_ended_says_why() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("neighbour") })).await;
    let bomb = &bombs()[0].1;
    let class = over_db("before", "{{ db.password }}")
        .and(over_db("bomb", bomb))
        .and(over_db("behind", "{{ db.password }}"));
    let refusal = provider.refuses("team-a/web", class).await;
    refusal
        .tells("render.failed", &["object \"bomb\"", "object \"behind\"", "another template of this class"]);
}

/// Observed while a template uses its second of processor time. `tests/library/templates/child.rs` tests the environment of the process.
#[tokio::test]
async fn a_template_is_rendered_in_a_process_that_ends_with_the_mount() {
    let vault = Vault::start().await;
    let provider = Provider::start(&vault).await;
    vault.put("team-a/db", json!({ "password": canary("process") })).await;
    let mount = provider.refuses("team-a/web", over_db("bomb", &bombs()[1].1));
    let (refusal, arguments) =
        futures::join!(mount, until("a child", async || provider.children().into_iter().find_map(arguments)));
    refusal.tells("render.failed", &["object \"bomb\""]);
    assert!(arguments.ends_with("\0render-templates\0"), "no value among them: {arguments:?}");
    until("no child process, not even a zombie", async || provider.children().is_empty().then_some(())).await;
}

/// The arguments of a process once it runs vaultmount.
fn arguments(process: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{process}/cmdline"))
        .ok()
        .filter(|line| line.contains("render-templates"))
}
