//! `docs/time-constants.md` has every time constant of src/, with its value and its reason, as the source has them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Command};

use crate::settings::ServeArgs;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Durations that are no constants: units of texts, and a rate.
const UNITS: [(&str, &str); 2] = [
    ("settings/value_parsers.rs", "units of the values of flags"),
    ("tokens/revoker.rs", "one second, divided by PER_SECOND"),
];

const HEAD: &str = "# Time constants

Every time that vaultmount counts by. Written from the constants in `src/` by `UPDATE_DOCS=1 cargo test --lib time_constants`; a test fails when a time
in the source has no constant, and so no row here.

Nothing that repeats runs at the same moment on all nodes:

| rule | spread |
| --- | --- |
| a period (*) | each pause is up to a quarter shorter or longer |
| a pause after a failure (**) | doubles from the first to the longest; the given part of each pause is random |
| renewal of a token or lease | after two thirds of its time, or up to a quarter earlier |
| successor of a certificate, or of a lease or token that cannot be renewed | after 70 % of its time, or up to a quarter earlier |
| a new login of a token in use | each token has its own time between the two of `REAUTHENTICATE_AFTER` |
| polls of volumes that vaultmount writes | at the same moments for all volumes of a login, and at a random part of the period for each login and node |
";

struct Row {
    file: String,
    name: String,
    value: String,
    reason: String,
}

#[test]
fn the_documentation_of_time_constants_is_what_the_source_has() {
    let path = format!("{ROOT}/docs/time-constants.md");
    let wanted = document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == wanted, "run `UPDATE_DOCS=1 cargo test --lib time_constants`");
}

#[test]
fn every_time_in_the_source_is_a_constant() {
    let bare = |(file, text): &(String, String)| {
        let (_, rest) = constants(file, text);
        let times = literal_durations(&rest);
        let is_unit = UNITS.iter().any(|(unit, _)| file == unit);
        (!is_unit && !times.is_empty()).then(|| format!("{file}: {times:?}"))
    };
    let bare: Vec<_> = sources().iter().filter_map(bare).collect();
    assert!(bare.is_empty(), "name these times by constants with a reason: {bare:#?}");
}

fn document() -> String {
    let mut text = String::from(HEAD);
    text += "\n## Flags\n\n| flag | default | meaning |\n| --- | --- | --- |\n";
    let command = ServeArgs::augment_args(Command::new("serve"));
    for flag in command.get_arguments() {
        let is_time = flag.get_value_names().is_some_and(|names| names.iter().any(|name| name == "DURATION"));
        if let (true, Some(name), Some(help)) = (is_time, flag.get_long(), flag.get_help()) {
            let default = flag.get_default_values().first().and_then(|value| value.to_str()).unwrap_or("");
            let _ = writeln!(text, "| `--{name}` | {default} | {help} |");
        }
    }
    text += "\n## Constants\n\n| constant | value | reason |\n| --- | --- | --- |\n";
    for (file, source) in sources() {
        for Row { file, name, value, reason } in constants(&file, &source).0 {
            let _ = writeln!(text, "| `{name}` in `{file}` | {value} | {} |", reason.replace('|', "\\|"));
        }
    }
    text
}

/// The files of src/ without tests: the path below src/, and the text before the file's own tests.
fn sources() -> Vec<(String, String)> {
    let (mut found, mut directories) = (Vec::new(), vec![PathBuf::from(ROOT).join("src")]);
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.is_dir() && name != "tests" && name != "simulation" {
                directories.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                found.push(path);
            }
        }
    }
    found.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        let below = path.strip_prefix(Path::new(ROOT).join("src")).unwrap();
        (below.to_string_lossy().into_owned(), text)
    };
    found.into_iter().map(read).collect()
}

/// The time constants of `text`, and the text without them.
fn constants(file: &str, text: &str) -> (Vec<Row>, String) {
    let (mut rows, mut rest, mut reason) = (Vec::new(), String::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        if let Some(doc) = trimmed.strip_prefix("///") {
            reason.push(doc.trim().to_owned());
            continue;
        }
        let Some(constant) = trimmed.trim_start_matches("pub(crate) ").strip_prefix("const ") else {
            rest += line.split("//").next().unwrap_or_default();
            rest += "\n";
            reason.clear();
            continue;
        };
        let mut whole = constant.to_owned();
        while !whole.trim_end().ends_with(';') && !whole.contains(" fn ") && !whole.starts_with("fn ") {
            let Some(line) = lines.next() else { break };
            whole += " ";
            whole += line.trim();
        }
        let reason = std::mem::take(&mut reason).join(" ");
        match time_constant(file, &whole, reason) {
            Some(row) => rows.push(row),
            None => rest += &whole,
        }
    }
    (rows, rest)
}

/// The row of `constant` (`NAME: Duration = ..;`); `None` if it is no time.
fn time_constant(file: &str, constant: &str, reason: String) -> Option<Row> {
    let (name, rest) = constant.split_once(": ")?;
    let (kind, value) = rest.split_once(" = ")?;
    if !["Duration", "Period", "Backoff"].iter().any(|time| kind.contains(time)) {
        return None;
    }
    let times: Vec<_> =
        literal_durations(value).into_iter().map(|(unit, amount)| shown(&unit, amount)).collect();
    let value = match (kind, times.as_slice()) {
        ("Backoff", [first, longest]) => {
            let jitter: f64 = value.split("jitter: ").nth(1)?.split([' ', '}']).next()?.parse().ok()?;
            format!("{first} to {longest} (**), {} % random", jitter * 100.0)
        }
        ("Period", [one]) => format!("{one} (*)"),
        (_, times) => times.join(", "),
    };
    assert!(!value.is_empty(), "{file}: {name} is not written as a number");
    assert!(!reason.is_empty(), "{file}: {name} has no reason");
    Some(Row { file: file.into(), name: name.into(), value, reason })
}

/// Every `Duration::from_<unit>(<number>)` of `text`, whose number may be a product: the unit and the amount.
fn literal_durations(text: &str) -> Vec<(String, u64)> {
    let calls = text.split("Duration::from_").skip(1);
    let parse = |call: &str| {
        let (unit, rest) = call.split_once('(')?;
        let number = rest.split(')').next()?;
        let factors = number.split('*').map(|factor| factor.trim().replace('_', "").parse::<u64>().ok());
        Some((unit.to_owned(), factors.product::<Option<u64>>()?))
    };
    calls.filter_map(parse).collect()
}

fn shown(unit: &str, amount: u64) -> String {
    match (unit, amount) {
        ("secs", days) if days >= 48 * 3600 && days.is_multiple_of(24 * 3600) => {
            format!("{} days", days / 24 / 3600)
        }
        ("secs", hours) if hours >= 3600 && hours.is_multiple_of(3600) => format!("{} h", hours / 3600),
        ("secs", minutes) if minutes >= 120 && minutes.is_multiple_of(60) => format!("{} min", minutes / 60),
        ("secs", seconds) => format!("{seconds} s"),
        ("millis", millis) if millis >= 1000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        ("millis", millis) => format!("{millis} ms"),
        (unit, amount) => format!("{amount} {unit}"),
    }
}
