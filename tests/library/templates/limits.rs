//! A template cannot outlive its child process or exceed its limits.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::spec::Delimiters;
use crate::template::{Check, Job, TemplateError};
use serde_json::{Map, Value, json};

use super::{Answers, CANARY, answers, members, rendered, renderer, soon};

/// Templates that would use unlimited time, memory or stack.
fn bombs() -> Vec<(&'static str, String)> {
    let doubled = "{% set x = x ~ x %}";
    vec![
        ("doubling", "{% set x = 'xxxxxxxx' %}".to_owned() + &doubled.repeat(60)),
        ("a range without end", "{% for a in range(10 ** 9) %}{% endfor %}".to_owned()),
        ("loops in loops", "{% for a in range(99999) %}".repeat(6) + "x" + &"{% endfor %}".repeat(6)),
        ("quiet loops in loops", "{% for a in range(99999) %}".repeat(6) + &"{% endfor %}".repeat(6)),
        ("macros", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned()),
        ("loops that call themselves", "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}".to_owned()),
        ("much output", "{% for a in range(90000) %}".to_owned() + &"y".repeat(100) + "{% endfor %}"),
        ("a long string", "{{ 'x' * 10 ** 9 }}".to_owned()),
        ("a string longer than memory", "{{ 'x' * 10 ** 18 }}".to_owned()),
        ("a string longer than numbers", "{{ 'xxxxxxxxxxxxxxxx' * 2 ** 62 }}".to_owned()),
        ("a long list", "{% set x = [1] * 10 ** 9 %}{{ x | length }}".to_owned()),
        (
            "a list doubled",
            "{% set x = [1, 2, 3, 4] %}".to_owned() + &"{% set x = x + x %}".repeat(60) + "{{ x | json }}",
        ),
        (
            "a list of itself",
            "{% set x = [1] %}".to_owned() + &"{% set x = [x, x] %}".repeat(60) + "{{ x | json }}",
        ),
        (
            "a list of itself, compared",
            "{% set x = [1] %}{% set y = [1] %}".to_owned()
                + &"{% set x = [x, x] %}{% set y = [y, y] %}".repeat(60)
                + "{{ x == y }}",
        ),
        ("a high power", "{{ 10 ** 100000000 }}".to_owned()),
        (
            "an endless sort",
            "{% set x = range(99999) | list %}".to_owned()
                + &"{% set y = x | sort(reverse=true) | sort | unique %}".repeat(900),
        ),
        ("a wide format", "{{ '%999999999d' | format(1) }}".to_owned()),
        ("an indent", "{{ 'a\\nb\\nc' | indent(999999999) }}".to_owned()),
        ("batches", "{{ [1] | batch(999999999, 0) | json }}".to_owned()),
        ("slices", "{{ [1] | slice(999999999, 0) | json }}".to_owned()),
        (
            "replacing",
            "{% set x = 'a' * 1000 %}".to_owned() + &"{% set x = x | replace('a', x) %}".repeat(20),
        ),
        ("joining", "{{ range(99999) | join('x' * 100000) }}".to_owned()),
        ("parentheses", "{{ ".to_owned() + &"(".repeat(60_000)),
        ("brackets", "{{ ".to_owned() + &"[".repeat(60_000)),
        ("braces", "{{ ".to_owned() + &"{1:".repeat(20_000)),
        ("minus signs", format!("{{{{ {}1 }}}}", "-".repeat(60_000))),
        ("nots", format!("{{{{ {}1 }}}}", "not ".repeat(15_000))),
        ("ifs", "{% if 1 %}".repeat(6_000)),
    ]
}

/// Environment variable of the process that runs one test alone.
const ALONE: &str = "VAULTMOUNT_TEST_ALONE";

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The answers for texts of which the first is valid. If the child had no time for the first on a busy machine, another child is started.
async fn good_and(texts: &[&str], sources: &Value) -> Answers {
    match answers(texts, sources).await {
        Err(TemplateError::Killed { job: 0 }) => answers(texts, sources).await,
        outcome => outcome,
    }
}

