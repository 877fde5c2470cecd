//! The `objects` of a class are read as the Go providers read them: every file of the corpus beside what yaml.v3 made
//! of it. `tests/yaml/regenerate` writes the expected files anew with the real yaml.v3 and shows what differs.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its files fails")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use vaultmount::goyaml::{Entry, entries};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/yaml/corpus");

/// Fewer than this, and the corpus was not found.
const LEAST: usize = 60;

/// Read otherwise on purpose: what Go refuses, the scanner here knows from YAML 1.2; what Go takes, it has refused since
/// libyaml 0.2 for being two things at once.
const OTHERWISE: [&str; 3] = ["directive-12", "text-escapes", "flow-colon-comma"];

#[test]
fn objects_are_read_as_the_go_providers_read_them() {
    let mut files: Vec<_> = fs::read_dir(CORPUS).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() >= LEAST, "{} files in {CORPUS}", files.len());
    let (otherwise, alike): (Vec<_>, Vec<_>) =
        files.iter().partition(|file| OTHERWISE.iter().any(|name| file.file_stem().unwrap() == *name));
    let differing: Vec<_> = alike.into_iter().filter_map(|file| difference(file)).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert_eq!(otherwise.iter().filter(|file| difference(file).is_some()).count(), OTHERWISE.len(), "a difference is gone");
}

#[test]
fn a_text_that_explodes_is_refused_at_once() {
    let laughs = (1..12).fold("- &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        text + &format!("- &a{level} [{aliases}]\n")
    });
    let bombs = [
        format!("- objectName: a\n  secretArgs:\n    x:\n{}", laughs.replace("- &", "    - &")),
        "[".repeat(60_000),
        "- ".repeat(30_000),
        "{a: ".repeat(15_000),
        "? ".repeat(30_000),
        format!("- secretArgs: &a {{x: 1, {}}}", (0..5000).map(|n| format!("k{n}: [{n}]")).collect::<Vec<_>>().join(", ")).repeat(1)
            + "\n"
            + &"- secretArgs: *a\n".repeat(100),
        "- &a {<<: [*a, *a], objectName: x}".to_owned(),
        "- {objectName: x, secretArgs: &a {b: *a}}".to_owned(),
    ];
    for bomb in bombs {
        let begun = std::time::Instant::now();
        assert!(entries(&bomb, &[]).is_err(), "{}", &bomb[..40.min(bomb.len())]);
        assert!(begun.elapsed().as_secs() < 5, "{}", &bomb[..40.min(bomb.len())]);
    }
}

#[test]
fn an_error_shows_a_place_and_nothing_of_the_text() {
    let errors = entries("- objectName: a\n  secretArgs: {password: canary, password: canary}\n- canary\n", &[]).unwrap_err();
    let text = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    assert!(text.contains("line 2, column 34: the same key twice") && text.contains("line 3, column 3"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

/// What differs between yaml.v3's reading and ours, `None` for nothing.
fn difference(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).unwrap();
    let expected = fs::read_to_string(file.with_extension("json")).unwrap();
    let expected: Value = if expected == "error\n" { json!("error") } else { serde_json::from_str(&expected).unwrap() };
    let read = match entries(&text, &[]) {
        Ok(entries) => entries.iter().map(fields).collect(),
        Err(_) => json!("error"),
    };
    (read != expected).then(|| format!("{}:\n  yaml.v3: {expected}\n  ours:    {read}", file.display()))
}

fn fields(entry: &Entry) -> Value {
    json!({
        "objectName": entry.object_name,
        "secretPath": entry.secret_path,
        "secretKey": entry.secret_key,
        "method": entry.method,
        "secretArgs": entry.secret_args,
        "filePermission": entry.file_permission,
        "encoding": entry.encoding,
    })
}
