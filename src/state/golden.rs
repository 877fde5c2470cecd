//! The records of 0.1.0 in `tests/golden`, which every later version must read, whatever its types are called.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::{Directory, Record, StateKey, Store, StoredRecord};

/// The node on which they were sealed.
const NODE: &str = "node-1";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/state-0.1.0").join(name)
}

fn key() -> StateKey {
    StateKey::read(&path("state-key")).unwrap()
}

/// The records of the directory `name` in a directory of their own, as a node has them after an update.
async fn copied(name: &str, key: StateKey) -> (TempDir, Store) {
    let directory = TempDir::new_in("/dev/shm").unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    for file in fs::read_dir(path(name)).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), directory.path().join(file.file_name())).unwrap();
    }
    let store =
        Store::new(Directory::open(directory.path(), Duration::ZERO).await.unwrap(), key, NODE).unwrap();
    (directory, store)
}

/// All records, in a state directory that may be written to.
pub(crate) async fn store() -> (TempDir, Store) {
    copied("records", key()).await
}

/// Every record of `store`.
pub(crate) fn records(store: &Store) -> Vec<Record> {
    let usable = |found| match found {
        StoredRecord::Record(record) => record,
        StoredRecord::Unusable(unusable) => panic!("{}: {}", unusable.id, unusable.why),
    };
    store.records().unwrap().map(usable).collect()
}

/// The body of `record` as JSON.
pub(crate) fn json(record: &Record) -> Value {
    serde_json::from_slice(record.body.expose()).unwrap()
}

/// The places in `old` whose value is missing in `new`. A later version may add members, and must neither rename nor drop one.
pub(crate) fn lost(old: &Value, new: &Value) -> Vec<String> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let lost = |(name, value): (&String, &Value)| {
                below(name, &lost(value, new.get(name).unwrap_or(&Value::Null)))
            };
            // A missing member equals null.
            old.iter().flat_map(lost).collect()
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            let pairs = old.iter().zip(new).enumerate();
            pairs.flat_map(|(at, (old, new))| below(&at.to_string(), &lost(old, new))).collect()
        }
        _ if old == new => Vec::new(),
        _ => vec![String::new()],
    }
}

fn below(name: &str, lost: &[String]) -> Vec<String> {
    lost.iter().map(|rest| format!("/{name}{rest}")).collect()
}

/// Compares the lines that begin with `kind` with those in `tests/golden/names-0.1.0.txt`.
pub(crate) fn is_named(kind: &str, lines: impl Iterator<Item = String>) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/names-0.1.0.txt"))
        .unwrap();
    let golden: BTreeSet<_> =
        text.lines().filter(|line| line.split(' ').next() == Some(kind)).map(str::to_owned).collect();
    let now: BTreeSet<_> = lines.map(|line| line.trim_end().to_owned()).collect();
    assert!(!golden.is_empty(), "no {kind} in the list");
    let (renamed, new): (Vec<_>, Vec<_>) =
        (golden.difference(&now).collect(), now.difference(&golden).collect());
    assert!(
        renamed.is_empty() && new.is_empty(),
        "tests/golden/names-0.1.0.txt, {kind}: gone or changed {renamed:#?}, not in the list {new:#?}"
    );
}

#[tokio::test]
async fn records_of_0_1_0_open_with_their_key() {
    let (_directory, store) = store().await;
    assert_eq!(records(&store).len(), 9);
}

#[tokio::test]
async fn a_record_of_0_1_0_opens_with_the_key_of_versions() {
    let key = StateKey::read_shared(&path("state-key")).unwrap();
    let (_directory, store) = copied("records-by-hmac-key", key).await;
    let records = records(&store);
    let tokens: Vec<_> =
        records.iter().filter_map(|record| record.outer.token.as_ref()?.expose_text()).collect();
    assert_eq!(tokens, ["golden-token-account"]);
}