#[tokio::test]
async fn a_template_over_its_limits_ends_soon_and_is_named_and_the_next_one_works() {
    if std::env::var_os(ALONE).is_none() {
        // In a process of its own, because other tests use memory too.
        let name = "library::templates::limits::a_template_over_its_limits_ends_soon_and_is_named_and_the_next_one_works";
        let mut process = Command::new(std::env::current_exe().unwrap());
        let output = process.args(["--exact", name]).env(ALONE, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let sources = json!({"secret": CANARY});
    let before = resident_kib();
    for (name, bomb) in bombs() {
        let begun = Instant::now();
        let answers = good_and(&["{{ secret }}", &bomb], &sources).await;
        let took = begun.elapsed();
        // The smallest of them would take hours or gigabytes; a mount has 20 s here.
        assert!(took < Duration::from_secs(10), "{name} took {took:?}");
        let error = match answers {
            Ok(mut answers) => answers.remove(1).expect_err(name),
            Err(error) => error,
        };
        assert!(!matches!(error, TemplateError::Broken | TemplateError::NotStarted(_)), "{name}: {error:?}");
        assert!(error.job().is_none_or(|job| job == 1), "{name}: {error:?}");
        let next = good_and(&["{{ secret }}"], &sources).await.and_then(|mut answers| answers.remove(0));
        assert_eq!(next.as_ref().map(|text| text.expose_text()), Ok(Some(CANARY)), "after {name}");
    }
    let grown = resident_kib() - before;
    assert!(grown < 24 * 1024, "the parent grew by {grown} KiB");
}

/// A long chain is valid: the child's stack is large enough for any chain that fits into a parameter.
#[tokio::test]
async fn a_long_chain_of_operators_gives_its_text_or_an_error_and_never_ends_the_parent() {
    let chains = [
        format!("{{{{ 1{} }}}}", "+1".repeat(30_000)),
        format!("{{{{ a{} }}}}", ".a".repeat(30_000)),
        format!("{{{{ a{} }}}}", "|trim".repeat(12_000)),
        format!("{{{{ a{} }}}}", "[0]".repeat(20_000)),
        format!("{{{{ a{} }}}}", "()".repeat(30_000)),
        format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(5_000)),
    ];
    let braces = Delimiters::default();
    for chain in &chains {
        for outcome in [
            answers(&[chain], &json!({"a": "x"})).await.map(|_| ()),
            renderer()
                .check(&[Check { text: chain, delimiters: &braces, names: Vec::new() }], soon())
                .await
                .map(|_| ()),
        ] {
            assert!(
                matches!(outcome, Ok(()) | Err(TemplateError::Killed { job: 0 })),
                "{outcome:?}: {}",
                &chain[..20]
            );
        }
    }
}

#[tokio::test]
async fn a_mebibyte_of_values_can_be_rendered() {
    let many: Map<String, Value> = (0..4_000).map(|n| (format!("key{n}"), json!("v".repeat(300)))).collect();
    let text = rendered("{{ many | json }}", &json!({"many": many})).await.unwrap();
    assert!(text.len() > 1 << 20, "{}", text.len());
}

#[tokio::test]
async fn the_templates_of_a_mount_share_one_limit() {
    let three = "{{ 'x' * (3 * 1024 * 1024) }}";
    let answers = answers(&[three, three, "{{ a }}"], &json!({"a": "x"})).await.unwrap();
    assert_eq!(answers[0].as_ref().unwrap().len(), 3 << 20);
    assert_eq!(answers[1].as_ref().unwrap_err(), &TemplateError::TooLong);
}

#[tokio::test]
async fn eight_mounts_render_at_once_and_greedy_templates_among_them_harm_no_other() {
    let bomb = "{% set x = 'x' %}".to_owned() + &"{% set x = x ~ x %}".repeat(60) + "{{ x }}";
    let renderer = renderer();
    let renders = (0..8).map(async |n| {
        let braces = Delimiters::default();
        let text = if n % 2 == 0 { "{{ n }}" } else { &bomb };
        let jobs = [Job { text, delimiters: &braces, sources: members(&json!({"n": n})) }];
        renderer.render(&jobs, soon()).await.and_then(|mut answers| answers.remove(0))
    });
    for (n, text) in futures::future::join_all(renders).await.into_iter().enumerate() {
        let text = text.map(|text| text.expose_text().unwrap().to_owned());
        assert!(
            if n % 2 == 0 {
                text == Ok(n.to_string())
            } else {
                text == Err(TemplateError::Killed { job: 0 })
            },
            "{n}: {text:?}"
        );
    }
}
