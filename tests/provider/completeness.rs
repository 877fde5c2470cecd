//! Fails for reasons that no test provokes, metrics that no code counts, and flags that no page documents.
//!
//! Parameters of a class need no list here: `docs/reference.md` is written from their table, which a unit test compares.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Reasons that no test of the binary provokes, each with the cause.
const UNPROVOKED: [(&str, &str); 2] = [
    ("bug", "a defect; the unit tests of the server provoke it by a panic"),
    (
        "template.unavailable",
        "the binary would have to be unable to start itself; the tests of the renderer provoke it",
    ),
];

/// The commands of the binary besides `render-templates`, which is hidden.
const COMMANDS: [&[&str]; 11] = [
    &[],
    &["serve"],
    &["prepare"],
    &["mount"],
    &["s5"],
    &["s5", "cipher"],
    &["s5", "decipher"],
    &["s5", "render"],
    &["refresh"],
    &["handover"],
    &["version"],
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The Rust files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let (folders, mut files): (Vec<_>, Vec<_>) =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).partition(|path| path.is_dir());
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.extend(folders.iter().flat_map(|folder| self::files(folder)));
    files
}

/// The source text below some directories, without the file of this name.
fn source(directories: &[&str], except: &str) -> String {
    let files = directories.iter().flat_map(|directory| files(&root().join(directory)));
    files.filter(|file| !file.ends_with(except)).map(read).collect()
}

/// The text between `start` and `end` in each line that begins with `start`.
fn names<'t>(text: &'t str, start: &'t str, end: char) -> Vec<&'t str> {
    let names: Vec<_> =
        text.lines().filter_map(|line| Some(line.strip_prefix(start)?.split(end).next()?.trim())).collect();
    assert!(!names.is_empty(), "no line begins with {start:?}");
    names
}

#[test]
fn every_reason_is_provoked() {
    let (documented, tests) =
        (read("docs/errors.md"), source(&["tests/provider", "e2e/tests"], "completeness.rs"));
    // In an expected text the reason stands alone or before the colon.
    let is_provoked =
        |reason: &str| ['"', ':', ' '].iter().any(|end| tests.contains(&format!("\"{reason}{end}")));
    let unprovoked: Vec<_> =
        names(&documented, "## ", '\n').into_iter().filter(|reason| !is_provoked(reason)).collect();
    assert_eq!(
        unprovoked,
        in_order(&documented, UNPROVOKED.map(|(reason, _)| reason)),
        "left: reasons that no test expects; right: the known ones"
    );
}

/// The reasons of a list in the order of the documentation.
fn in_order<const N: usize>(documented: &str, mut reasons: [&'static str; N]) -> [&'static str; N] {
    reasons.sort_by_key(|reason| documented.find(&format!("## {reason}\n")));
    reasons
}

/// The table of metrics starts each counter at 0, which does not count it: some other file must.
#[test]
fn every_metric_is_counted() {
    let (documented, code) = (read("docs/metrics.md"), source(&["src"], "telemetry/metrics.rs"));
    let uncounted: Vec<_> = names(&documented, "| `vaultmount_", '`')
        .into_iter()
        .filter(|name| !code.contains(&format!("\"vaultmount_{name}\"")))
        .collect();
    assert_eq!(uncounted, [""; 0], "metrics that nothing counts");
}

#[test]
fn every_flag_is_documented() {
    let reference = read("docs/reference.md");
    let mut undocumented = Vec::new();
    for command in COMMANDS {
        let help =
            Command::new(env!("CARGO_BIN_EXE_vaultmount")).args(command).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let flags = help.lines().filter_map(|line| {
            Some(
                line.split_once("--")?
                    .1
                    .split(|letter: char| !letter.is_ascii_lowercase() && letter != '-')
                    .next()?
                    .to_owned(),
            )
        });
        let flags: Vec<_> = flags.filter(|flag| !flag.is_empty()).collect();
        assert!(flags.contains(&"help".into()), "{command:?}: {help}");
        undocumented.extend(flags.into_iter().filter(|flag| !reference.contains(&format!("`--{flag}`"))));
    }
    assert_eq!(undocumented, [""; 0], "flags that docs/reference.md does not name");
}
