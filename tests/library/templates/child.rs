//! The output, the environment and the end of the child process.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::secret::WipedMap;
use crate::spec::Delimiters;
use crate::template::{Cause, Check, Job, Renderer, TemplateError};
use serde_json::json;

use super::{CANARY, members, renderer, soon};

#[tokio::test]
async fn a_check_finds_syntax_errors_of_every_template_in_one_child() {
    let braces = Delimiters::default();
    let brackets = "[[ ]]".parse().unwrap();
    let found = renderer()
        .check(
            &[
                Check { text: "{{ db.password }}", delimiters: &braces, names: vec!["db".into()] },
                Check { text: "a\n[[ db.", delimiters: &brackets, names: vec!["db".into()] },
                Check { text: "{{ db.", delimiters: &brackets, names: Vec::new() },
            ],
            soon(),
        )
        .await
        .unwrap();
    assert!(
        matches!(&found[..], [Ok(()), Err(TemplateError::Fails(mistakes)), Ok(())] if mistakes[0].line == 2 && mistakes[0].cause == Cause::Syntax),
        "{found:?}"
    );
}

/// The test acts as the parent, to see every byte that the child writes.
#[test]
fn the_child_writes_only_answers_and_is_confined() {
    let mut command = Command::new(crate::library::binary());
    command.arg("render-templates").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let limits = format!("/proc/{}/limits", child.id());
    // In bytes, seconds of processor time, and number of files.
    let limits_of_the_child = [
        ("Max data size", "50331648"),
        ("Max stack size", "8388608"),
        ("Max cpu time", "1"),
        ("Max file size", "0"),
        ("Max open files", "0"),
        ("Max core file size", "0"),
    ];
    let small = |text: &str| {
        let is_at = |(name, most): &(&str, &str)| {
            text.lines().any(|line| {
                line.strip_prefix(name).is_some_and(|rest| rest.split_whitespace().next() == Some(most))
            })
        };
        limits_of_the_child.iter().all(is_at)
    };
    let begun = Instant::now();
    while !fs::read_to_string(&limits).is_ok_and(|text| small(&text)) {
        assert!(begun.elapsed() < Duration::from_secs(10), "the child did not enter its limits");
        std::thread::yield_now();
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    for line in ["Threads:\t1", "NoNewPrivs:\t1"] {
        assert!(status.contains(line), "{status}");
    }
    assert_eq!(fs::read_to_string(format!("/proc/{}/oom_score_adj", child.id())).unwrap(), "1000\n");
    child.stdin.take().unwrap().write_all(CANARY.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len(), output.stderr.len()), (Some(1), 0, 0));
}

/// A program that answers as the child does, with its environment and directory.
const ENVIRONMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/library/templates/environment");

/// A program that never answers.
const HANGING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/library/templates/hangs");

#[tokio::test]
async fn the_child_starts_without_the_parents_environment_and_directory() {
    assert!(std::env::vars().next().is_some());
    let braces = Delimiters::default();
    let jobs = [Job { text: "", delimiters: &braces, sources: WipedMap::default() }];
    let text = Renderer::of(ENVIRONMENT).render(&jobs, soon()).await.unwrap().remove(0).unwrap();
    assert_eq!(text.expose_text(), Some("0 variables, in /"));
}

#[tokio::test]
async fn a_child_that_does_not_answer_is_killed() {
    let braces = Delimiters::default();
    let jobs = [Job { text: "", delimiters: &braces, sources: WipedMap::default() }];
    let error = Renderer::of(HANGING).render(&jobs, soon()).await.unwrap_err();
    assert_eq!(error, TemplateError::Killed { job: 0 });
    let begun = Instant::now();
    while runs(HANGING) {
        assert!(begun.elapsed() < Duration::from_secs(5), "it still runs");
        tokio::task::yield_now().await;
    }
}

/// True while a process was started with `argument`.
fn runs(argument: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok())
        .any(|line| line.contains(argument))
}

#[tokio::test]
async fn a_program_that_is_not_vaultmount_renders_no_text() {
    let renderer = Renderer::of("/bin/cat");
    let braces = Delimiters::default();
    let jobs = [Job { text: "{{ a }}", delimiters: &braces, sources: members(&json!({"a": CANARY})) }];
    let error = renderer.render(&jobs, soon()).await.unwrap_err();
    assert_eq!(error, TemplateError::Broken);
    let missing = Renderer::of("/nonexistent").render(&jobs, soon()).await.unwrap_err();
    assert_eq!(missing, TemplateError::NotStarted(std::io::ErrorKind::NotFound));
    assert_eq!(missing.reason().code(), "template.unavailable");
}

#[tokio::test]
async fn a_mount_after_its_deadline_waits_for_no_template() {
    let braces = Delimiters::default();
    let jobs = [Job { text: "a", delimiters: &braces, sources: WipedMap::default() }];
    let error = renderer().render(&jobs, tokio::time::Instant::now()).await.unwrap_err();
    assert!(matches!(error, TemplateError::Deadline { job: 0 } | TemplateError::Busy), "{error}");
}

#[tokio::test]
async fn help_does_not_name_the_hidden_command() {
    let help = Command::new(crate::library::binary()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("prepare") && !help.contains("render-templates"), "{help}");
}
