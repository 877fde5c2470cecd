//! The `objects` of a class are read as the Go providers read them: every file of the corpus is compared with what yaml.v3
//! read. `tests/yaml/regenerate` writes the expected files again with the real yaml.v3 and shows differences;
//! `tests/yaml/compare` does the same for mutated documents.

#[path = "../yaml/mutate.rs"]
mod mutate;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::class::entries::{self, Entry};
use crate::goyaml::YamlError;
use serde_json::{Value, json};

use mutate::{Random, mutate};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/yaml/corpus");

/// With fewer files, the corpus was not found.
const LEAST: usize = 60;

/// The entries of `text`, or everything that is wrong with it.
fn entries(text: &str, ours: &[&str]) -> Result<Vec<Entry>, Vec<YamlError>> {
    let (entries, outside) = entries::entries(text, ours).map_err(|error| vec![error])?;
    let errors: Vec<_> =
        entries.iter().flat_map(|entry| entry.faults.iter().copied()).chain(outside).collect();
    if errors.is_empty() { Ok(entries) } else { Err(errors) }
}

#[test]
fn objects_are_read_as_the_go_providers_read_them() {
    let differing: Vec<_> = files().iter().filter_map(|file| file_difference(file)).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn a_broken_text_is_an_error_and_never_a_panic() {
    let corpus = corpus();
    let mut random = Random(1);
    for _ in 0..20_000 {
        let text = mutate(&corpus, &mut random);
        let length = text.chars().count();
        for error in entries(&text, &["x"]).err().unwrap_or_default() {
            assert!(error.line > 0 && error.column > 0 && error.line <= length + 1, "{error}: {text:?}");
        }
    }
}

#[test]
fn mutated_documents_are_read_as_go_reads_them() {
    let number = |name, default| env::var(name).map_or(default, |text| text.parse().unwrap());
    let (count, mut random) = (number("COUNT", 2_000), Random(number("SEED", 1)));
    let corpus = corpus();
    let documents: Vec<_> =
        (0..count).map(|_| mutate(&corpus, &mut random)).filter(|text| !doubly_marked(text)).collect();
    let expected = readings(&documents);
    assert_eq!(expected.len(), documents.len());
    let pairs = documents.iter().zip(&expected);
    let differing: Vec<_> =
        pairs.filter_map(|(text, expected)| difference(&format!("{text:?}"), text, expected)).collect();
    println!("{} documents, {} that differ", documents.len(), differing.len());
    assert!(differing.is_empty(), "{}", differing[..differing.len().min(10)].join("\n"));
}

/// A second byte order mark at the start makes yaml.v3 skip the first character of every line.
fn doubly_marked(text: &str) -> bool {
    text.starts_with("\u{feff}\u{feff}")
}

/// The readings of yaml.v3.
fn readings(documents: &[String]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("yaml-reference");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/yaml/reference");
    assert!(
        Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(source)
            .status()
            .unwrap()
            .success()
    );
    let mut process = Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = process.stdin.take().unwrap();
    let mut lines = String::new();
    documents.iter().for_each(|text| writeln!(lines, "{}", json!(text)).unwrap());
    let writer = thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let readings = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    writer.join().unwrap();
    assert!(process.wait().unwrap().success());
    readings
}

#[test]
fn a_text_with_exponential_aliases_is_refused_at_once() {
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
        format!(
            "- secretArgs: &a {{x: 1, {}}}",
            (0..5000).map(|n| format!("k{n}: [{n}]")).collect::<Vec<_>>().join(", ")
        )
        .repeat(1)
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
fn an_error_shows_a_position_and_nothing_of_the_text() {
    let errors =
        entries("- objectName: a\n  secretArgs: {password: canary, password: canary}\n- canary\n", &[])
            .unwrap_err();
    let text = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    assert!(
        text.contains("line 2, column 34: the same key twice") && text.contains("line 3, column 3"),
        "{text}"
    );
    assert!(!text.contains("canary"), "{text}");
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(CORPUS).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() >= LEAST, "{} files in {CORPUS}", files.len());
    files
}

fn corpus() -> Vec<String> {
    files().iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

fn file_difference(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).unwrap();
    let expected = fs::read_to_string(file.with_extension("json")).unwrap();
    difference(&file.display().to_string(), &text, expected.trim_end())
}

/// What differs between yaml.v3's reading of `text` and ours, `None` for nothing.
fn difference(name: &str, text: &str, expected: &str) -> Option<String> {
    let expected = if expected == "error" { json!("error") } else { serde_json::from_str(expected).unwrap() };
    let read = match entries(text, &[]) {
        Ok(entries) => entries.iter().map(fields).collect(),
        Err(_) => json!("error"),
    };
    (read != expected).then(|| format!("{name}:\n  yaml.v3: {expected}\n  ours:    {read}"))
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
